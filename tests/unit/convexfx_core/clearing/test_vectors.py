"""Golden markets clear to the same integers, by numpy and by numba, from their own bytes."""

import json
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest

from convexfx_core.clearing.kernels import KernelChoice
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import RejectKind
from tests.vectors.clearing_vectors import (
    FOLDER,
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


def flat(value: Any) -> list[int]:
    """All integers of nested tuples, in their sequence."""
    if isinstance(value, tuple | list):
        return [number for part in value for number in flat(part)]
    return [] if value is None else [int(value)]


def numbers(case: ClearingCase) -> list[int]:
    """A market as one list of integers."""
    return flat((*astuple(case.params), *astuple(case.reference), case.inventory)) + [
        number for row in case.orders.tolist() for number in flat((tuple(row[0]), *row[1:]))
    ]


def same_market(one: ClearingCase, two: ClearingCase) -> bool:
    """Equal but for the last bits of a double.

    The markets are drawn with ``exp`` and friends, whose last bit differs between processors; the
    committed integers are the vector, and this only shows that their generator still stands.
    """
    left, right = numbers(one), numbers(two)
    return len(left) == len(right) and all(
        abs(a - b) <= 1 + max(abs(a), abs(b)) // 10**9 for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("name", sorted(markets()))
def test_a_golden_market_is_the_one_that_is_built(name: str) -> None:
    assert same_market(market_from(load(FOLDER / f"{name}.json")["market"]), markets()[name])


def test_canary_a_market_with_another_budget_is_seen() -> None:
    market = markets()["ticks"]
    rows = market.orders.copy()
    rows["budget"][7] += rows["budget"][7] // 10**6 + 2
    assert not same_market(market, replace(market, orders=rows))


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
