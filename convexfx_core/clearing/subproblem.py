"""One step of the outer loop: linearise, solve the convex programme, measure what is left.

What an order receives depends on the price, a exp(-s 1e-4), so exact conservation is not linear.
A step replaces it by its linearisation at the last point; :func:`active_set.descend` solves the
programme that results, exactly; the residual says how far the price rule is off with exact
conservation. ``scp.iterate`` repeats the step. Source: ``docs/clearing.md`` section 1. Letters:
``docs/glossary.md``.
"""

from dataclasses import dataclass

import numpy as np

from convexfx_core.clearing import active_set
from convexfx_core.clearing.active_set import ActiveState
from convexfx_core.clearing.curves import Levels
from convexfx_core.clearing.dense import solve_dense
from convexfx_core.clearing.newton import Pool, laplacian, net_flow
from convexfx_core.clearing.problem import BPS, F64, grouped_sum, largest


@dataclass(frozen=True, slots=True)
class Terms:
    """Exact conservation, linearised.

    At the end of the loop the correction alone counts: L enters the offset and the impact such that
    it cancels where prices no longer move. L only decides how quickly the loop ends.

    Attributes
    ----------
    correction : (n,) c, $M.
    depth : (n, n) Laplacian L of half the received values, $M per bps.
    """

    correction: F64
    depth: F64

    def damped(self, before: "Terms") -> "Terms":
        """Average with the previous terms."""
        correction = 0.5 * (self.correction + before.correction)
        return Terms(correction, 0.5 * (self.depth + before.depth))


@dataclass(frozen=True, slots=True)
class Step:
    """Result of one SCP step; the state it started from is changed in place.

    Attributes
    ----------
    terms : the linearisation that was used.
    volume : f64[P] filled by pair, $M.
    part : f64[P] filled volume of the partly filled level, $M.
    overflow : (q,) $M.
    residual_bps : violation of the price rule with exact conservation.
    steps, kinks, exact : see ``Descent``.
    """

    terms: Terms
    volume: F64
    part: F64
    overflow: F64
    residual_bps: float
    steps: int
    kinks: int
    exact: bool


def conservation(n: int, levels: Levels, u: F64, volume: F64) -> Terms:
    """Terms at prices u (n,) and pair volumes f64[P]."""
    out = volume * np.exp((u[levels.pay] - u[levels.receive]) * BPS)
    correction = grouped_sum(levels.receive, volume - out, n)
    return Terms(correction, laplacian(n, levels.pay, levels.receive, 0.5 * BPS * out))


def step_impact(pool: Pool, terms: Terms, u: F64) -> tuple[F64, F64]:
    """Impact (q, q) and offset (n,) of the subproblem at prices u.

    The price rule with conservation linearised is u' = -impact (offset + fills - overflow), where
    impact = M (I + L M)^-1 and offset = gap + c - L u. M may be singular: it is not inverted.
    """
    depth = terms.depth
    softer = pool.impact @ depth[1:, 1:]
    softer.ravel()[:: len(u)] += 1.0
    impact = solve_dense(softer, pool.impact)
    # Symmetric but for rounding, and the search relies on it.
    return 0.5 * (impact + impact.T), pool.gap + terms.correction - depth @ u


def advance(
    pool: Pool, levels: Levels, state: ActiveState, volume: F64, damping: Terms | None
) -> Step:
    """One step from a state and pair volumes f64[P]; see :class:`Step`."""
    n, u = len(pool.gap), state.u.copy()
    terms = conservation(n, levels, u, volume)
    if damping is not None:
        terms = terms.damped(damping)
    depth = terms.depth[1:, 1:]
    impact, offset = step_impact(pool, terms, u)
    # The same prices under the other impact: M (I + L M)^-1 (shadow - L u) = M shadow.
    state.shadow = state.shadow - depth @ u[1:]
    found = active_set.descend(state, levels, impact, offset, pool.band)
    state.shadow = state.shadow + depth @ state.u[1:]
    volume = levels.filled(state.count) + found.part
    out = volume * np.exp((state.u[levels.pay] - state.u[levels.receive]) * BPS)
    after = pool.gap + net_flow(n, levels.pay, levels.receive, volume, out)
    rule = pool.impact @ (after[1:] - found.overflow) + state.u[1:]
    residual = largest(rule)
    return Step(
        terms, volume, found.part, found.overflow, residual, found.steps, found.kinks, found.exact
    )
