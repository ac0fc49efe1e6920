"""At the edge of a band the overflow can absorb any gap, so no order there may be optional.

An order whose limit is the worst rate inside the bands has Rn = l at the edge. A law that only asks
for orders with Rn > l lets the operator leave such an order out and serve a friend; the overflow,
which nobody signs, makes up for it. L4 asks for every order with l <= Rm.
"""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.clear_files.verify import claims_of
from convexfx_core.clearing import propose
from convexfx_core.clearing.price_rule import settle_overflow
from convexfx_core.clearing.problem import pose
from convexfx_core.clearing.rounding import rates_of
from convexfx_core.errors import LawViolated
from convexfx_core.laws import l20_equal_parts
from convexfx_core.laws.certify import check_clearing
from convexfx_core.laws.order_facts import OrderFacts
from convexfx_core.orders.row import LIMIT_LIMIT
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.rates import every_rate
from convexfx_core.settlement.settle import settle
from tests.support.clearing_cases import Shape, case_of
from tests.support.witnesses.violations import limit_equal_to

BANDED = Shape(assets=3, orders=40, gross=600.0, band=5.0, market=0.5)
SEEDS = range(12)


def at_the_edge(case: ClearingCase, proposal: Proposal) -> list[int]:
    """Filled orders of pairs that trade at the worst rate inside their bands."""
    table = every_rate(case, proposal.prices)
    pair = case.orders["pay"].astype(int) * case.params.n + case.orders["receive"]
    worst = (table.net[pair] == table.worst[pair]) & (proposal.paid == case.orders["budget"])
    return np.flatnonzero(worst).tolist()


def left_out(case: ClearingCase, honest: Proposal, victim: int) -> Proposal:
    """The same prices without the victim; the overflow says what it has to."""
    paid = honest.paid.copy()
    paid[victim] = 0
    problem = pose(case)
    rates = rates_of(case, honest.prices, np.unique(problem.demand.pair))
    overflow = settle_overflow(problem, honest.prices, rates, paid, honest.overflow)
    return replace(honest, paid=paid, overflow=overflow)


def refusal(case: ClearingCase, proposal: Proposal) -> tuple[int, int] | None:
    """(law, index) of both forms of the laws, None where all hold."""
    claims, seen = claims_of(proposal, settle(case, proposal)), []
    for engine in ("scalar", "columnar"):
        try:
            check_clearing(case, claims, engine=engine)
            seen.append(None)
        except LawViolated as error:
            seen.append((error.law, error.index))
    assert seen[0] == seen[1]
    return seen[0]


def accepted_without_the_cure(case: ClearingCase, proposal: Proposal) -> bool:
    """Whether the laws hold if "clearly in" says only that the rate beats the limit.

    L20 would then find the order among those at the price, so it is off as well.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OrderFacts, "always_in", property(lambda _: False))
        patch.setattr(l20_equal_parts, "breach_by_rows", lambda *_: None)
        try:
            claims = claims_of(proposal, settle(case, proposal))
            check_clearing(case, claims, engine="scalar")
        except LawViolated:
            return False
    return True


def limited_at_the_edge(case: ClearingCase, above: int = 0) -> ClearingCase:
    """Every market order as a limit order with l = Rm, or ``above`` it."""
    rows, table = case.orders.copy(), every_rate(case, case.reference.pbar)
    for k in np.flatnonzero(rows["limit_kind"] != LIMIT_LIMIT):
        pair = int(rows["pay"][k]) * case.params.n + int(rows["receive"][k])
        limit = int(table.worst[pair]) + above
        for name, value in limit_equal_to(limit, int(table.shift[pair])).items():
            rows[name][k] = value
    return replace(case, orders=rows)


def test_an_order_at_the_edge_cannot_be_left_out_for_a_friend() -> None:
    absorbed = 0
    for seed in SEEDS:
        case = limited_at_the_edge(case_of(BANDED, seed))
        honest = propose(case, kernels="numpy")
        assert refusal(case, honest) is None
        for victim in at_the_edge(case, honest)[:3]:
            forged = left_out(case, honest, victim)
            assert refusal(case, forged) == (4, victim)
            absorbed += accepted_without_the_cure(case, forged)
    assert absorbed >= 10


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_whoever_accepts_the_worst_rate_is_filled_whole(kernels: str) -> None:
    pytest.importorskip("numba") if kernels == "numba" else None
    edges = 0
    for seed in SEEDS:
        market = case_of(BANDED, seed)
        for case in (market, limited_at_the_edge(market)):
            proposal = propose(case, kernels=kernels)
            assert refusal(case, proposal) is None
            free = market.orders["limit_kind"] != LIMIT_LIMIT
            assert (proposal.paid[free] == case.orders["budget"][free]).all()
        edges += len(at_the_edge(case, proposal))
    assert edges >= 10


def test_a_unit_above_the_worst_rate_is_a_limit_like_any_other() -> None:
    """Its level lies at the edge: there it is out of the money, and nobody's epoch aborts."""
    for seed in SEEDS:
        case = limited_at_the_edge(case_of(BANDED, seed), above=1)
        proposal = propose(case, kernels="numpy")
        assert refusal(case, proposal) is None
