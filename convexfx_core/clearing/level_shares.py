"""How orders at the price share a volume: better limits first, equal limits pro rata, in integers.

L20 asks for just this of the orders that L4 leaves open. ``rounding`` says how much there is to
share; here stands who gets it. Amounts are base units of the pay asset, limits are least net rates
l of one pair. Letters: ``docs/glossary.md``.
"""

from bisect import bisect_right
from typing import Final

import numpy as np

from convexfx_core.arithmetic.columns import HALF, LOW, multiply_wide
from convexfx_core.clearing.problem import U64
from convexfx_core.units import ceil_div

PART_SHIFT: Final = 62
"""Scale of the part that each order gets: a budget below 2^62 times it has one unit to lose."""
_PART, _BEYOND = np.uint64(PART_SHIFT), np.uint64(64 - PART_SHIFT)


def exact_sum(amounts: U64) -> int:
    """Sum of up to 2^24 amounts, whatever it is."""
    return (int((amounts >> HALF).sum()) << 32) + int((amounts & LOW).sum())


def share_by_limit(total: int, limit: U64, budget: U64, least: int, grain: int) -> U64:
    """Share ``total`` base units among orders of one pair, better limits (smaller l) first.

    Orders of equal limits share what is left for them, :func:`share_level`. All columns in
    canonical order; the result too.
    """
    order = np.argsort(limit, kind="stable")
    ahead, sizes = limit[order], budget[order]
    low, high = np.cumsum(sizes & LOW), np.cumsum(sizes >> HALF)

    def served(count: int) -> int:
        """Budgets of the first ``count`` orders."""
        return (int(high[count - 1]) << 32) + int(low[count - 1]) if count else 0

    count = bisect_right(range(1, len(order) + 1), total, key=served)
    out = np.zeros_like(budget)
    if count < len(order):
        count = int(np.searchsorted(ahead, ahead[count]))
        end = int(np.searchsorted(ahead, ahead[count], side="right"))
        same = order[count:end]
        out[same] = share_level(total - served(count), budget[same], least, grain)
    out[order[:count]] = sizes[:count]
    return out


def share_level(total: int, budget: U64, least: int, grain: int) -> U64:
    """Share ``total`` base units among the orders of a level.

    Each gets its part pro rata, rounded down to whole grains. What that leaves goes to the first
    orders, a grain each (or the rest of a budget). An order whose part is below ``least``, the
    smallest payment that receives something, gets nothing pro rata, and then ``least`` in grains.

    Returns
    -------
    u64[m], each a multiple of ``grain`` or the whole budget, with a sum of at most ``total`` and
    above it minus one grain (minus one ``least`` where that is larger), or the level's budgets.
    """
    if len(budget) == 0:
        return budget.copy()
    unit, offered = np.uint64(grain), exact_sum(budget)
    ratio = min(1 << PART_SHIFT, (total << PART_SHIFT) // offered)
    low, high = multiply_wide(budget, np.full_like(budget, ratio))
    shared = (high << _BEYOND) | (low >> _PART)
    out: U64 = shared // unit * unit
    out[out < least] = 0
    start = np.uint64(ceil_div(max(least, 1), grain) * grain)
    step = np.minimum(np.where(out > 0, unit, start), budget - out)
    step[(out == 0) & (step < least)] = 0
    rest = total - exact_sum(out)
    given = np.cumsum(step.astype(np.float64)) <= rest
    out[given] += step[given]
    return out
