"""The dual of rationing in floats: one omega for each asset, concave and piecewise quadratic.

omega_i is positive where the lower bound of asset i binds, negative where the upper one does, else
zero. :meth:`Dual.solve` climbs by Newton steps with an exact line search, since the slope along a
step is piecewise linear. ``ration_settle`` makes integers of what it finds. Values are in $M at
reference prices. Source: ``docs/clearing.md`` section 4. Letters: ``docs/glossary.md``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from convexfx_core.clearing.problem import F64, I64, Mask, Problem, grouped_sum

NEWTON_STEPS_MAX: Final = 200
"""Bound of the search; ``ration_settle`` starts from whatever stands at its end."""


@dataclass(frozen=True, slots=True)
class Box:
    """Bounds, and how near to them rounding can come, base units."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    slack: tuple[int, ...]


class Dual:
    """Concave piecewise quadratic dual in omega, $M at reference prices.

    ``volume`` f64[P] are the demanded payments of the directed pairs ``pairs``, base units.
    """

    def __init__(
        self, problem: Problem, prices: tuple[int, ...], pairs: I64, volume: F64, box: Box
    ) -> None:
        market, case = problem.market, problem.case
        n = market.n
        unit = market.unit_value / problem.quantum
        self.n, self.pay, self.receive = n, pairs // n, pairs % n
        log = np.array(prices, dtype=np.float64) / np.array(case.reference.pbar, dtype=np.float64)
        # What a pair receives for what it pays, both at reference prices.
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
        """Derivative (n, n) of the change in inventory by omega, over pairs not at a clip.

        A pair exactly at h = 0 counts where one of its assets is ``free`` to move: at omega = 0 all
        pairs stand there, and without them no first step would exist.
        """
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
        # Rounding of the sums; integers decide the rest.
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
            # An asset whose pairs are all clipped has no curvature: a ridge keeps the step finite.
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
        # Beyond the last kink the slope is one line, which any second point gives.
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
