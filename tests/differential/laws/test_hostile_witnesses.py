"""Witnesses at the ends of every range: one verdict by Python's two paths and by Rust.

``CONVEXFX_FUZZ=100000`` runs as many seeds.
"""

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

from convexfx_core.errors import LawViolated
from convexfx_core.laws import check
from convexfx_core.witness.layout import encode_witness
from tasks.adapters.rust_parts import RustParts
from tests.differential.laws.campaign import Verdict, by_python
from tests.differential.laws.hostile import beyond_the_terms, hostile
from tests.differential.laws.rust import answers, native_verdict
from tests.support.rust import rust

__all__ = ["rust"]
SEEDS = int(os.environ.get("CONVEXFX_FUZZ", "400"))
BOTH_ENGINES = SEEDS // 4
GAP_BEYOND_128_BITS = (1975, 3904, 4702)
SAID_IN_WORDS = {0, 3, 19}
"""Laws whose sides Python gives as text or pairs; Rust gives one number of each."""


def made(seeds: Iterable[int]) -> list[bytes]:
    return [data for seed in seeds if (data := hostile(seed)) is not None]


def sides(data: bytes) -> tuple[str, str] | None:
    """Observed and bound of the violation, where both are numbers."""
    try:
        check(data)
    except LawViolated as violation:
        pair = violation.observed, violation.bound
        if violation.law not in SAID_IN_WORDS and all(isinstance(side, int) for side in pair):
            return str(pair[0]), str(pair[1])
    return None


def verdicts(answers: list[dict[str, Any]]) -> list[Verdict]:
    return [native_verdict(answer) for answer in answers]


def test_columns_and_rows_say_the_same() -> None:
    batch = made(range(1_000_000, 1_000_000 + BOTH_ENGINES))
    assert by_python("scalar")(batch) == by_python("columnar")(batch)


def test_rust_says_what_python_says_with_the_same_numbers(rust: RustParts) -> None:
    batch = made(range(SEEDS))
    found = answers([rust.laws_check, "--stream"], batch)
    due = by_python("auto")(batch)
    assert verdicts(found) == due
    numbers = [sides(data) for data in batch]
    for pair, answer in zip(numbers, found, strict=True):
        assert pair is None or pair == (answer["observed"], answer["bound"])
    assert len([pair for pair in numbers if pair]) > len(batch) / 2


def test_the_later_laws_are_reached() -> None:
    reached = Counter(verdict.law for verdict in by_python("auto")(made(range(SEEDS))))
    assert {None, 5, 9, 10, 11} <= set(reached)


def test_a_gap_beyond_its_width_is_a_violation_for_both(rust: RustParts) -> None:
    batch = made(GAP_BEYOND_128_BITS)
    due = by_python("scalar")(batch)
    assert [verdict.law for verdict in due] == [9] * len(GAP_BEYOND_128_BITS)
    assert verdicts(answers([rust.laws_check, "--stream"], batch)) == due
    assert {sides(data)[1] for data in batch if sides(data)} == {str((1 << 128) - 1)}


def test_a_term_beyond_its_width_is_a_violation_for_both(rust: RustParts) -> None:
    batch = [encode_witness(beyond_the_terms(orders)) for orders in (32, 33)]
    due = by_python("scalar")(batch)
    assert [(verdict.law, verdict.index) for verdict in due] == [(16, 65), (9, 3)]
    assert verdicts(answers([rust.laws_check, "--stream"], batch)) == due
