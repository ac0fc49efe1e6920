"""Outer loop: exact conservation by sequential convex programmes, each solved exactly.

:func:`solve` finds the equilibrium of a market: the prices at which the inventory that the fills
leave asks for these very prices. What is paid is linear in the fills, what is received is not. At
prices u and pair volumes V the linear conservation of the subproblem is off by c, and it changes
with prices by the Laplacian L of half the received values; both enter the next subproblem, whose
price rule has the impact (impact^-1 + L)^-1. Two to four steps settle.

Then: ``rounding`` makes integers of the result, an :class:`Equilibrium`. Source:
``docs/clearing.md`` sections 1 and 2. Letters: ``docs/glossary.md``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from convexfx_core.clearing.active_set import SIGN_TOLERANCE, ActiveState
from convexfx_core.clearing.curves import (
    BINS,
    BinnedCurve,
    Levels,
    histogram_curve,
    levels_in,
)
from convexfx_core.clearing.dense import solve_dense
from convexfx_core.clearing.kernels import Kernels
from convexfx_core.clearing.newton import Pool
from convexfx_core.clearing.problem import BPS, F64, I64, Demand, Market, Mask, largest
from convexfx_core.clearing.subproblem import Step

ITERATIONS_MAX: Final = 20
"""Two to four steps settle; after so many this rung of the ladder gives up."""
RESIDUAL_BPS: Final = 1e-9
"""Less than a hundredth of what the laws allow at least (2^-36, or 1.5e-7 bps)."""
STEP_Y_MAX: Final = 1e-5
STEP_ALPHA_MAX: Final = 1e-6
"""Bounds of the last step in the original assignment; ``laws.predicates`` refuses a longer one."""
DIRECT_ORDERS: Final = 30_000
"""Up to here every order becomes a level; above, a histogram finds the window first."""
WINDOW_BPS: Final = 0.25
"""Half width of the first window. A bin of the histogram is 0.6 bps wide at bands of 20 bps; where
a price leaves its window, all of them are widened fourfold."""
EDGE_BPS: Final = 1e-3
"""A window ends no nearer to its price than this."""
BINNED_BPS: Final = 1e-3
BINNED_STEPS: Final = 60
"""Newton on the histogram ends at this imbalance, or after so many steps: it only places windows,
and a window that misses its price is widened."""
RIDGE: Final = 1e-10
"""Part of the mean risk that is added before the impact is inverted; it may be singular."""
_ROUNDING: Final = 64 * float(np.finfo(np.float64).eps)
"""Residual that some dozens of roundings leave, as a part of impact times volume."""


class NotConverged(Exception):
    """The exact solver gave up; ``reason`` says where."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """Prices, and which orders they fill.

    Attributes
    ----------
    u : (n,) log price deviation, bps.
    overflow : (n,) demand served beyond the band, $M; its sign is opposite to that of u.
    cut : f64[n*n] an order of the pair is full exactly if its limit is above it.
    marginal : f64[n*n] limit of the partly filled level of the pair, NaN if none.
    share : f64[n*n] filled part of that level.
    window : i64[W] positions of all orders whose limit is within ``EDGE_BPS`` of its price, and
        others.
    iterations : SCP iterations.
    residual_bps : largest violation of the price rule with exact conservation.
    step_norm_y, step_norm_alpha : last SCP step: log price; volume over all volume.
    steps, kinks : work of the exact solver.
    """

    u: F64
    overflow: F64
    cut: F64
    marginal: F64
    share: F64
    window: I64
    iterations: int
    residual_bps: float
    step_norm_y: float
    step_norm_alpha: float
    steps: int
    kinks: int

    def full(self, demand: Demand) -> Mask:
        """Which orders are filled completely, bool[K]."""
        out: Mask = demand.limit > self.cut[demand.pair]
        return out

    def partial(self, demand: Demand) -> I64:
        """Positions of the orders on a partly filled level."""
        pair = demand.pair[self.window]
        out: I64 = self.window[demand.limit[self.window] == self.marginal[pair]]
        return out

    def fraction(self, demand: Demand) -> F64:
        """Filled fraction of every order, f64[K]."""
        out = self.full(demand).astype(np.float64)
        some = self.partial(demand)
        out[some] = self.share[demand.pair[some]]
        return out


@dataclass(slots=True)
class Progress:
    """Counters and residuals of the outer loop; see :class:`Equilibrium`."""

    iterations: int = 0
    residual: float = np.inf
    step_y: float = np.inf
    step_alpha: float = np.inf
    steps: int = 0
    kinks: int = 0

    def add(self, step: Step, moved_bps: float, volume: F64, total: float) -> None:
        """Count a step that moved prices by ``moved_bps`` and started at pair volumes f64[P]."""
        self.iterations += 1
        self.steps += step.steps
        self.kinks += step.kinks
        self.residual = step.residual_bps
        self.step_y = moved_bps * BPS
        change = largest(step.volume - volume)
        self.step_alpha = change / total if total else 0.0

    def settled(self, tolerance_bps: float) -> bool:
        """Whether the last step ends the loop."""
        small = self.step_y < STEP_Y_MAX and self.step_alpha < STEP_ALPHA_MAX
        return small and self.residual < tolerance_bps


def pool_of(market: Market) -> Pool:
    """Matrices of the pool without the numeraire, whose price does not move."""
    impact = market.impact[1:, 1:]
    q = len(impact)
    # The floor serves a pool without any risk.
    ridge = max(RIDGE * float(np.trace(impact)) / q, 1e-16)
    identity = np.eye(q)
    inverse = solve_dense(impact + ridge * identity, identity)
    return Pool(market.gap, impact, 0.5 * (inverse + inverse.T), market.band)


def solve(
    market: Market, demand: Demand, kernels: Kernels, start: F64 | None = None
) -> Equilibrium:
    """Equilibrium of a market without inventory bounds and minimum fills.

    ``start`` (n,) are prices to begin at, bps. Raises :class:`NotConverged`.

    Above :data:`DIRECT_ORDERS` only the orders near the price become levels; those above the window
    are full and summed, those below it are empty. An answer inside its windows is the answer of the
    whole market.
    """
    pool, n, cap = pool_of(market), market.n, market.cap
    u = np.zeros(n) if start is None else start
    binned, window = None, WINDOW_BPS
    if len(demand.limit) > DIRECT_ORDERS:
        sizes, base = kernels.bin_sizes(demand, n * n, cap, BINS)
        binned = histogram_curve(market, sizes, base)
        u, _, _ = kernels.balance(pool, binned, u, BINNED_BPS, BINNED_STEPS)
    while True:
        low, high = _window(u, window) if binned else whole_window(n, cap)
        chosen, above = kernels.split(demand, low, high)
        levels = levels_in(market, demand, chosen, above)
        state, volume = kernels.begin(pool, levels, cap, u)
        state, progress, last = iterate(pool, levels, kernels, state, volume)
        u = state.u
        if binned is None or not _left_window(binned, u, low, high):
            return equilibrium(levels, high, chosen, state, last, progress)
        window *= 4.0


def whole_window(n: int, cap: float) -> tuple[F64, F64]:
    """Window (f64[n*n] low and high, bps) of every limit that can matter inside the bands.

    A limit at the cap is in the money everywhere, one at -cap nowhere: both ends are left out.
    """
    return np.full(n * n, np.nextafter(-cap, 0.0)), np.full(n * n, np.nextafter(cap, 0.0))


def _window(u: F64, width: float) -> tuple[F64, F64]:
    price = (u[None, :] - u[:, None]).ravel()
    return price - width, price + width


def _left_window(curve: BinnedCurve, u: F64, low: F64, high: F64) -> bool:
    """Whether the price of a pair with orders left its window, or came near to its end."""
    price = u[curve.receive] - u[curve.pay]
    low, high = low[curve.pair] + EDGE_BPS, high[curve.pair] - EDGE_BPS
    return bool((curve.has_orders & ((price < low) | (price > high))).any())


def iterate(
    pool: Pool, levels: Levels, kernels: Kernels, state: ActiveState, volume: F64
) -> tuple[ActiveState, Progress, Step]:
    """SCP steps from a state and pair volumes f64[P] until conservation is exact.

    The loop ends where the residual is below ``RESIDUAL_BPS`` and the last step was small. Where
    doubles cannot hold conservation to that, it ends with the first step that no longer halves the
    residual: fills are then exact to ``SIGN_TOLERANCE`` of the volume, and the laws judge. A step
    that does not halve the residual is followed by a damped one, whose linearisation is the average
    of two, so that the loop does not alternate between them.

    Raises
    ------
    NotConverged
        After ``ITERATIONS_MAX`` steps, or where the exact search fails.
    """
    total = float(np.add.reduce(levels.base) + np.add.reduce(levels.volume))
    scale = largest(pool.impact) * (float(np.add.reduce(np.abs(pool.gap))) + total)
    tolerance = max(RESIDUAL_BPS, _ROUNDING * scale)
    progress, damping, worse = Progress(), None, np.inf
    while progress.iterations < ITERATIONS_MAX:
        u = state.u.copy()
        try:
            step = kernels.advance(pool, levels, state, volume, damping)
        except np.linalg.LinAlgError as error:
            raise NotConverged("the active set became singular") from error
        if not step.exact:
            raise NotConverged("the active set search did not end")
        progress.add(step, largest(state.u - u), volume, total)
        volume = step.volume
        if progress.settled(RESIDUAL_BPS):
            return state, progress, step
        last = step.residual_bps > 0.5 * worse or progress.iterations == ITERATIONS_MAX
        if last and progress.settled(max(RESIDUAL_BPS, SIGN_TOLERANCE * scale)):
            return state, progress, step
        damping = step.terms if step.residual_bps > max(0.5 * worse, tolerance) else None
        worse = step.residual_bps
    raise NotConverged(f"price rule still off by {progress.residual:.3g} bps")


def equilibrium(
    levels: Levels, high: F64, chosen: I64, state: ActiveState, last: Step, progress: Progress
) -> Equilibrium:
    """Cuts of every directed pair at the final state.

    ``high`` f64[n*n] is the window's upper end, ``chosen`` are the positions inside it.
    """
    n = len(state.u)
    cut, marginal = np.full(n * n, np.inf), np.full(n * n, np.nan)
    share = np.zeros(n * n)
    limit = np.append(levels.limit, 0.0)
    some = state.count > levels.first
    # Full means a limit strictly above the cut: just below the last full level, else the window.
    lowest_full = np.nextafter(limit[state.count - 1], -np.inf)
    cut[levels.pair] = np.where(some, lowest_full, high[levels.pair])
    held = state.partial.nonzero()[0]
    pair, level = levels.pair[held], state.count[held]
    marginal[pair] = levels.limit[level]
    share[pair] = last.part[held] / levels.volume[level]
    return Equilibrium(
        u=state.u,
        overflow=np.concatenate(([0.0], last.overflow)),
        cut=cut,
        marginal=marginal,
        share=share,
        window=chosen,
        iterations=progress.iterations,
        residual_bps=progress.residual,
        step_norm_y=progress.step_y,
        step_norm_alpha=progress.step_alpha,
        steps=progress.steps,
        kinks=progress.kinks,
    )
