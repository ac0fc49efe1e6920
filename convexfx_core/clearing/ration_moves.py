"""Rationing where no omega in integers meets the bounds at the rounded prices.

One step of omega (2^-40) moves an inventory by many units once its flow is beyond 2^40 units. Where
all traded assets open at their bounds there is no room for that. Prices have some: the tolerance of
the price rule is 2^10 steps of their grid. So prices move inside it, as far as no limit notices,
together with omega. ``ladder`` asks for this only after ``ration`` failed, and takes the answer
only if every fill stays what it is. The tries are pseudo-random with a fixed seed: the same batch
has the same answer. Source: ``docs/clearing.md`` section 4. Letters: ``docs/glossary.md``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from convexfx_core.clearing.flows import grouped_total
from convexfx_core.clearing.problem import F64, I64, U64, Problem
from convexfx_core.clearing.ration import Rationed, bounds, box_of
from convexfx_core.clearing.ration_dual import Box, Dual
from convexfx_core.clearing.ration_settle import ONE, Cutter, aimed, misplaced
from convexfx_core.clearing.rounding import PRICE_BITS, Rates, least_rates, rates_of
from convexfx_core.units import LIMIT_SLACK_SHIFT

MOVE_MAX: Final = 600
"""Steps of the price grid (2^-46) that a price may move; the tolerance of its rule is 2^10."""
MARKETS_MAX: Final = 4_000
"""Markets at other prices that are looked at."""
WORK_MAX: Final = 40_000_000
"""Orders looked at in all of them: some ten seconds."""
AIMS: Final = 3
"""Steps of prices that follow each other for one omega."""
NEAR_PARTS: Final = (0.003, 0.3)
"""Places inside the slack that are aimed at; near the bound, what one asset gains another loses."""
_KEPT: Final = 0.9
"""Part of the way to the nearest limit that prices may go."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Prices and cut that meet the bounds together."""

    prices: tuple[int, ...]
    rates: Rates
    rationed: Rationed


class _Search:
    """Tries prices at random, aims omega at the bounds there, then lets prices close the rest."""

    def __init__(self, problem: Problem, prices: tuple[int, ...], demanded: U64, room: I64) -> None:
        n, pair = problem.market.n, problem.demand.pair
        self.problem, self.prices, self.demanded, self.room = problem, prices, demanded, room
        self.used, self.free = np.flatnonzero(np.bincount(pair)), np.flatnonzero(room)
        self.volume = np.array(grouped_total(pair, demanded, n * n), dtype=np.float64)
        self.value = problem.market.unit_value / problem.quantum
        self.first: list[int] = []
        self.left = min(MARKETS_MAX, WORK_MAX // max(1, len(demanded)))

    def cutter(self, steps: I64) -> Cutter:
        """The market at prices that took ``steps`` (n) of their grids."""
        self.left -= 1
        grids = zip(self.prices, steps.tolist(), strict=True)
        prices = tuple(p + (s << max(0, p.bit_length() - PRICE_BITS)) for p, s in grids)
        rates = rates_of(self.problem.case, prices, self.used)
        pairs = np.flatnonzero(self.volume)
        return Cutter(self.problem, prices, rates, self.demanded, pairs, 2)

    def near(self, steps: I64, part: float) -> Moved | None:
        """Prices near ``steps`` and an omega that meet the bounds; aims at a part of the slack."""
        cutter = self.cutter(steps)
        box = box_of(self.problem, cutter.rates, self.demanded)
        dual = Dual(self.problem, cutter.prices, cutter.pairs, self.volume[cutter.pairs], box)
        self.first = self.first or [round(w * ONE) for w in dual.solve().tolist()]
        omega = aimed(dual, box, self.first, part)
        slope: F64 | None = None
        for _ in range(AIMS):
            if misplaced(cutter, box, omega) == 0.0:
                cut = cutter.cut(omega)
                return Moved(
                    cutter.prices, cutter.rates, Rationed(tuple(omega), cutter.paid(cut), cut)
                )
            slope = self.slope(cutter, omega, steps) if slope is None else slope
            steps = steps + self.lead(slope, self.above(cutter, cutter.cut(omega), omega), box)
            steps = np.clip(steps, -self.room, self.room)
            cutter = self.cutter(steps)
        return None

    def above(self, cutter: Cutter, cut: I64, omega: list[int]) -> F64:
        """How far each inventory (n) is inside its bound after ``cut``, base units."""
        rows = zip(omega, cutter.after_cut(cut), *bounds(self.problem), strict=True)
        return np.array([float(high - q if w < 0 else q - low) for w, q, low, high in rows])

    def slope(self, cutter: Cutter, omega: list[int], steps: I64) -> F64:
        """What a step of each free price does to each inventory (n, m) while the cut stays."""
        cut = cutter.cut(omega)
        origin, columns = self.above(cutter, cut, omega), []
        for k in self.free.tolist():
            # As wide as the room and inward, so that floors of single units do not matter.
            by = self.room[k] if steps[k] <= 0 else -self.room[k]
            moved = steps.copy()
            moved[k] += by
            columns.append((self.above(self.cutter(moved), cut, omega) - origin) / by)
        return np.array(columns).T

    def lead(self, slope: F64, lies: F64, box: Box) -> I64:
        """Steps (n) that bring every inventory near its bound to the same small value inside it."""
        # A value that is lost in one asset is gained in another: what all have to spare is shared.
        near = np.abs(lies) <= 2.0 * np.array(box.slack, dtype=np.float64)
        spare = max(0.0, float(lies[near] @ self.value[near])) / max(1, int(near.sum()))
        miss = spare / self.value[near] - lies[near]
        out = np.zeros_like(self.room)
        weight = self.value[near]
        found = np.linalg.lstsq(slope[near] * weight[:, None], miss * weight, rcond=1e-9)[0]
        out[self.free] = np.rint(np.clip(found, -4.0 * MOVE_MAX, 4.0 * MOVE_MAX))
        return out


def rationed_at_moved_prices(
    problem: Problem, prices: tuple[int, ...], rates: Rates, demanded: U64
) -> Moved | None:
    """Prices near ``prices`` at which some omega meets the bounds with the same ``demanded``."""
    room = _room(problem, prices, rates, demanded)
    if not room.any():
        return None
    search, noise = _Search(problem, prices, demanded, room), np.random.default_rng(0)
    while search.left > 0:
        steps = noise.integers(-room, room + 1)
        for part in NEAR_PARTS:
            if (found := search.near(steps, part)) is not None:
                return found
    return None


def _room(problem: Problem, prices: tuple[int, ...], rates: Rates, demanded: U64) -> I64:
    """Steps that each price (n,) may take: no limit is crossed, and band edges stay."""
    everybody, pair = np.arange(len(demanded)), problem.demand.pair
    net = rates.net[pair].astype(np.float64)
    # Who trades may not fall below the limit (L2); who is short may not get past the slack (L4).
    beyond = net - least_rates(problem, rates, everybody).astype(np.float64)
    short = demanded < problem.budget
    above = np.where(demanded > 0, beyond, np.inf)
    below = np.where(short, net * 2.0**-LIMIT_SLACK_SHIFT - beyond, np.inf)
    margin = np.minimum(above, below) / np.maximum(net, 1.0)
    taking_part = np.isfinite(problem.demand.limit) & (net > 0.0)
    nearest = float(margin[taking_part].min(initial=np.inf))
    # Two prices that part by a step each move the rate by 2^-45 or somewhat more.
    most = int(min(MOVE_MAX, max(0.0, _KEPT * nearest * 2.0 ** (PRICE_BITS - 1))))
    reference = problem.case.reference
    edges = zip(prices, reference.plo, reference.phi, strict=True)
    # A price at an edge of its band, or within 2^-37 of it (512 steps), stays.
    inside = [
        low < price - (price >> 37) and price + (price >> 37) < high for price, low, high in edges
    ]
    return np.where(inside, most, 0)
