"""Where the exact search begins: near the answer, at prices that some inventory gives.

A few Newton steps on continuous curves come within a fraction of a basis point. The exact search
(``active_set``) carries the inventory that belongs to its prices, u = -impact shadow, so Newton's
prices are first moved to the nearest ones of that form. Letters: ``docs/glossary.md``.
"""

from typing import Final

import numpy as np

from convexfx_core.clearing.active_set import ActiveState
from convexfx_core.clearing.curves import Levels, full_levels, level_curve
from convexfx_core.clearing.newton import AT_BAND_BPS, Pool, balance
from convexfx_core.clearing.problem import F64, largest

NEWTON_BPS: Final = 1e-2
"""Newton stops where the imbalance would move no price by more than this."""
NEWTON_STEPS, NEWTON_STEPS_FEW, FEW_LEVELS = 5, 3, 500
"""Most steps of Newton, those with at most ``FEW_LEVELS`` levels, and that number. Newton only has
to come near: the exact search does the rest in cheaper steps, the more so where levels are few."""

NULL_PART_MAX: Final = 1e6
"""How many times larger than the prices the terms of impact times shadow may be; see
:func:`plain_shadow`."""
NULL_VALUE: Final = 1e-9
"""Eigenvalues below this part of the largest count as zero."""


def newton_steps(levels: Levels, start: F64) -> int:
    """Most steps of Newton's method before the exact search; none from an earlier answer."""
    if len(levels.level) > FEW_LEVELS:
        return NEWTON_STEPS
    return 0 if start.any() else NEWTON_STEPS_FEW


def begin(pool: Pool, levels: Levels, cap: float, start: F64) -> tuple[ActiveState, F64]:
    """State near the optimum, and pair volumes f64[P] in $M there.

    ``cap`` bounds the limits of the levels, ``start`` (n,) are prices to begin at; both in bps.
    """
    curve, steps = level_curve(levels, cap), newton_steps(levels, start)
    u, volume, _ = balance(pool, curve, start, NEWTON_BPS, steps)
    return state_at(pool, levels, u, cap), volume


def state_at(pool: Pool, levels: Levels, u: F64, cap: float) -> ActiveState:
    """State at the prices nearest to u (n,) that some inventory gives; no level is partly full.

    The stiffness inverts the impact with a ridge. Two steps of iterative refinement remove the
    error of the ridge wherever the impact is not singular.
    """
    shadow = -(pool.stiffness @ u[1:])
    for _ in range(2):
        shadow = shadow - pool.stiffness @ (u[1:] + pool.impact @ shadow)
    band, near = pool.band[1:], np.zeros(len(u))
    near[1:] = np.minimum(np.maximum(-(pool.impact @ shadow), -band), band)
    pinned = np.where(np.abs(near[1:]) >= band - AT_BAND_BPS, np.sign(near[1:]), 0.0)
    return ActiveState(
        u=near,
        shadow=plain_shadow(pool, near, shadow),
        count=full_levels(levels, near[levels.receive] - near[levels.pay], cap),
        partial=np.zeros(len(levels.pair), dtype=bool),
        pinned=pinned.astype(np.int64),
    )


def plain_shadow(pool: Pool, u: F64, shadow: F64) -> F64:
    """Shadow inventory (q,) of the prices u (n,), without a large part that moves no price.

    The prices are minus impact times shadow. A singular impact maps some shadows to zero, so such a
    part may stand in the shadow at any size. Where it is so large that the terms of the product may
    be :data:`NULL_PART_MAX` times their sum, rounding would drown the prices. Then the shadow is
    computed again, from the eigenvectors of the impact that move prices.
    """
    heavy = largest(shadow) * largest(pool.impact)
    if heavy <= NULL_PART_MAX * (1.0 + largest(u)):
        return shadow
    value, vector = np.linalg.eigh(pool.impact)
    some = value > NULL_VALUE * value.max()
    out: F64 = -(vector[:, some] / value[some]) @ (vector[:, some].T @ u[1:])
    return out
