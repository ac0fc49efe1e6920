"""Rationing at inventory bounds: the smallest proportional cut per directed pair, prices fixed.

min sum V_p h_p^2 / 2 with the inventory inside its bounds; its dual has one omega for each asset
and h_ij = clip(rho_ij omega_j - omega_i, 0, 1). Floats find omega; integers at scale 2^40 then
settle every inventory on the inner side of its bound. Source: ``docs/spec.md`` section 7.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from convexfx_core.clearing.flows import Flows, flows_of, grouped_total, multiply_shift
from convexfx_core.clearing.problem import F64, I64, U64, Mask, Problem, grouped_sum
from convexfx_core.clearing.rounding import Rates
from convexfx_core.errors import ClearingCode, ClearingRefused
from convexfx_core.units import RATION_SHIFT

ONE: Final = 1 << RATION_SHIFT
NEWTON_STEPS_MAX: Final = 200
INTEGER_STEPS_MAX: Final = 60


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


@dataclass(frozen=True, slots=True)
class _Box:
    """Bounds, and how near to them rounding can come, base units."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    slack: tuple[int, ...]


def ration(
    problem: Problem, prices: tuple[int, ...], rates: Rates, demanded: U64
) -> Rationed | None:
    """Cut demanded fills so that every inventory stays inside its bounds.

    Returns None when no bound binds. An opening inventory outside its bounds may not move further
    out. Raises ``RATION_FAILED`` if the integers do not settle.
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
    dual = _Dual(problem, prices, pairs, volume[pairs], box)
    omega = [round(w * ONE) for w in dual.solve().tolist()]
    return _settle(problem, prices, rates, demanded, box, dual, omega)


def bounds(problem: Problem) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Least and largest inventory of each asset; an opening outside may stay where it is."""
    params, held = problem.case.params, problem.case.inventory
    low = tuple(min(b, q) for b, q in zip(params.q_min, held, strict=True))
    return low, tuple(max(b, q) for b, q in zip(params.q_max, held, strict=True))


def _surely_inside(problem: Problem, rates: Rates, demanded: U64) -> bool:
    """Whether floats alone show that no bound binds, every rounding counted."""
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


def _box(problem: Problem, rates: Rates, demanded: U64, wanted: Flows) -> _Box:
    return _Box(*bounds(problem), rounding_slack(problem, rates, demanded, wanted))


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


def _inside(box: _Box, after: list[int]) -> bool:
    return all(a <= q <= b for a, q, b in zip(box.low, after, box.high, strict=True))


class _Dual:
    """Concave piecewise quadratic dual in omega, $M at reference prices."""

    def __init__(
        self, problem: Problem, prices: tuple[int, ...], pairs: I64, volume: F64, box: _Box
    ) -> None:
        market, case = problem.market, problem.case
        n = market.n
        unit = market.unit_value / problem.quantum
        self.n, self.pay, self.receive = n, pairs // n, pairs % n
        log = np.array(prices, dtype=np.float64) / np.array(case.reference.pbar, dtype=np.float64)
        self.rho = log[self.pay] / log[self.receive]
        self.volume = volume * unit[self.pay]
        paid = grouped_sum(self.pay, self.volume, n)
        self.touching = paid + grouped_sum(self.receive, self.volume, n) + unit
        self.unit = unit
        sides = zip(box.low, box.high, case.inventory, strict=True)
        gaps = np.array([(float(a - q), float(b - q)) for a, b, q in sides])
        self.low, self.high = gaps[:, 0] * unit, gaps[:, 1] * unit

    def pull(self, omega: F64) -> F64:
        """rho omega_j - omega_i for each pair."""
        out: F64 = self.rho * omega[self.receive] - omega[self.pay]
        return out

    def change(self, omega: F64) -> F64:
        """Change of inventory (n,), $M."""
        kept = self.volume * (1.0 - np.clip(self.pull(omega), 0.0, 1.0))
        paid = grouped_sum(self.pay, kept, self.n)
        return paid - grouped_sum(self.receive, self.rho * kept, self.n)

    def curvature(self, omega: F64, free: Mask) -> F64:
        """Derivative (n, n) of the change in inventory by omega, over pairs not at a clip."""
        pull = self.pull(omega)
        loose = (pull < 1.0) & ((pull > 0.0) | ((pull == 0.0) & self._touched(free)))
        weight = np.where(loose, self.volume, 0.0)
        rows = np.zeros((len(weight), self.n))
        index = np.arange(len(weight))
        rows[index, self.receive] = self.rho
        rows[index, self.pay] -= 1.0
        out: F64 = rows.T @ (rows * weight[:, None])
        return out

    def _touched(self, free: Mask) -> Mask:
        out: Mask = free[self.receive] | free[self.pay]
        return out

    def solve(self) -> F64:
        """Omega (n,) of the optimum: Newton with exact line search in the orthant of the signs."""
        omega = np.zeros(self.n)
        tolerance = 1e-13 * float(self.volume.sum())
        for _ in range(NEWTON_STEPS_MAX):
            sign, slope = self._slope(omega, tolerance)
            if np.abs(slope).max(initial=0.0) <= tolerance:
                return omega
            step = self._direction(omega, sign, slope)
            moved = self._search(omega, step, sign)
            if np.array_equal(moved, omega):
                return omega
            omega = moved
        return omega

    def _slope(self, omega: F64, tolerance: float) -> tuple[F64, F64]:
        """Sign of each omega (or the one it may take), and slope of the dual along it."""
        change = self.change(omega)
        below, above = self.low - change, self.high - change
        sign = np.sign(omega)
        sign[(omega == 0.0) & (below > tolerance)] = 1.0
        sign[(omega == 0.0) & (above < -tolerance)] = -1.0
        slope = np.where(sign > 0, below, np.where(sign < 0, above, 0.0))
        return sign, slope

    def _direction(self, omega: F64, sign: F64, slope: F64) -> F64:
        """Newton direction (n,) that takes no omega from zero to its wrong side."""
        active = sign != 0.0
        while True:
            some = np.flatnonzero(active)
            curvature = self.curvature(omega, active)[np.ix_(some, some)]
            curvature += np.diag(1e-9 * self.touching[some])
            step = np.zeros(self.n)
            step[some] = np.linalg.solve(curvature, slope[some])
            wrong = (omega == 0.0) & (step * sign < 0.0)
            if not wrong.any():
                return step
            active &= ~wrong

    def _search(self, omega: F64, step: F64, sign: F64) -> F64:
        """Exact maximum along a step, no further than where the first omega becomes zero.

        The slope along the step is piecewise linear; its kinks are where a pair's cut becomes 0
        or 1.
        """
        shrinks = (omega != 0.0) & (step * sign < 0.0)
        ends = np.full(self.n, np.inf)
        np.divide(-omega, step, out=ends, where=shrinks)
        end, last = float(ends.min()), int(ends.argmin())
        pull, along = self.pull(omega), self.pull(step)
        moving = along != 0.0
        kinks = np.concatenate((-pull[moving], 1.0 - pull[moving])) / np.tile(along[moving], 2)
        kinks = np.unique(np.append(kinks[(kinks > 0.0) & (kinks < end)], 0.0))
        if np.isfinite(end) and self._rise(omega + end * step, step, sign) >= 0.0:
            moved = omega + end * step
            moved[last] = 0.0
            return moved
        low, high = 0, len(kinks)
        while high - low > 1:
            middle = (low + high) // 2
            rising = self._rise(omega + kinks[middle] * step, step, sign) >= 0.0
            low, high = (middle, high) if rising else (low, middle)
        start = float(kinks[low])
        stop = float(kinks[high]) if high < len(kinks) else min(end, start + 1.0)
        first = self._rise(omega + start * step, step, sign)
        fall = first - self._rise(omega + stop * step, step, sign)
        length = start + (stop - start) * first / fall if fall > 0.0 else stop
        return np.asarray(omega + length * step, dtype=np.float64)

    def _rise(self, omega: F64, step: F64, sign: F64) -> float:
        """Slope of the dual along a step."""
        change = self.change(omega)
        bound = np.where(sign > 0, self.low, np.where(sign < 0, self.high, change))
        return float((bound - change) @ step)


def cuts(problem: Problem, prices: tuple[int, ...], pairs: I64, omega: list[int]) -> I64:
    """h of the directed pairs ``pairs`` as a table i64[n*n], scale 2^40."""
    n, pbar = problem.market.n, problem.case.reference.pbar
    table = np.zeros(n * n, dtype=np.int64)
    for pair in pairs.tolist():
        i, j = divmod(pair, n)
        rho = ((prices[i] * pbar[j]) << RATION_SHIFT) // (pbar[i] * prices[j])
        table[pair] = min(max(((rho * omega[j]) >> RATION_SHIFT) - omega[i], 0), ONE)
    return table


def _paid(rates: Rates, pair: I64, demanded: U64, cut: I64) -> U64:
    keep = (ONE - cut).astype(np.uint64)[pair]
    paid = multiply_shift(demanded, keep, np.uint64(RATION_SHIFT))
    paid[paid < rates.least[pair]] = 0
    return paid


def _settle(
    problem: Problem,
    prices: tuple[int, ...],
    rates: Rates,
    demanded: U64,
    box: _Box,
    dual: _Dual,
    omega: list[int],
) -> Rationed:
    """Move omega by whole steps until every inventory lies where the laws want it."""
    case, n = problem.case, problem.market.n
    pair = problem.demand.pair
    pairs = dual.pay * n + dual.receive
    length, before = 1.0, [0] * n
    for _ in range(INTEGER_STEPS_MAX):
        cut = cuts(problem, prices, pairs, omega)
        paid = _paid(rates, pair, demanded, cut)
        flow = flows_of(n, pair, paid, rates.gross, rates.shift)
        miss = _misses(box, flow.after(case), omega)
        if not any(miss):
            return Rationed(tuple(omega), paid, cut)
        flipped = any(a * b < 0 for a, b in zip(miss, before, strict=True))
        length, before = length * 0.5 if flipped else min(1.0, length * 1.5), miss
        omega = _nudged(dual, omega, miss, length)
    raise ClearingRefused(
        ClearingCode.RATION_FAILED, "inventory bounds", "a cut that meets them", omega
    )


def _misses(box: _Box, after: list[int], omega: list[int]) -> list[int]:
    """By how much each inventory should rise (base units) to lie well inside its tolerance."""
    out = []
    for k, q in enumerate(after):
        low, high, slack = box.low[k], box.high[k], box.slack[k]
        off = q < low or q > high
        if omega[k] > 0 or (omega[k] == 0 and q < low):
            off = off or q - low > slack
            out.append(low + slack // 2 - q if off else 0)
        elif omega[k] < 0 or q > high:
            off = off or high - q > slack
            out.append(high - slack // 2 - q if off else 0)
        else:
            out.append(0)
    return out


def _nudged(dual: _Dual, omega: list[int], miss: list[int], length: float) -> list[int]:
    """Omega after a Newton step of a given length; shorter steps find a gap between jumps."""
    now = np.array(omega, dtype=np.float64) / ONE
    want = np.array(miss, dtype=np.float64) * dual.unit
    active = np.flatnonzero((np.array(omega) != 0) | (want != 0.0))
    curvature = dual.curvature(now, want != 0.0)[np.ix_(active, active)]
    stiff = np.diag(curvature) <= 1e-9 * dual.touching[active]
    curvature += np.diag(np.where(stiff, 1.0, 1e-9) * dual.touching[active])
    step = np.linalg.lstsq(curvature, want[active], rcond=1e-6)[0] * (length * ONE)
    out = list(omega)
    for k, raw in zip(active.tolist(), step.tolist(), strict=True):
        move = round(min(max(raw, -ONE), ONE))
        if move == 0 and miss[k]:
            move = 1 if miss[k] > 0 else -1
        sign = (out[k] > 0) - (out[k] < 0) or (1 if miss[k] > 0 else -1)
        out[k] = max(out[k] + move, 0) if sign > 0 else min(out[k] + move, 0)
    return out
