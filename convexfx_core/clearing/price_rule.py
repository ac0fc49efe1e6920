"""The price rule in the integers that are already decided: overflow, and prices too coarse.

Once prices and demanded fills are integers (``rounding``), two things are left. The overflow of
assets at their band is solved again: a float overflow has last digits that differ between machines,
while the price rule of those assets is a small linear system whose right side everybody computes
alike. And a clearing whose units are too coarse for the rule is refused before settlement.
Source: ``docs/spec.md`` section 7 and ``docs/invariants.md``, L9. Letters: ``docs/glossary.md``.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from convexfx_core.clearing.flows import grouped_total
from convexfx_core.clearing.problem import F64, U64, Problem
from convexfx_core.clearing.rounding import Rates
from convexfx_core.errors import ClearingCode, ClearingRefused
from convexfx_core.limits import VALUE_MAX
from convexfx_core.units import (
    LOG_SHIFT,
    MILLION_EXPONENT,
    PRICE_SHIFT,
    log_ratio,
    partial_fill_shift,
)

REFINED_MAX: Final = 3
"""Corrections at most: each adds the digits that a double has, and overflow has up to 80 bits."""
REFINED_BPS: Final = 1e-9
"""Overflow is corrected in exact sums where doubles miss the price rule by more than this."""
COARSE_BITS: Final = 46
"""Prices with more bits than the grid are fine enough for every limit."""


def settle_overflow(
    problem: Problem,
    prices: tuple[int, ...],
    rates: Rates,
    demanded: U64,
    overflow: tuple[int, ...],
) -> tuple[int, ...]:
    """Overflow (n, numeraire base units) that the price rule wants at these prices and fills.

    ``overflow`` says which assets stand at their band and on which side. An asset whose value comes
    out on the other side gets none: L8 allows overflow on its own side alone.
    """
    impact = problem.market.impact
    pinned = [i for i, v in enumerate(overflow) if v and impact[i, i] > 0.0]
    if not pinned:
        return (0,) * len(overflow)
    million, values = _million(problem), _values(problem, rates, demanded)
    reference, none = problem.case.reference, [0] * len(overflow)
    logs = _logs(prices, reference.pbar)
    block = impact[np.ix_(pinned, pinned)]
    off = _above_rule(problem, logs, values, none)[pinned]
    found = np.linalg.lstsq(block, off, rcond=None)[0]
    # A band that is one point has both its edges there, so that either side is lawful.
    free = [low == high for low, high in zip(reference.plo, reference.phi, strict=True)]
    out = _added(none, pinned, (found * million).tolist(), overflow, free)
    # A singular block has many answers. Where the least one drops an asset, start from the floats'.
    if any(out[i] == 0 for i in pinned):
        out = list(overflow)
    for _ in range(REFINED_MAX):
        off = _above_rule(problem, logs, values, out)[pinned]
        if np.abs(off).max() <= REFINED_BPS:
            break
        more = np.linalg.lstsq(block, off, rcond=None)[0]
        out = _added(out, pinned, (more * million).tolist(), overflow, free)
    return tuple(out)


def _added(
    start: list[int],
    pinned: list[int],
    more: list[float],
    overflow: tuple[int, ...],
    free: list[bool],
) -> list[int]:
    """Overflow ``start`` with ``more`` (numeraire base units) on the assets ``pinned``.

    An overflow that would change its side becomes 0; where the band is one point, both sides are at
    its edge and it may change.
    """
    out = list(start)
    for i, amount in zip(pinned, more, strict=True):
        whole = start[i] + round(amount)
        out[i] = whole if free[i] or whole * overflow[i] > 0 else 0
    return out


def _million(problem: Problem) -> float:
    """Base units of a million of the numeraire."""
    return float(10 ** (MILLION_EXPONENT + problem.case.params.decimals[0]))


def _logs(prices: tuple[int, ...], reference: tuple[int, ...]) -> F64:
    """Log prices against their references, bps."""
    pairs = zip(prices, reference, strict=True)
    return np.array([log_ratio(p, r) / 2**LOG_SHIFT * 1e4 for p, r in pairs])


def _above_rule(problem: Problem, logs: F64, values: Sequence[int], overflow: Sequence[int]) -> F64:
    """How far log prices (n,) are above the rule, bps; values (n,) less overflow, base units."""
    left = [value - beyond for value, beyond in zip(values, overflow, strict=True)]
    impact = problem.market.impact @ (np.array(left, dtype=np.float64) / _million(problem))
    return np.asarray(logs + impact, dtype=np.float64)


def check_resolution(
    problem: Problem,
    prices: tuple[int, ...],
    rates: Rates,
    demanded: U64,
    overflow: tuple[int, ...],
) -> None:
    """Refuse where units of price or amount are so coarse that a limit cannot be held.

    One unit of a short price is more than the slack of limits, and an order that buys about one
    unit buys it or nothing: such an order at its limit is full or empty, never partly filled, and
    the price rule can be missed by more than its tolerance. Free where everything is fine, and
    silent about values out of range, which a law names.

    Raises
    ------
    ClearingRefused
        ``NO_CERTIFICATE`` with the asset whose price is furthest from its rule.
    """
    # An order that buys fewer than two units cannot be cut to size.
    dust = problem.budget.min(initial=np.iinfo(np.uint64).max) < 2 * rates.least.max(initial=0)
    if min(p.bit_length() for p in prices) > COARSE_BITS and not dust:
        return
    held = zip(_values(problem, rates, demanded), overflow, strict=True)
    if max(abs(value - served) for value, served in held) > VALUE_MAX:
        return
    off = residual_bps(problem, prices, rates, demanded, overflow)
    beyond = np.abs(off) / tolerance_bps(problem, demanded)
    worst = int(beyond.argmax())
    if beyond[worst] > 1.0:
        raise ClearingRefused(
            ClearingCode.NO_CERTIFICATE,
            f"price of asset {worst}",
            "units of price and amount fine enough to hold every limit",
            f"{off[worst]:.3g} bps off the price rule",
        )


def residual_bps(
    problem: Problem,
    prices: tuple[int, ...],
    rates: Rates,
    demanded: U64,
    overflow: tuple[int, ...],
) -> F64:
    """How far each price (n,) is above the price rule, bps; floats of exact sums."""
    logs, values = _logs(prices, problem.case.reference.pbar), _values(problem, rates, demanded)
    return _above_rule(problem, logs, values, overflow)


def tolerance_bps(problem: Problem, demanded: U64) -> F64:
    """Tolerance tau (n,) of the price rule in bps; ``docs/spec.md`` section 7, rows E and tau.

    A unit of the asset and of the numeraire for each fill received; 17/16 of a grain for each
    partial fill, in both its assets; the grid 2^-36 and the last unit of the price.
    """
    n, case, pair = problem.market.n, problem.case, problem.demand.pair
    unit = problem.market.unit_value / problem.quantum
    fills = np.bincount(pair[demanded > 0] % n, minlength=n)
    error = (fills + 1.0) * (unit + unit[0])
    cut = pair[(demanded > 0) & (demanded < problem.budget)]
    grain = np.array([float(1 << partial_fill_shift(d)) for d in case.params.decimals]) * unit
    error += 17.0 / 16.0 * np.bincount(cut // n, grain[cut // n], minlength=n)
    error += 17.0 / 16.0 * np.bincount(cut % n, grain[cut // n], minlength=n)
    own = np.array([2.0**-36 + 1.0 / p for p in case.reference.pbar]) * 1e4
    out: F64 = own + np.abs(problem.market.impact) @ error
    return out


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
