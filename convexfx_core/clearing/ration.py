"""Rationing at inventory bounds: the smallest proportional cut per directed pair, prices fixed.

If the demanded fills would leave a bound of the pool's inventory, everybody on a directed pair is
cut by the same part h: min sum V_p h_p^2 / 2 with the inventory inside its bounds. The dual of this
programme has one omega for each asset, and h_ij = clip(rho_ij omega_j - omega_i, 0, 1). Floats find
omega (``ration_dual``); integers at scale 2^40 then settle every inventory on the inner side of its
bound (``ration_settle``). ``ladder`` calls it once prices and demanded fills are integers; the laws
L10 and L12 check the outcome. Source: ``docs/spec.md`` section 7 and ``docs/clearing.md`` section
4. Letters: ``docs/glossary.md``.
"""

from dataclasses import dataclass

import numpy as np

from convexfx_core.clearing.flows import Flows, flows_of, grouped_total
from convexfx_core.clearing.problem import I64, U64, Problem, grouped_sum
from convexfx_core.clearing.ration_dual import Box, Dual
from convexfx_core.clearing.ration_settle import ONE, Cutter, settle
from convexfx_core.clearing.rounding import Rates
from convexfx_core.errors import ClearingCode, ClearingRefused


@dataclass(frozen=True, slots=True)
class Rationed:
    """Fills after rationing.

    Attributes
    ----------
    omega : n integers at scale 2^40.
    paid : u64[K] base units.
    cut : i64[n*n] h of every directed pair at scale 2^40.
    """

    omega: tuple[int, ...]
    paid: U64
    cut: I64


def ration(
    problem: Problem, prices: tuple[int, ...], rates: Rates, demanded: U64
) -> Rationed | None:
    """Cut demanded fills so that every inventory stays inside its bounds.

    Returns None when no bound binds. An opening inventory outside its bounds may not move further
    out.

    Raises
    ------
    ClearingRefused
        ``RATION_FAILED`` if no whole omega is found that meets the bounds.
    """
    case, n = problem.case, problem.market.n
    pair = problem.demand.pair
    if _surely_inside(problem, rates, demanded):
        return None
    wanted = flows_of(n, pair, demanded, rates.gross, rates.shift)
    box = _box(problem, rates, demanded, wanted)
    if _inside(box, wanted.after(case)):
        return None
    volume = np.array(grouped_total(pair, demanded, n * n), dtype=np.float64)
    pairs = np.flatnonzero(volume)
    dual = Dual(problem, prices, pairs, volume[pairs], box)
    cutter = Cutter(problem, prices, rates, demanded, pairs, 0)
    omega = settle(cutter, dual, box, [round(w * ONE) for w in dual.solve().tolist()])
    if omega is None:
        raise _no_cut(box, problem.case.inventory)
    cut = cutter.cut(omega)
    return Rationed(tuple(omega), cutter.paid(cut), cut)


def _no_cut(box: Box, held: tuple[int, ...]) -> ClearingRefused:
    """The refusal; it names the traded asset whose bounds are narrowest against its rounding."""
    # The slack of an asset that nobody trades is the one unit that every asset has.
    traded = [k for k, slack in enumerate(box.slack) if slack > 1]
    asset = min(traded, key=lambda k: (box.high[k] - box.low[k]) / box.slack[k])
    width, slack = box.high[asset] - box.low[asset], box.slack[asset]
    found = f"asset {asset}: {width} units wide, and its fills round to {slack}"
    if width > 2 * slack:
        found = "no whole steps of omega (2^-40) and of prices that meet all of them at once"
    if all(box.high[k] - held[k] < box.slack[k] for k in traded):
        found = "no traded asset with room to rise"
    elif all(held[k] - box.low[k] < box.slack[k] for k in traded):
        found = "no traded asset with room to fall"
    return ClearingRefused(
        ClearingCode.RATION_FAILED, "inventory bounds", "a cut that meets them", found
    )


def bounds(problem: Problem) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Least and largest inventory of each asset; an opening outside may stay where it is."""
    params, held = problem.case.params, problem.case.inventory
    low = tuple(min(b, q) for b, q in zip(params.q_min, held, strict=True))
    return low, tuple(max(b, q) for b, q in zip(params.q_max, held, strict=True))


def _surely_inside(problem: Problem, rates: Rates, demanded: U64) -> bool:
    """Whether floats alone show that no bound binds, every rounding counted.

    A quick answer for the usual batch, which is far from every bound. The margin is a unit for the
    floor of each fill, and 1e-9 of the flows for the rounding of their sums.
    """
    n, low_high = problem.market.n, bounds(problem)
    pair = np.arange(n * n)
    volume = grouped_sum(problem.demand.pair, demanded.view(np.int64).astype(np.float64), n * n)
    received = volume * rates.gross.astype(np.float64) * np.exp2(-rates.shift.astype(np.float64))
    into, out = grouped_sum(pair // n, volume, n), grouped_sum(pair % n, received, n)
    margin = len(demanded) + 1e-9 * (into + out)
    held = np.array(problem.case.inventory, dtype=np.float64)
    low, high = (np.array(side, dtype=np.float64) - held for side in low_high)
    change = into - out
    return bool(((change - margin >= low) & (change + margin <= high)).all())


def box_of(problem: Problem, rates: Rates, demanded: U64) -> Box:
    """Bounds and slacks of the inventories for these demanded fills."""
    wanted = flows_of(problem.market.n, problem.demand.pair, demanded, rates.gross, rates.shift)
    return _box(problem, rates, demanded, wanted)


def _box(problem: Problem, rates: Rates, demanded: U64, wanted: Flows) -> Box:
    return Box(*bounds(problem), rounding_slack(problem, rates, demanded, wanted))


def rounding_slack(problem: Problem, rates: Rates, demanded: U64, wanted: Flows) -> tuple[int, ...]:
    """Distance from its bound at which an inventory still counts as being there, base units.

    One step of omega moves an inventory by its demanded flow / 2^40. One unit paid less is R units
    received less, and a fill that would receive nothing is nothing.
    """
    n, pair = problem.market.n, problem.demand.pair
    count = np.bincount(pair[demanded > 0], minlength=n * n).tolist()
    moved = zip(wanted.into, wanted.out, strict=True)
    slack = [1 + 2 * -(-(into + out) // ONE) for into, out in moved]
    for p in np.flatnonzero(count).tolist():
        slack[p // n] += count[p] * (int(rates.least[p]) + 1)
        slack[p % n] += count[p] * ((int(rates.gross[p]) >> int(rates.shift[p])) + 2)
    return tuple(slack)


def _inside(box: Box, after: list[int]) -> bool:
    return all(a <= q <= b for a, q, b in zip(box.low, after, box.high, strict=True))
