"""NDAS: the exact minimum of the convex piecewise quadratic dual by a dual active set.

This is the inner solver of the clearing: ``scp`` calls it once for each linearisation of exact
conservation. Its state says for every pair how many levels are full and whether the next one is
partly filled (the pair's price is then pinned at that level), and for every asset whether it is
pinned at a band. Each step minimises the quadratic on the manifold of the pins and walks there by
an exact line search across the kinks; at a stationary point it drops the pin with the worst
multiplier. It ends when no multiplier is out of its range: that is the optimum itself, to rounding,
and no tolerance of a generic solver is left over for the integer laws.

Prices are u = -impact @ shadow with the shadow inventory carried along, so a singular impact needs
no inverse. Source: ``docs/clearing.md`` sections 1 and 2. Letters: ``docs/glossary.md``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from convexfx_core.clearing.curves import Levels
from convexfx_core.clearing.dense import solve_dense
from convexfx_core.clearing.newton import net_flow
from convexfx_core.clearing.problem import F64, I64, Mask, grouped_sum, largest

STILL_BPS: Final = 1e-11
ROUNDING: Final = 1e-15
"""Prices that move less than STILL_BPS, or ROUNDING times impact and volume, stand still."""
PARALLEL: Final = 1e-9
"""A pair whose price moves less than this part of the step does not meet its kinks: so small a
movement can be rounding."""
SIGN_TOLERANCE: Final = 1e-12
"""Multipliers may be out of their range by this part of it (overflow: by as many $M)."""
STEPS_MAX: Final = 4_000
"""A search that takes longer is left to the next rung of the ladder."""
_BEYOND: Final = 3.0
"""Step length that means "never": a step ends at 1 at the latest (see ``_Search._cross``)."""
_BEHIND: Final = np.zeros(1)
"""Limit and size of the level that is behind the last one."""


@dataclass(slots=True)
class ActiveState:
    """Where the search stands; changed in place.

    Attributes
    ----------
    u : (n,) prices, bps.
    shadow : (q,) shadow inventory, $M: ``u[1:] = -impact @ shadow``.
    count : i64[P] first level of each pair that is not full (index into the levels).
    partial : bool[P] level ``count`` is partly filled.
    pinned : i64[q] -1, 0, 1: asset at its lower band, free, at its upper band.
    """

    u: F64
    shadow: F64
    count: I64
    partial: Mask
    pinned: I64


@dataclass(frozen=True, slots=True)
class Descent:
    """What the search found.

    Attributes
    ----------
    part : f64[P] filled volume of the partly filled level of each pair, $M.
    overflow : (q,) demand served beyond the band, $M.
    steps, kinks : manifold steps and kinks crossed.
    exact : False when ``STEPS_MAX`` was reached.
    """

    part: F64
    overflow: F64
    steps: int
    kinks: int
    exact: bool


class _Search:
    """The dual along the way: the state, and the inventory ``net`` that its full levels leave.

    ``net`` (n,) is ``offset`` plus the flows of all full levels, $M. ``bordered`` (n, n) is the
    impact with a zero row and column for the numeraire, so that pairs with it need no case of their
    own.
    """

    __slots__ = (
        "band",
        "bordered",
        "impact",
        "kinks",
        "level",
        "levels",
        "net",
        "size",
        "state",
        "still",
    )

    def __init__(
        self, state: ActiveState, levels: Levels, impact: F64, offset: F64, band: F64
    ) -> None:
        self.state, self.levels, self.impact, self.band = state, levels, impact, band[1:]
        self.level = np.concatenate((levels.level, _BEHIND))
        self.size = np.concatenate((levels.volume, _BEHIND))
        n, filled = len(offset), levels.filled(state.count)
        self.net = offset + net_flow(n, levels.pay, levels.receive, filled, filled)
        self.kinks, self.bordered = 0, np.zeros((n, n))
        self.bordered[1:, 1:] = impact
        volume = float(np.add.reduce(np.abs(offset)) + np.add.reduce(filled))
        self.still = max(STILL_BPS, ROUNDING * largest(impact) * volume)

    def manifold(self, pairs: I64, assets: I64) -> tuple[F64, F64]:
        """Shadow inventory (q,) and multipliers of the pins at the manifold's minimum.

        A pinned pair, and an asset against the numeraire, is +1 at ``plus`` and -1 at ``minus``.
        """
        shadow: F64 = self.net[1:]
        if len(pairs) + len(assets) == 0:
            return shadow, np.zeros(0)  # no pin: the shadow inventory is the inventory itself
        levels, state = self.levels, self.state
        plus, minus = levels.pay[pairs], levels.receive[pairs]
        wanted = self.level[state.count[pairs]]
        if len(assets):
            # An upper pin has the asset at ``plus`` and the numeraire at ``minus``, a lower one
            # the other way round: both want -band, with a multiplier of at least 0.
            sign = state.pinned[assets]
            plus = np.concatenate((plus, (assets + 1) * (sign > 0)))
            minus = np.concatenate((minus, (assets + 1) * (sign < 0)))
            wanted = np.concatenate((wanted, -self.band[assets]))
        through = self.bordered.take(plus, 1)
        through -= self.bordered.take(minus, 1)
        matrix = through.take(plus, 0)
        matrix -= through.take(minus, 0)
        # To a unit diagonal: pins differ in size by orders of magnitude. A pin without risk has a
        # diagonal of 0: the floor avoids a division by it, and the solve reports the singularity.
        scale = 1.0 / np.sqrt(np.maximum(matrix.diagonal(), 1e-300))
        right = (wanted - self.net @ through) * scale
        matrix *= scale[:, None]
        matrix *= scale
        multiplier = solve_dense(matrix, right) * scale
        n = len(self.net)
        flow = grouped_sum(plus, multiplier, n) - grouped_sum(minus, multiplier, n)
        return shadow + flow[1:], multiplier

    def shift(self, pair: int, up: int) -> None:
        """Empty (``up`` = -1) the last full level of a pair, or fill (+1) the next one."""
        state, levels = self.state, self.levels
        if up < 0:
            state.count[pair] -= 1
        volume = up * self.size[state.count[pair]]
        if up > 0:
            state.count[pair] += 1
        self.net[levels.pay[pair]] += volume
        self.net[levels.receive[pair]] -= volume

    def walk(self, shadow: F64) -> bool:
        """Exact line search towards ``shadow``; False when its prices are reached and nothing
        on the way changed the piece."""
        state, levels = self.state, self.levels
        change = shadow - state.shadow
        target = -(self.impact @ shadow)
        move = np.zeros(len(state.u))
        np.subtract(target, state.u[1:], out=move[1:])
        reach = largest(move)
        if reach <= self.still:
            return False
        curvature = -float(move[1:] @ change)  # change' impact change, as move = -impact change
        if curvature <= 0.0:  # rounding on a direction without risk
            return False
        along = move[levels.receive] - move[levels.pay]
        kink = self._kink_times(along, PARALLEL * reach)
        band_time, asset = self._band_time(move[1:], PARALLEL * reach)
        time, jump, pin = self._cross(along, kink, band_time, curvature)
        state.u += time * move
        state.shadow = state.shadow + time * change
        if pin >= 0:
            if along[pin] > 0:  # a rising price pins the last full level, a falling one the next
                self.shift(pin, -1)
            state.partial[pin] = True
            return True
        if pin == _AT_BAND:
            state.pinned[asset] = 1 if move[asset + 1] > 0 else -1
            state.u[asset + 1] = state.pinned[asset] * self.band[asset]
            return True
        if time < 1.0 - 1e-9:  # the minimum of another piece: its manifold comes next
            return True
        state.u[1:] = target  # no rounding of the step is carried along
        return jump > 0  # with a kink crossed, the target was that of another piece

    def _kink_times(self, along: F64, parallel: float) -> F64:
        """Step length f64[P] at which each pair meets its next kink."""
        state, levels = self.state, self.levels
        price = state.u[levels.receive] - state.u[levels.pay]
        up, down = along > parallel, along < -parallel
        meets = ((up & (state.count > levels.first)) | (down & (state.count < levels.last))) & (
            ~state.partial
        )
        time = np.empty(len(along))
        time.fill(_BEYOND)
        np.divide(self.level[state.count - up] - price, along, out=time, where=meets)
        return np.maximum(time, 0.0, out=time)

    def _band_time(self, move: F64, parallel: float) -> tuple[float, int]:
        """Step length at which the first free asset meets its band, and the asset."""
        free = (self.state.pinned == 0) & (np.abs(move) > parallel)
        time = np.empty(len(move))
        time.fill(_BEYOND)
        room = np.copysign(self.band, move) - self.state.u[1:]
        np.divide(room, move, out=time, where=free)
        asset = int(time.argmin())
        return max(float(time[asset]), 0.0), asset

    def _cross(
        self, along: F64, kink: F64, band_time: float, curvature: float
    ) -> tuple[float, float, int]:
        """Length of the step, sum of slope jumps crossed, and the pair at whose kink it stops
        (``_AT_BAND`` at a band, ``_INSIDE`` at a minimum inside a piece).

        At length t the dual has the slope ``curvature (t - 1) + jump``. It is zero at
        ``1 - jump / curvature``, never beyond 1, as every kink crossed adds to the jump.
        """
        state, levels, time, jump = self.state, self.levels, 0.0, 0.0
        price = state.u[levels.receive] - state.u[levels.pay]
        while True:
            pair = int(kink.argmin()) if len(kink) else -1
            next_kink = float(kink[pair]) if len(kink) else _BEYOND
            inside = 1.0 - jump / curvature
            if inside <= next_kink and inside <= band_time:
                return max(inside, time), jump, _INSIDE
            if band_time <= next_kink:
                return band_time, jump, _AT_BAND
            time, speed = next_kink, float(along[pair])
            level = state.count[pair] - (speed > 0)
            jump += float(self.size[level]) * abs(speed)
            self.kinks += 1
            if curvature * (time - 1.0) + jump >= 0:  # the slope turns within this very kink
                return time, jump, pair
            self.shift(pair, -1 if speed > 0 else 1)
            count = int(state.count[pair])
            more = count > levels.first[pair] if speed > 0 else count < levels.last[pair]
            ahead = float(self.level[count - (speed > 0)] - price[pair])
            kink[pair] = max(time, ahead / speed) if more else _BEYOND

    def release(self, pairs: I64, assets: I64, multiplier: F64) -> bool:
        """Drop the pin whose multiplier is worst; False when all are in range.

        The multiplier of a pair is the filled volume of its level: below 0 the level becomes empty,
        above its size it becomes full. That of an asset is its overflow: below 0 the price wants
        back inside its band.
        """
        held, state = len(pairs), self.state
        part, volume = multiplier[:held], self.size[state.count[pairs]]
        if not len(multiplier):
            return False
        share = part / volume
        worst = np.concatenate((-share, share - 1.0, -multiplier[held:]))
        if worst.max() <= SIGN_TOLERANCE:
            return False
        choice = int(worst.argmax())
        if choice < held:
            state.partial[pairs[choice]] = False
        elif choice < 2 * held:
            pair = int(pairs[choice - held])
            state.partial[pair] = False
            self.shift(pair, 1)
        else:
            state.pinned[assets[choice - 2 * held]] = 0
        return True


_INSIDE: Final = -1
_AT_BAND: Final = -2


def descend(state: ActiveState, levels: Levels, impact: F64, offset: F64, band: F64) -> Descent:
    """Exact optimum of one SCP subproblem.

    Parameters
    ----------
    state : start; holds the optimum's prices and pins afterwards.
    impact : (q, q) bps per $M, PSD.
    offset : (n,) inventory gap with the SCP corrections, before any fill, $M.
    band : (n,) bps.
    """
    search = _Search(state, levels, impact, offset, band)
    part, overflow = np.zeros(len(levels.pair)), np.zeros(len(impact))
    for step in range(1, STEPS_MAX + 1):
        pairs, assets = state.partial.nonzero()[0], state.pinned.nonzero()[0]
        shadow, multiplier = search.manifold(pairs, assets)
        if search.walk(shadow):
            continue
        if search.release(pairs, assets, multiplier):
            continue
        # The optimum. Clip what SIGN_TOLERANCE let pass: laws know no tolerance.
        held = len(pairs)
        state.shadow = shadow
        state.u[1:] = -(impact @ shadow)
        state.u[assets + 1] = state.pinned[assets] * band[assets + 1]
        filled = np.maximum(multiplier[:held], 0.0)
        part[pairs] = np.minimum(filled, search.size[state.count[pairs]])
        overflow[assets] = -np.maximum(multiplier[held:], 0.0) * state.pinned[assets]
        return Descent(part, overflow, step, search.kinks, True)
    return Descent(part, overflow, STEPS_MAX, search.kinks, False)
