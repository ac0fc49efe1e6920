"""Every lie about a cleared batch is caught, and named by its law."""

import pytest

from convexfx_core.clear_files.verify import verify_result
from convexfx_core.errors import LawViolated
from tests.attack import result_lies_fills, result_lies_prices, result_lies_rations
from tests.attack.result_batches import cleared, result_bytes
from tests.attack.result_lies import TAMPERINGS, Tampering

BOOKS = (result_lies_prices, result_lies_fills, result_lies_rations)
KINDS = ("plain", "rationed", "rejecting", "crowded", "banded")


def violated(tampering: Tampering, engine: str) -> tuple[int, int, str]:
    batch = cleared(tampering.kind).batch
    with pytest.raises(LawViolated) as caught:
        verify_result(batch, result_bytes(tampering.make()), engine=engine)
    return caught.value.law, caught.value.index, caught.value.line()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["scalar", "columnar"])
def test_the_truth_is_certified(kind: str, engine: str) -> None:
    batch, tree = cleared(kind)
    verify_result(batch, result_bytes(tree), engine=engine)


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda t: f"{t.kind}: {t.name}")
def test_every_lie_is_named(tampering: Tampering) -> None:
    seen = violated(tampering, "scalar")
    assert seen[0] == tampering.law, seen
    assert seen == violated(tampering, "columnar")


def test_there_are_enough_lies_and_none_twice() -> None:
    names = {(t.kind, t.name) for t in TAMPERINGS}
    assert len(names) == len(TAMPERINGS) >= 100
    laws = {t.law for t in TAMPERINGS}
    assert laws >= {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 19}


def test_the_batches_hold_what_the_lies_are_about() -> None:
    trees = {kind: cleared(kind).tree for kind in KINDS}
    assert trees["plain"]["ration"] is None
    assert trees["rationed"]["ration"] is not None
    assert {r["kind"] for r in trees["rejecting"]["rejected"]} == {"min_fill"}
    assert "ration_min_fill" in {r["kind"] for r in trees["crowded"]["rejected"]}
    assert any(float(v) for v in trees["banded"]["band_overflow_numeraire"].values())
