"""Omega in integers: every inventory on the inner side of its bound, and as near as L10 wants.

L12 wants every inventory inside its bounds to the unit; L10 wants it within ``slack`` of a bound
wherever omega is not zero. The float optimum (``ration_dual``) meets neither to the unit. Newton
steps from it settle nearly everything. Where omega stands on a flat piece of the dual, or one step
of it is more than a bound is wide, the next means are: to aim at places between bound and slack, to
bisect one misplaced inventory after the other (each rises with its own omega), and at last single
steps. Source: ``docs/clearing.md`` section 4. Letters: ``docs/glossary.md``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from convexfx_core.clearing.flows import flows_of, multiply_shift
from convexfx_core.clearing.problem import I64, U64, Problem
from convexfx_core.clearing.ration_dual import Box, Dual
from convexfx_core.clearing.rounding import Rates
from convexfx_core.units import RATION_SHIFT

ONE: Final = 1 << RATION_SHIFT
"""The whole of an order, in the scale of omega and h."""
OMEGA_MAX: Final = 1 << 52
"""2^12 times a whole: beyond it every pair that omega could cut is cut whole."""
NEWTON_STEPS_MAX: Final = 60
"""Newton steps from the float optimum."""
PARTS: Final = (0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7, 0.25, 0.75, 0.2, 0.8)
"""Places between a bound and its slack that are aimed at, where one step of omega moves far."""
AIMED_STEPS: Final = 5
"""Newton steps on floats for one aim."""
AGAIN_MAX: Final = 8
ROUNDS_MAX: Final = 6
SWEEPS_MAX: Final = 40
"""Rounds of bisection and ``AGAIN_MAX`` Newton steps, then rounds of bisection alone."""
STEPS: Final = (1, 2, 3, 5, 8, 13, 21, 34)
"""Lengths of the single steps that are tried at last: short ones, and some to leap a gap."""
WORK_MAX: Final = 400_000_000
"""Orders looked at before a search for omega is given up: half a minute."""
EVALUATIONS_MAX: Final = 12_000
"""Outcomes looked at before it is given up; this is the bound of small batches."""


class _TooLong(Exception):
    """The search looked at as many outcomes as it may."""


@dataclass(slots=True)
class Cutter:
    """What an omega does to a market.

    Attributes
    ----------
    problem, prices, rates, demanded : the market before the cut.
    pairs : directed pairs with demand.
    left : outcomes that a search may still look at.
    """

    problem: Problem
    prices: tuple[int, ...]
    rates: Rates
    demanded: U64
    pairs: I64
    left: int

    def cut(self, omega: list[int]) -> I64:
        """h i64[n*n] at scale 2^40."""
        return cuts(self.problem, self.prices, self.pairs, omega)

    def paid(self, cut: I64) -> U64:
        """Base units that every order pays."""
        pair = self.problem.demand.pair
        keep = (ONE - cut).astype(np.uint64)[pair]
        paid = multiply_shift(self.demanded, keep, np.uint64(RATION_SHIFT))
        paid[paid < self.rates.least[pair]] = 0
        return paid

    def after(self, omega: list[int]) -> list[int]:
        """Inventories, base units."""
        if not self.left:
            raise _TooLong
        self.left -= 1
        return self.after_cut(self.cut(omega))

    def after_cut(self, cut: I64) -> list[int]:
        """Inventories after the cut h i64[n*n], base units."""
        n, pair, rates = self.problem.market.n, self.problem.demand.pair, self.rates
        flows = flows_of(n, pair, self.paid(cut), rates.gross, rates.shift)
        return flows.after(self.problem.case)


def settle(cutter: Cutter, dual: Dual, box: Box, omega: list[int]) -> list[int] | None:
    """Whole omega near ``omega`` with every inventory where the laws want it, or None.

    The means in their order: see the module. It gives up after :data:`WORK_MAX` orders.
    """
    orders = max(1, len(cutter.demanded))
    omega = [min(max(w, -OMEGA_MAX), OMEGA_MAX) for w in omega]
    cutter.left = min(EVALUATIONS_MAX, WORK_MAX // orders)
    try:
        settled, moved = _newton(cutter, dual, box, omega, NEWTON_STEPS_MAX)
        if not settled and (near := _near_aimed(cutter, dual, box, omega)) is not None:
            return near
        # Even rounds start from where bisection ended, odd ones from where Newton did.
        for count in range(ROUNDS_MAX):
            if settled:
                return moved
            omega = _swept(cutter, box, moved if count % 2 else omega)
            settled, moved = _newton(cutter, dual, box, omega, AGAIN_MAX)
        for _ in range(SWEEPS_MAX):
            if settled:
                return moved
            omega = moved = _swept(cutter, box, omega)
            settled = not any(_misses(box, cutter.after(omega), omega))
        return moved if settled else _stepped(cutter, box, omega)
    except _TooLong:
        return None


def cuts(problem: Problem, prices: tuple[int, ...], pairs: I64, omega: list[int]) -> I64:
    """h of the directed pairs ``pairs`` as a table i64[n*n], scale 2^40."""
    n, pbar = problem.market.n, problem.case.reference.pbar
    table = np.zeros(n * n, dtype=np.int64)
    for pair in pairs.tolist():
        i, j = divmod(pair, n)
        rho = ((prices[i] * pbar[j]) << RATION_SHIFT) // (pbar[i] * prices[j])
        table[pair] = min(max(((rho * omega[j]) >> RATION_SHIFT) - omega[i], 0), ONE)
    return table


def _newton(
    cutter: Cutter, dual: Dual, box: Box, omega: list[int], most: int
) -> tuple[bool, list[int]]:
    """Newton steps on the integers, shortened where they jump across; whether they settled."""
    length, before = 1.0, [0] * len(omega)
    for _ in range(most):
        miss = _misses(box, cutter.after(omega), omega)
        if not any(miss):
            return True, omega
        # A miss that changes its sign was jumped across: half steps, until they lengthen again.
        flipped = any(a * b < 0 for a, b in zip(miss, before, strict=True))
        length, before = length * 0.5 if flipped else min(1.0, length * 1.5), miss
        omega = _nudged(dual, omega, miss, length)
    return False, omega


def _near_aimed(cutter: Cutter, dual: Dual, box: Box, omega: list[int]) -> list[int] | None:
    """Omega by single steps from the best of those that aim inside the slacks, or None."""
    tried = [aimed(dual, box, omega, part) for part in PARTS]
    apart = [misplaced(cutter, box, near) for near in tried]
    return _stepped(cutter, box, tried[int(np.argmin(apart))])


def aimed(dual: Dual, box: Box, omega: list[int], part: float) -> list[int]:
    """Whole omega nearest to the real one whose inventories lie at ``part`` of their slacks."""
    now = np.array(omega, dtype=np.float64) / ONE
    side = np.sign(now)
    near = [min(s, b - a) for a, b, s in zip(box.low, box.high, box.slack, strict=True)]
    inside = side * part * np.array(near, dtype=np.float64) * dual.unit
    # Just inside the lower bound where omega is positive, just inside the upper one elsewhere.
    goal = np.where(side > 0, dual.low, dual.high) + inside
    active = np.flatnonzero(side)
    for _ in range(AIMED_STEPS):
        curvature = dual.curvature(now, side != 0.0)[np.ix_(active, active)]
        miss = (goal - dual.change(now))[active]
        now[active] += np.linalg.lstsq(curvature, miss, rcond=1e-9)[0]
        now = np.where(now * side > 0.0, now, 0.0)
    return [min(max(round(w * ONE), -OMEGA_MAX), OMEGA_MAX) for w in now.tolist()]


def _swept(cutter: Cutter, box: Box, omega: list[int]) -> list[int]:
    """Omega after one misplaced inventory after the other was put at its bound."""
    for k in np.flatnonzero(_misses(box, cutter.after(omega), omega)).tolist():
        omega = _bisected(cutter, box, omega, k)
    return omega


def _bisected(cutter: Cutter, box: Box, omega: list[int], k: int) -> list[int]:
    """Omega whose component k is the least that brings inventory k inside its bounds."""

    def at(w: int) -> list[int]:
        return [*omega[:k], w, *omega[k + 1 :]]

    # Omega 0 where that is enough: L10 asks nothing of an asset without an omega.
    free = cutter.after(at(0))[k]
    if box.low[k] <= free <= box.high[k]:
        return at(0)
    # Too little is raised by a positive omega. Double it until inside, then bisect.
    side = 1 if free < box.low[k] else -1
    outside, inside = 0, max(1, side * omega[k])
    while inside < OMEGA_MAX and not _inward(box, k, side, cutter.after(at(side * inside))[k]):
        outside, inside = inside, 2 * inside
    while inside - outside > 1:
        middle = (inside + outside) // 2
        if _inward(box, k, side, cutter.after(at(side * middle))[k]):
            inside = middle
        else:
            outside = middle
    return at(side * inside)


def _inward(box: Box, k: int, side: int, held: int) -> bool:
    return held >= box.low[k] if side > 0 else held <= box.high[k]


def _stepped(cutter: Cutter, box: Box, omega: list[int]) -> list[int] | None:
    """Omega after single steps, each the one that leaves the inventories least misplaced."""
    worst = misplaced(cutter, box, omega)
    while worst > 0.0:
        tried = [(misplaced(cutter, box, step), step) for step in _neighbours(omega)]
        least, step = min(tried)
        if least >= worst:
            return None
        worst, omega = least, step
    return omega


def _neighbours(omega: list[int]) -> Iterable[list[int]]:
    for k, w in enumerate(omega):
        for by in STEPS:
            yield [*omega[:k], w + by, *omega[k + 1 :]]
            yield [*omega[:k], w - by, *omega[k + 1 :]]


def misplaced(cutter: Cutter, box: Box, omega: list[int]) -> float:
    """How far the inventories are from where the laws want them, in their slacks."""
    total = 0.0
    rows = zip(box.low, box.high, box.slack, omega, cutter.after(omega), strict=True)
    for low, high, slack, w, q in rows:
        least = high - slack if w < 0 else low
        most = low + slack if w > 0 else high
        # Outside a bound, or further from it than the slack; 0 where the laws hold.
        total += max(low - q, least - q, q - high, q - most, 0) / slack
    return total


def _misses(box: Box, after: list[int], omega: list[int]) -> list[int]:
    """By how much each inventory should rise (base units) to lie well inside its tolerance."""
    out = []
    for k, q in enumerate(after):
        low, high = box.low[k], box.high[k]
        near = min(box.slack[k], high - low)  # and the middle of that is aimed at
        if omega[k] > 0 or (omega[k] == 0 and q < low):
            high, target = low + near, low + near // 2
        elif omega[k] < 0 or q > high:
            low, target = high - near, high - near // 2
        else:
            target = q
        out.append(0 if low <= q <= high else target - q)
    return out


def _nudged(dual: Dual, omega: list[int], miss: list[int], length: float) -> list[int]:
    """Omega after a Newton step of a given length; shorter steps find a gap between jumps.

    No omega changes its sign: it stops at 0. One whose inventory is off moves by one at least.
    """
    now = np.array(omega, dtype=np.float64) / ONE
    want = np.array(miss, dtype=np.float64) * dual.unit
    active = np.flatnonzero((np.array(omega) != 0) | (want != 0.0))
    curvature = dual.curvature(now, want != 0.0)[np.ix_(active, active)]
    # An asset on a flat piece of the dual has no curvature: its flow stands in for it.
    stiff = np.diag(curvature) <= 1e-9 * dual.touching[active]
    curvature += np.diag(np.where(stiff, 1.0, 1e-9) * dual.touching[active])
    step = np.linalg.lstsq(curvature, want[active], rcond=1e-6)[0] * (length * ONE)
    out = list(omega)
    for k, raw in zip(active.tolist(), step.tolist(), strict=True):
        move = round(min(max(raw, -ONE), ONE))
        if move == 0 and miss[k]:
            move = 1 if miss[k] > 0 else -1
        sign = (out[k] > 0) - (out[k] < 0) or (1 if miss[k] > 0 else -1)
        most = min(abs(out[k] + move), OMEGA_MAX) if (out[k] + move) * sign > 0 else 0
        out[k] = sign * most
    return out
