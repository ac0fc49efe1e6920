"""The plain oracle can fail: every kind of wrong proposal is caught, by the laws as well."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.clear_files.verify import claims_of
from convexfx_core.clearing import propose
from convexfx_core.errors import ClearingRefused, LawViolated
from convexfx_core.laws import check_clearing
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal, Ration, RejectKind
from convexfx_core.settlement.settle import settle
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_oracle import check

Tamper = Callable[[ClearingCase, Proposal], Proposal]
PLAIN = case_of(Shape(assets=4, orders=80, gross=100.0), 3)
BAND = case_of(Shape(assets=4, orders=80, gross=400.0, band=2.0, impact=2.0), 3)
BOUND = case_of(Shape(assets=4, orders=80, bounds=4.0, min_fill=0.3), 4)


def with_paid(proposal: Proposal, position: int, amount: int) -> Proposal:
    paid = proposal.paid.copy()
    paid[position] = amount
    return replace(proposal, paid=paid)


def with_price(proposal: Proposal, asset: int, price: int) -> Proposal:
    prices = list(proposal.prices)
    prices[asset] = price
    return replace(proposal, prices=tuple(prices))


def full(case: ClearingCase, proposal: Proposal) -> int:
    """A large order that is filled completely."""
    done = proposal.paid == case.orders["budget"]
    return int(np.argmax(np.where(done, case.orders["budget"], 0)))


def empty(case: ClearingCase, proposal: Proposal) -> int:
    """A limit order that is not filled and not rejected."""
    open_ = (proposal.paid == 0) & (case.orders["limit_kind"] == 1)
    open_[proposal.rejected] = False
    return int(np.flatnonzero(open_)[0])


def demanded(proposal: Proposal) -> np.ndarray:
    assert proposal.ration is not None
    return proposal.ration.demanded.copy()


def omega_moved(proposal: Proposal, asset: int, by: int) -> Proposal:
    assert proposal.ration is not None
    omega = list(proposal.ration.omega)
    omega[asset] += by
    return replace(proposal, ration=Ration(tuple(omega), proposal.ration.demanded))


def active(proposal: Proposal) -> int:
    assert proposal.ration is not None
    return int(np.flatnonzero(np.array(proposal.ration.omega))[0])


ON_PLAIN: dict[str, Tamper] = {
    "one unit less than the budget": lambda c, p: with_paid(p, k := full(c, p), int(p.paid[k]) - 1),
    "one unit more than the budget": lambda c, p: with_paid(p, k := full(c, p), int(p.paid[k]) + 1),
    "a full order left out": lambda c, p: with_paid(p, full(c, p), 0),
    "half of a full order": lambda c, p: with_paid(p, k := full(c, p), int(p.paid[k]) // 2),
    "an order filled out of the money": lambda c, p: with_paid(
        p, k := empty(c, p), int(c.orders["budget"][k])
    ),
    "a price moved by a hundredth of a bp": lambda c, p: with_price(
        p, 2, (p.prices[2] + p.prices[2] // 10**6) >> 24 << 24
    ),
    "the numeraire at another price": lambda c, p: with_price(p, 0, (1 << 64) + (1 << 30)),
    "a price above its band": lambda c, p: with_price(p, 1, c.reference.phi[1] + 1),
    "a price below its band": lambda c, p: with_price(p, 1, c.reference.plo[1] - 1),
    "overflow away from the band": lambda c, p: replace(p, overflow=(0, 5, 0, 0)),
    "an order rejected that was filled": lambda c, p: replace(
        p, rejected=np.array([full(c, p)]), reject_kinds=np.array([1], np.uint8)
    ),
    "a rejection without a minimum fill": lambda c, p: replace(
        with_paid(p, k := full(c, p), 0),
        rejected=np.array([k]),
        reject_kinds=np.array([RejectKind.MIN_FILL], np.uint8),
    ),
}
ON_BAND: dict[str, Tamper] = {
    "overflow of the other sign": lambda c, p: replace(p, overflow=tuple(-v for v in p.overflow)),
    "overflow forgotten": lambda c, p: replace(p, overflow=(0,) * 4),
    "overflow off by a dollar": lambda c, p: replace(
        p, overflow=tuple(v + 10**6 * (v > 0) - 10**6 * (v < 0) for v in p.overflow)
    ),
    "a price just inside the band with overflow": lambda c, p: with_price(
        p, k := int(np.flatnonzero(np.array(p.overflow, dtype=float))[0]),
        c.reference.phi[k] - (1 << 30) if p.overflow[k] < 0 else c.reference.plo[k] + (1 << 30),
    ),
}  # fmt: skip
ON_BOUND: dict[str, Tamper] = {
    "a rationed order one unit up": lambda c, p: with_paid(
        p, k := int(np.flatnonzero((p.paid > 0) & (p.paid < demanded(p)))[0]), int(p.paid[k]) + 1
    ),
    "a rationed order one unit down": lambda c, p: with_paid(
        p, k := int(np.flatnonzero((p.paid > 0) & (p.paid < demanded(p)))[0]), int(p.paid[k]) - 1
    ),
    "ration forgotten": lambda c, p: replace(p, ration=None),
    "ration forgotten and all demand paid": lambda c, p: replace(p, ration=None, paid=demanded(p)),
    "omega a little larger": lambda c, p: omega_moved(p, active(p), 1 << 20),
    "omega a little smaller": lambda c, p: omega_moved(p, active(p), -(1 << 20)),
    "omega of an asset away from its bound": lambda c, p: omega_moved(
        p, next(k for k, w in enumerate(p.ration.omega if p.ration else ()) if w == 0), 1 << 30
    ),
    "a demand understated": lambda c, p: replace(
        p, ration=Ration(p.ration.omega if p.ration else (), demanded(p) // 2)
    ),
}


def caught(case: ClearingCase, proposal: Proposal) -> tuple[bool, bool]:
    """Whether the oracle and the laws reject it."""
    try:
        check_clearing(case, claims_of(proposal, settle(case, proposal)))
    except (LawViolated, ClearingRefused):
        return bool(check(case, proposal).violations), True
    return bool(check(case, proposal).violations), False


@pytest.mark.parametrize(
    ("case", "tamper"),
    [
        pytest.param(case, tamper, id=name)
        for case, group in ((PLAIN, ON_PLAIN), (BAND, ON_BAND), (BOUND, ON_BOUND))
        for name, tamper in group.items()
    ],
)
def test_a_tampered_proposal_is_caught(case: ClearingCase, tamper: Tamper) -> None:
    honest = propose(case, kernels="numpy")
    assert caught(case, honest) == (False, False)
    forged = tamper(case, honest)
    by_oracle, by_laws = caught(case, forged)
    assert by_oracle
    assert by_laws


def test_the_price_grid_is_a_rule_of_the_specification_that_the_oracle_checks() -> None:
    forged = with_price(honest := propose(PLAIN, kernels="numpy"), 2, honest.prices[2] | 1)
    assert check(PLAIN, forged).violations == [(7, 2, "grid")]


def test_the_cases_exercise_what_they_are_for() -> None:
    assert any(propose(BAND, kernels="numpy").overflow)
    bound = propose(BOUND, kernels="numpy")
    assert bound.ration is not None
    assert (bound.paid < bound.ration.demanded).any()
    assert propose(PLAIN, kernels="numpy").ration is None


@pytest.mark.parametrize("seed", range(6))
def test_random_single_changes_of_fills_are_caught_or_lawful_for_both(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = case_of(Shape(assets=3, orders=50, gross=60.0), seed)
    honest = propose(case, kernels="numpy")
    for _ in range(12):
        k = int(rng.integers(0, 50))
        budget = int(case.orders["budget"][k])
        forged = with_paid(honest, k, int(rng.integers(0, budget + 1)))
        by_oracle, by_laws = caught(case, forged)
        assert by_oracle == by_laws


@pytest.mark.parametrize("seed", range(6))
def test_random_price_moves_are_judged_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = case_of(Shape(assets=3, orders=50, gross=60.0), seed)
    honest = propose(case, kernels="numpy")
    for exponent in range(8, 40, 4):
        asset = int(rng.integers(1, 3))
        step = max(1, honest.prices[asset] >> exponent)
        unit = 1 << max(0, honest.prices[asset].bit_length() - 46)
        moved = (honest.prices[asset] + int(rng.choice([-1, 1])) * step) // unit * unit
        by_oracle, by_laws = caught(case, with_price(honest, asset, moved))
        assert by_oracle == by_laws
        assert by_oracle or exponent > 30
