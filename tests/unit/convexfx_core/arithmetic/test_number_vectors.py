"""The vectors of integer arithmetic: built again line by line, and not all of one kind."""

from collections import Counter

from tests.vectors.number_vectors import CASES, FILE, RULES, lines


def test_written_vectors_are_those_that_follow() -> None:
    assert FILE.read_text() == "".join(lines())


def test_every_rule_has_its_cases_of_both_signs() -> None:
    rows = [line.rstrip("\n").split("\t") for line in lines()]
    assert Counter(rule for rule, _, _ in rows) == dict.fromkeys(RULES, CASES)
    signs = {(rule, given.startswith("-")) for rule, given, _ in rows}
    assert {("divide", True), ("shift_right", True), ("multiply", True)} <= signs
    logs = [result for rule, _, result in rows if rule == "log_ratio"]
    assert "far" in logs
    assert any(result.startswith("-") for result in logs)
