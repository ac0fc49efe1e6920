"""Random epochs, lawful and changed half and half: one verdict by every implementation.

``CONVEXFX_FUZZ=100000`` runs the long form, a hundredth of it in SP1's executor;
``python -m bench.law_differential`` runs it in parts and replays seeds.
"""

import os
from collections import Counter

import pytest

from tasks.adapters.rust_parts import RustParts
from tests.differential.laws.campaign import (
    EACH,
    Report,
    Sample,
    Verdict,
    by_python,
    campaign,
    compare,
    samples,
)
from tests.differential.laws.rust import by_executor, by_laws_check
from tests.support.rust import rust

__all__ = ["rust"]
WITNESSES = int(os.environ.get("CONVEXFX_FUZZ", "2000"))
EXECUTED = max(20, WITNESSES // 100)
BOTH_ENGINES = WITNESSES // 10
EVERY_SEED = range(1 << 62)


def assert_equal(report: Report) -> None:
    print(report.line())
    assert not report.differences, "\n".join(report.differences[:20])


def assert_mixed(report: Report) -> None:
    """Half of them lawful by construction, many of the others not, by most laws."""
    lawful = report.kinds["cleared"] + report.kinds["retold"]
    assert lawful == pytest.approx(report.witnesses / 2, rel=0.05)
    assert report.verdicts[-1] >= lawful
    assert report.verdicts[-1] < 0.75 * report.witnesses
    assert len(report.verdicts) >= 17


def test_columns_and_rows_say_the_same() -> None:
    checkers = {"scalar": by_python("scalar"), "columnar": by_python("columnar")}
    report = campaign(range(10**6, 2 * 10**6), BOTH_ENGINES, checkers)
    assert_equal(report)


@pytest.mark.slow
def test_rust_says_what_python_says(rust: RustParts) -> None:
    checkers = {"python": by_python("auto"), "rust": by_laws_check(rust.laws_check)}
    report = campaign(EVERY_SEED, WITNESSES, checkers)
    assert_equal(report)
    assert_mixed(report)


def test_the_executed_guest_says_what_python_says(rust: RustParts) -> None:
    checkers = {"python": by_python("auto"), "guest": by_executor(rust.laws_host, rust.elf)}
    assert_equal(campaign(range(3 * 10**6, 4 * 10**6), EXECUTED, checkers, batch=100))


def test_a_seed_makes_the_same_witnesses_again() -> None:
    made = list(samples(7))
    assert made == list(samples(7))
    assert len(made) == EACH
    kinds = Counter(sample.kind for sample in made)
    assert kinds["cleared"] + kinds["retold"] == EACH // 2


def test_canary_one_other_verdict_is_a_difference() -> None:
    made, right = list(samples(7)), by_python("scalar")

    def wrong(batch: list[bytes]) -> list[Verdict]:
        return [Verdict(3, 1, None), *right(batch)[1:]]

    report = Report()
    compare(made, {"right": right, "wrong": wrong}, report)
    assert len(report.differences) == 1
    assert report.differences[0].startswith("seed 7 place 0 cleared: right ok")
    bits = Report()
    flipped = [made[0]._replace(data=made[0].data[:-1] + b"\1")]
    compare([Sample(*flipped[0])], {"right": right, "other": lambda _: right([made[0].data])}, bits)
    assert len(bits.differences) == 1
