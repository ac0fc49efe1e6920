"""L20: at the price, better limits come first and equal limits get equal parts.

L4 leaves the orders at the price to the prover: some of them must stay unfilled, and he would give
all to a friend. L20 leaves him no choice. Of two such orders of a pair the one with the better
limit (the smaller l) is full before the other gets anything, and of one limit all want the same
part of their budgets, but for the grains that partial fills come in. Nothing is claimed for it: the
level and its part follow from the fills. Source: ``docs/invariants.md``, L20. Letters:
``docs/glossary.md``.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns import multiply_wide
from convexfx_core.laws.breach import Breach
from convexfx_core.laws.columns import U64, Mask
from convexfx_core.laws.order_facts import ClaimedClearing, OrderFacts
from convexfx_core.settlement.rates import PairRate, limit_rates
from convexfx_core.units import LIMIT_UNREACHABLE, ceil_div, partial_fill_shift

LAW: Final = 20
Positions: TypeAlias = NDArray[np.int64]
PairBreach: TypeAlias = tuple[int, Breach]
"""Pair (pay * n + receive), the two sides."""
GRAINS: Final = 2
"""An order may lie a grain below its part and another one a grain above it."""
AMOUNT_MAX: Final = (1 << 63) - 1


def tolerance(decimals: int, rate: PairRate) -> int:
    """How far an order of a pair may be from its part, base units of the pay asset.

    Two grains, or two of the least amounts that receive anything, whichever is more; at most what
    any budget holds. ``decimals`` are those of the pay asset.
    """
    least = ceil_div(1 << rate.shift, rate.net) if rate.net else AMOUNT_MAX
    return min(GRAINS * max(1 << partial_fill_shift(decimals), least), AMOUNT_MAX)


def breach(orders: Sequence[OrderFacts], off: int) -> Breach | None:
    """Return the breach of the ``orders`` at the price of one pair, with the tolerance ``off``."""
    served = [order for order in orders if order.want > 0]
    short = [order for order in orders if order.want < order.budget]
    if not served or not short:
        return None
    level, left_at = max(o.limit for o in served), min(o.limit for o in short)
    if level != left_at:
        return Breach(level, left_at) if level > left_at else None
    most = max(
        (order for order in served if order.limit == level),
        key=lambda order: Fraction(max(order.want - off, 0), order.budget),
    )
    least = min(Fraction(o.want + off, o.budget) for o in short if o.limit == level)
    bound = least * most.budget
    return Breach(most.want, int(bound) + off) if most.want - off > bound else None


def breach_by_rows(clearing: ClaimedClearing, orders: Sequence[OrderFacts]) -> PairBreach | None:
    """Return the first pair whose orders at the price break L20, one order at a time."""
    n, by_pair = clearing.case.params.n, dict[int, list[OrderFacts]]()
    for order in orders:
        by_pair.setdefault(order.pay * n + order.receive, []).append(order)
    for pair in sorted(by_pair):
        found = breach(by_pair[pair], _tolerance_of(clearing, pair))
        if found is not None:
            return pair, found
    return None


def breach_by_columns(clearing: ClaimedClearing, at_price: Positions) -> PairBreach | None:
    """As :func:`breach_by_rows`, of the orders at the positions ``at_price``, increasing."""
    n, claims = clearing.case.params.n, clearing.claims
    rows = clearing.case.orders[at_price]
    pair = rows["pay"].astype(np.intp) * n + rows["receive"]
    limit, budget = limit_rates(rows, pair, clearing.rates), rows["budget"]
    want = (claims.ration.demanded if claims.ration is not None else claims.paid)[at_price]
    served, short = want > 0, want < budget
    level = np.zeros(n * n, dtype=np.uint64)
    left_at = np.full(n * n, LIMIT_UNREACHABLE, dtype=np.uint64)
    np.maximum.at(level, pair[served], limit[served])
    np.minimum.at(left_at, pair[short], limit[short])
    shared = np.flatnonzero((limit == level[pair]) & (level == left_at)[pair])
    shared = shared[np.argsort(pair[shared], kind="stable")]
    starts = np.searchsorted(pair[shared], np.arange(n * n + 1))
    for number in np.flatnonzero(level >= left_at).tolist():
        if level[number] > left_at[number]:
            return number, Breach(int(level[number]), int(left_at[number]))
        rows_of = shared[starts[number] : starts[number + 1]]
        found = _uneven(want[rows_of], budget[rows_of], _tolerance_of(clearing, number))
        if found is not None:
            return number, found
    return None


def _tolerance_of(clearing: ClaimedClearing, pair: int) -> int:
    decimals = clearing.case.params.decimals[pair // clearing.case.params.n]
    return tolerance(decimals, clearing.rates.at(pair))


def _uneven(want: U64, budget: U64, off: int) -> Breach | None:
    """The breach of the orders of one pair and limit, some of which are served and some short."""
    tolerated = np.uint64(off)
    low, high = want - np.minimum(want, tolerated), want + tolerated
    served, short = np.flatnonzero(want > 0), np.flatnonzero(want < budget)
    most = served[_greatest(low[served], budget[served])]
    least = short[_greatest(budget[short], high[short])]
    given, of_most = int(want[most]), int(budget[most])
    allowed, of_least = int(high[least]), int(budget[least])
    if (given - off) * of_least <= allowed * of_most:
        return None
    return Breach(given, allowed * of_most // of_least + off)


def _greatest(over: U64, under: U64) -> int:
    """First place of the greatest fraction ``over / under``; exact."""
    part = over.astype(np.float64) / under.astype(np.float64)
    place = int(np.argmax(part))
    while True:
        above, same = _compared(over, under, place)
        if not above.any():
            return int(np.argmax(same))
        # Each round finds a greater fraction: doubles only say which one to try.
        place = int(np.argmax(np.where(above, part, -1.0)))


def _compared(over: U64, under: U64, place: int) -> tuple[Mask, Mask]:
    """Which fractions are above the one at ``place``, and which are equal to it."""
    left, left_beyond = multiply_wide(over, under[place : place + 1])
    right, right_beyond = multiply_wide(over[place : place + 1], under)
    level = left_beyond == right_beyond
    return (left_beyond > right_beyond) | level & (left > right), level & (left == right)
