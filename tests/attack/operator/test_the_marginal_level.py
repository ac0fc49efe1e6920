"""Of orders with one limit at the price nobody is served before the others.

At the price some orders have to stay unfilled. With no law about whom, the operator gave all of the
level to a friend: 12.5 M USD of equal limits, 25.1 M USD with a limit that was worse by 4.5e-13.
L20 asks for equal parts of equal limits, and for better limits first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

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
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.rates import every_rate, limit_rates
from convexfx_core.settlement.settle import settle
from tests.support.clearing_cases import Shape, case_of

CROWDED = Shape(assets=3, orders=120, gross=300.0, band=50.0, market=0.2, tick=20.0)
SEEDS = range(30)
ENGINES: tuple[Any, ...] = ("scalar", "columnar", "compiled")


def shared_level(case: ClearingCase, proposal: Proposal) -> tuple[int, list[int]] | None:
    """A pair, and its orders that are filled in part; they have one limit."""
    rows = case.orders
    pair = rows["pay"].astype(int) * case.params.n + rows["receive"]
    partly = (proposal.paid > 0) & (proposal.paid < rows["budget"])
    for one in np.unique(pair[partly]).tolist():
        some = np.flatnonzero(partly & (pair == one))
        if len(some) > 1:
            return one, some.tolist()
    return None


def given_to_a_friend(case: ClearingCase, honest: Proposal, level: list[int]) -> Proposal:
    """The first of the level gets what there is; overflow says what it has to."""
    paid, rest = honest.paid.copy(), int(honest.paid[level].sum())
    for k in level:
        paid[k] = min(rest, int(case.orders["budget"][k]))
        rest -= int(paid[k])
    problem = pose(case)
    rates = rates_of(case, honest.prices, np.unique(problem.demand.pair))
    overflow = settle_overflow(problem, honest.prices, rates, paid, honest.overflow)
    return replace(honest, paid=paid, overflow=overflow)


def refusal(case: ClearingCase, proposal: Proposal) -> tuple[int, int] | None:
    """(law, index) of all forms of the laws, None where all hold."""
    claims, seen = claims_of(proposal, settle(case, proposal)), []
    for engine in ENGINES:
        try:
            check_clearing(case, claims, engine=engine)
            seen.append(None)
        except LawViolated as error:
            seen.append((error.law, error.index))
    assert len(set(seen)) == 1
    return seen[0]


@contextmanager
def without_the_cure() -> Iterator[None]:
    """As if L20 did not exist."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("breach_by_rows", "breach_by_columns"):
            patch.setattr(l20_equal_parts, name, lambda *_: None)
        yield


def worse_by_a_unit(case: ClearingCase, friend: int) -> ClearingCase:
    """The friend asks one unit of l more than the others of his level."""
    rows, table = case.orders.copy(), every_rate(case, case.reference.pbar)
    pair = int(rows["pay"][friend]) * case.params.n + int(rows["receive"][friend])
    limit = int(limit_rates(rows[friend : friend + 1], np.array([pair]), table)[0])
    exponent, shift = int(rows["limit_e"][friend]), int(table.shift[pair])
    rows["limit_m"][friend] = (limit + 1) << (exponent - shift)
    return replace(case, orders=rows)


@pytest.mark.parametrize("friend", ["equal", "worse by a unit"])
def test_a_friend_cannot_take_the_level(friend: str) -> None:
    tried, gained = 0, 0
    for seed in SEEDS:
        case = case_of(CROWDED, seed)
        found = shared_level(case, propose(case, kernels="numpy"))
        if found is None:
            continue
        if friend == "worse by a unit":
            case = worse_by_a_unit(case, found[1][0])
        pair, level = found
        honest = propose(case, kernels="numpy")
        assert refusal(case, honest) is None
        favoured = given_to_a_friend(case, honest, level)
        gain = int(favoured.paid[level[0]]) - int(honest.paid[level[0]])
        if gain < 1 << 20:
            continue
        with without_the_cure():
            if refusal(case, favoured) is not None:
                continue
        assert refusal(case, favoured) == (20, pair)
        tried, gained = tried + 1, gained + gain
    # Canary: without L20 every one of these was accepted.
    assert tried >= 5, tried
    assert gained > 0


def test_equal_limits_get_equal_parts() -> None:
    for seed in SEEDS:
        case = case_of(CROWDED, seed)
        honest = propose(case, kernels="numpy")
        found = shared_level(case, honest)
        if found is None:
            continue
        grain = 2 * l20_equal_parts.tolerance(
            int(case.params.decimals[found[0] // case.params.n]),
            every_rate(case, honest.prices).at(found[0]),
        )
        for k in found[1]:
            for j in found[1]:
                paid, budget = honest.paid.astype(object), case.orders["budget"].astype(object)
                off = abs(paid[k] * budget[j] - paid[j] * budget[k])
                assert off <= grain * (budget[k] + budget[j]), (seed, k, j)
