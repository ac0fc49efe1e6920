"""Random markets of every kind: certified by the plain oracle and by the laws, or refused.

``CONVEXFX_FUZZ=20000`` runs the long form; the default takes seconds.
"""

import os

import numpy as np
import pytest

from convexfx_core.clear_files.verify import claims_of
from convexfx_core.clearing import propose
from convexfx_core.errors import ClearingRefused, LawViolated
from convexfx_core.laws import check_clearing
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.settle import settle
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_oracle import check

COUNT = int(os.environ.get("CONVEXFX_FUZZ", "240"))
BATCH = 40


def plain(rng: np.random.Generator) -> dict[str, object]:
    return {
        "assets": int(rng.integers(2, 13)),
        "orders": int(rng.integers(0, 200)),
        "band": float(rng.choice([0.0, 2.0, 10.0, 50.0, 300.0])),
        "impact": float(rng.choice([0.0, 0.05, 0.3, 1.0, 5.0])),
        "depth": float(rng.choice([0.0, 0.0, 6.0, 100.0])),
        "market": float(rng.choice([0.0, 0.3, 1.0])),
        "tick": float(rng.choice([0.0, 1.0, 5.0])),
        "fee_ppm": int(rng.integers(0, 1501)),
        "gross": float(rng.choice([0.001, 1.0, 50.0, 500.0])),
    }


def bound(rng: np.random.Generator) -> dict[str, object]:
    return plain(rng) | {
        "min_fill": float(rng.choice([0.0, 0.3, 0.8])),
        "bounds": float(rng.choice([1e6, 50.0, 5.0])),
    }


def coarse(rng: np.random.Generator) -> dict[str, object]:
    return bound(rng) | {
        "decimals": (0, 9),
        "numeraire_decimals": int(rng.integers(0, 10)),
        "prices": (0.005, 5e4),
    }


def outcome(case: ClearingCase) -> str:
    """``certified``, or the code of the refusal; the oracle and the laws must agree."""
    try:
        proposal = propose(case, kernels="numpy")
        settlement = settle(case, proposal)
    except ClearingRefused as refusal:
        return refusal.code
    lawful = not check(case, proposal).violations
    if not lawful:
        with pytest.raises(LawViolated):
            check_clearing(case, claims_of(proposal, settlement))
        return "violation"
    check_clearing(case, claims_of(proposal, settlement))
    return "certified"


@pytest.mark.parametrize("start", range(0, COUNT, BATCH))
@pytest.mark.parametrize("kind", [plain, bound])
def test_everyday_decimals_are_always_certified(kind: object, start: int) -> None:
    assert callable(kind)
    for seed in range(start, start + BATCH):
        case = case_of(Shape(**kind(np.random.default_rng(10_000 + seed))), seed)
        assert outcome(case) == "certified", f"seed {seed}"


@pytest.mark.parametrize("start", range(0, COUNT, BATCH))
def test_any_decimals_are_certified_or_refused_for_coarse_prices(start: int) -> None:
    refused = 0
    for seed in range(start, start + BATCH):
        case = case_of(Shape(**coarse(np.random.default_rng(20_000 + seed))), seed)
        found = outcome(case)
        if found == "certified":
            continue
        refused += 1
        assert found == "NO_CERTIFICATE", f"seed {seed}"
    assert refused <= BATCH // 8


MANY_ROUNDS = Shape(
    assets=14, orders=369, gross=500.0, band=10.0, impact=5.0, depth=100.0, min_fill=0.3,
    fee_ppm=1488, decimals=(0, 9), numeraire_decimals=1, prices=(0.005, 5e4), bounds=5.0,
)  # fmt: skip


def test_only_the_final_answer_is_refused_for_coarse_units() -> None:
    """A round on the way misses the price rule here, before orders below their minimum are out."""
    assert outcome(case_of(MANY_ROUNDS, 7356)) == "certified"


def test_budgets_near_the_largest_are_certified() -> None:
    for seed in range(10):
        shape = Shape(
            assets=3, orders=30, gross=1e6, impact=1e-5, bounds=1e12, prices=(0.7, 1.5)
        )  # fmt: skip
        case = case_of(shape, seed)
        orders = case.orders.copy()
        orders["budget"][::3] = (1 << 61) + seed
        huge = ClearingCase(case.params, case.reference, case.inventory, orders)
        assert outcome(huge) == "certified", f"seed {seed}"
