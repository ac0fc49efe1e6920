"""Golden markets clear to the same integers, by numpy and by numba, from their own bytes."""

import json
from pathlib import Path
from typing import Any

import pytest

from convexfx_core.clearing.kernels import KernelChoice
from convexfx_core.proposal import RejectKind
from tests.vectors.clearing_vectors import (
    FOLDER,
    market_document,
    market_from,
    markets,
    outcome_document,
)

VECTORS = sorted(FOLDER.glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def test_every_market_has_a_vector_and_every_vector_a_market() -> None:
    assert {path.stem for path in VECTORS} == set(markets())


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_a_golden_market_clears_to_the_same_integers(path: Path, kernels: KernelChoice) -> None:
    vector = load(path)
    market = vector.pop("market")
    assert outcome_document(market_from(market), kernels) == vector


@pytest.mark.parametrize("name", sorted(markets()))
def test_a_golden_market_is_the_one_that_is_built(name: str) -> None:
    assert load(FOLDER / f"{name}.json")["market"] == market_document(markets()[name])


def test_the_vectors_show_what_they_are_named_after() -> None:
    found = {path.stem: load(path).get("proposal") for path in VECTORS}
    assert any(int(v) for v in found["at-the-band"]["overflow"])
    assert any(int(w) for w in found["rationed"]["omega"])
    assert RejectKind.MIN_FILL in found["minimum-fills"]["reject_kinds"]
    assert RejectKind.RATION_MIN_FILL in found["rationed-minimum-fills"]["reject_kinds"]
    assert found["no-order"]["paid"] == []
    assert max(int(paid) for paid in found["budgets-of-2-61"]["paid"]) > 1 << 61
    assert any(int(w) for w in found["opening-outside-a-bound"]["omega"])
    refused = load(FOLDER / "refused-for-coarse-units.json")
    assert refused["refused"] == "NO_CERTIFICATE"
