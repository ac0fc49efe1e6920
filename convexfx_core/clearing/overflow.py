"""Overflow at the bands, from the integers that are already decided.

A float overflow and a float price come from one solution, and their last digits differ between
machines. Once prices and demanded fills are integers, the price rule of the assets at their band is
a small linear system whose right side everybody computes alike.
"""

import numpy as np

from convexfx_core.clearing.flows import grouped_total
from convexfx_core.clearing.problem import U64, Problem
from convexfx_core.clearing.rounding import Rates
from convexfx_core.units import LOG_SHIFT, MILLION_EXPONENT, PRICE_SHIFT, log_ratio


def settle_overflow(
    problem: Problem,
    prices: tuple[int, ...],
    rates: Rates,
    demanded: U64,
    overflow: tuple[int, ...],
) -> tuple[int, ...]:
    """Overflow (n, numeraire base units) that the price rule wants at these prices and fills.

    ``overflow`` says which assets stand at their band and on which side; an asset whose value
    comes out on the other side has none.
    """
    impact = problem.market.impact
    pinned = [i for i, v in enumerate(overflow) if v and impact[i, i] > 0.0]
    if not pinned:
        return (0,) * len(overflow)
    million = 10 ** (MILLION_EXPONENT + problem.case.params.decimals[0])
    value = np.array(_values(problem, rates, demanded), dtype=np.float64) / million
    reference = problem.case.reference.pbar
    logs = [log_ratio(prices[i], reference[i]) / 2**LOG_SHIFT * 1e4 for i in pinned]
    right = np.array(logs) + (impact @ value)[pinned]
    found = np.linalg.lstsq(impact[np.ix_(pinned, pinned)], right, rcond=None)[0]
    out = [0] * len(overflow)
    for i, amount in zip(pinned, found.tolist(), strict=True):
        whole = round(amount * million)
        out[i] = whole if whole * overflow[i] > 0 else 0
    return tuple(out)


def _values(problem: Problem, rates: Rates, demanded: U64) -> list[int]:
    """Values of inventory above target after the demanded fills, numeraire base units."""
    n, case = problem.market.n, problem.case
    after = [q - t for q, t in zip(case.inventory, case.params.target, strict=True)]
    volume = grouped_total(problem.demand.pair, demanded, n * n)
    gross, shift = rates.gross.tolist(), rates.shift.tolist()
    for pair, amount in enumerate(volume):
        if amount:
            after[pair // n] += amount
            after[pair % n] -= (amount * gross[pair]) >> shift[pair]
    return [(a * p) >> PRICE_SHIFT for a, p in zip(after, case.reference.pbar, strict=True)]
