"""The kernels compiled by numba: the same algorithm and order of operations as the numpy ones.

The passes over all orders stand here; ``numba_newton`` and ``numba_active_set`` have the two
searches. The constants of the numpy modules are handed in as arguments, because numba's cache on
disk does not notice a constant that changed in another file.
"""

from typing import Final

import numpy as np

from convexfx_core.clearing import active_set, numba_active_set, numba_newton
from convexfx_core.clearing.active_set import ActiveState
from convexfx_core.clearing.begin import NEWTON_BPS, newton_steps, plain_shadow
from convexfx_core.clearing.curves import HALF_LEVEL_BPS, BinnedCurve, Levels
from convexfx_core.clearing.newton import AT_BAND_BPS, Pool
from convexfx_core.clearing.numba_jit import compiled
from convexfx_core.clearing.problem import (
    F64,
    I64,
    INVERSE_POWER,
    NO_LIMIT,
    U64,
    WORD_BUDGET,
    WORD_LIMIT,
    WORD_MIN_FILL,
    WORD_TAIL,
    Columns,
    Demand,
    coarse_shift,
)
from convexfx_core.clearing.subproblem import Step, Terms

_SETTINGS: Final = (
    active_set.STILL_BPS,
    active_set.ROUNDING,
    active_set.PARALLEL,
    active_set.SIGN_TOLERANCE,
    active_set.STEPS_MAX,
)
_NOTHING: Final = np.zeros(0)
_NO_RANGE: Final = np.zeros(0, dtype=np.int64)
_NO_LEVELS: Final = (_NOTHING, _NOTHING, _NOTHING, _NO_RANGE, _NO_RANGE)
_NO_DEPTH: Final = np.zeros((0, 0))


@compiled
def _read_rows(
    words: U64, net: F64, n: int, power: F64, no_limit: float, steps: U64
) -> tuple[I64, F64, U64, F64]:
    """Pair, ratio of the net reference rate to the limit, budget; coarse sums by pay asset.

    No lawful row names an unknown asset. The test for it is there because a loop that can end early
    is not turned into vector code, which would gather words 80 bytes apart and take five times as
    long.
    """
    count, low = len(words), np.uint64(0xFFFF)
    pair, ratio = np.empty(count, np.int64), np.empty(count)
    budget, coarse = np.empty(count, np.uint64), np.zeros(n)
    for k in range(count):
        tail, size = words[k, WORD_TAIL], words[k, WORD_BUDGET]
        i, j = tail & low, (tail >> np.uint64(16)) & low
        if (i >= np.uint64(n)) | (j >= np.uint64(n)):
            break
        p = i * np.uint64(n) + j
        asked = np.float64(words[k, WORD_LIMIT]) * power[(tail >> np.uint64(32)) & low]
        asked = max(asked, no_limit)
        pair[k], budget[k] = p, size
        coarse[i] += np.float64(size >> steps)
        ratio[k] = min(net[p] / asked, net[p] * np.float64(size))
    return pair, ratio, budget, coarse


@compiled
def _bin_sizes(
    pair: I64, limit: F64, size: F64, pairs: int, cap: float, bins: int
) -> tuple[F64, F64]:
    """Sizes by bin; limits below and above all bins have slots of their own, so that the loop has
    no branch to predict."""
    table = np.zeros((pairs, bins + 2))
    scale, last = bins / (2.0 * cap), bins + 1.0
    for k in range(len(limit)):
        place = limit[k] * scale + (1.0 + bins / 2)
        place = place if place > 0.0 else 0.0
        place = place if place < last else last
        table[pair[k], int(place)] += size[k]
    return table[:, 1 : bins + 1], table[:, bins + 1].copy()


@compiled
def _split(pair: I64, limit: F64, size: F64, low: F64, high: F64) -> tuple[I64, F64]:
    """Chosen positions and the sizes above. Every position is written to the next free place, which
    moves on only where it is chosen: no branch to predict."""
    chosen, above, m = np.empty(len(limit) + 1, np.int64), np.zeros(len(low)), 0
    for k in range(len(limit)):
        p, at = np.uint64(pair[k]), limit[k]
        over, reached = np.int64(at > high[p]), np.int64(at >= low[p])
        above[p] += size[k] * np.float64(over)
        chosen[m] = k
        m += int(reached - over)
    return chosen[:m].copy(), above


class NumbaKernels:
    """Machine code by numba; see :class:`convexfx_core.clearing.kernels.Kernels`."""

    name = "numba"

    def read_rows(self, words: U64, net: F64, n: int) -> Columns:
        """See :func:`convexfx_core.clearing.problem.read_rows`."""
        steps = np.uint64(coarse_shift(len(words)))
        given = (words, net, n, INVERSE_POWER, NO_LIMIT, steps)
        pair, limit, budget, coarse = _read_rows(*given)
        np.log(limit, out=limit)
        limit *= 1e4
        return Columns(pair, limit, budget, words[:, WORD_MIN_FILL], coarse)

    def bin_sizes(self, demand: Demand, pairs: int, cap: float, bins: int) -> tuple[F64, F64]:
        """See :class:`convexfx_core.clearing.kernels.Kernels`."""
        table, base = _bin_sizes(demand.pair, demand.limit, demand.size, pairs, cap, bins)
        return table, base

    def split(self, demand: Demand, low: F64, high: F64) -> tuple[I64, F64]:
        """See :class:`convexfx_core.clearing.kernels.Kernels`."""
        chosen, above = _split(demand.pair, demand.limit, demand.size, low, high)
        return chosen, above

    def balance(
        self, pool: Pool, curve: BinnedCurve, start: F64, tolerance_bps: float, steps_max: int
    ) -> tuple[F64, F64, int]:
        """See :func:`convexfx_core.clearing.newton.balance`."""
        u, volume, steps = numba_newton.balance(
            pool.gap, np.ascontiguousarray(pool.impact), pool.stiffness, pool.band, start,
            curve.pay, curve.receive, (curve.above, curve.cap), curve.base, _NO_LEVELS,
            HALF_LEVEL_BPS, AT_BAND_BPS, tolerance_bps, steps_max,
        )  # fmt: skip
        return u, volume, steps

    def begin(self, pool: Pool, levels: Levels, cap: float, start: F64) -> tuple[ActiveState, F64]:
        """See :func:`convexfx_core.clearing.begin.begin`."""
        u, shadow, count, pinned, volume = numba_newton.begin(
            (pool.gap, np.ascontiguousarray(pool.impact), pool.stiffness, pool.band), start,
            levels.pay, levels.receive, levels.base,
            (levels.level, levels.volume, levels.prefix, levels.first, levels.last),
            HALF_LEVEL_BPS, AT_BAND_BPS, NEWTON_BPS, newton_steps(levels, start),
        )  # fmt: skip
        partial = np.zeros(len(levels.pair), dtype=bool)
        return ActiveState(u, plain_shadow(pool, u, shadow), count, partial, pinned), volume

    def advance(
        self, pool: Pool, levels: Levels, state: ActiveState, volume: F64, damping: Terms | None
    ) -> Step:
        """See :func:`convexfx_core.clearing.subproblem.advance`."""
        before = (damping.correction, damping.depth) if damping else (_NOTHING, _NO_DEPTH)
        correction, depth, filled, part, overflow, residual, steps, kinks, exact = (
            numba_active_set.advance(
                pool.gap, np.ascontiguousarray(pool.impact), pool.band,
                (levels.pay, levels.receive, levels.base, levels.prefix),
                (levels.level, levels.volume, levels.first, levels.last),
                state.u, state.shadow, (state.count, state.partial, state.pinned),
                volume, before, _SETTINGS,
            )
        )  # fmt: skip
        terms = Terms(correction, depth)
        return Step(terms, filled, part, overflow, residual, steps, kinks, exact)
