"""The same subproblem through generic QP solvers: an oracle for tests, the fallback of the ladder.

min 1/2 z' M z + sum b_i |v_i| - sum limit_k a_k  with  z = offset + sum a_k (e_i - e_j) - v and
0 <= a_k <= size_k; prices are -M z. A generic solver is accurate to some 1e-6 bps, which is not
enough for integer laws: :func:`solve_by_qp` takes its prices and active set, and finishes with the
exact search (``active_set``). Source: ``docs/clearing.md`` sections 1 and 2. Letters:
``docs/glossary.md``.
"""

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import scipy.sparse as sparse

from convexfx_core.clearing.active_set import ActiveState
from convexfx_core.clearing.begin import state_at
from convexfx_core.clearing.curves import Levels, levels_in
from convexfx_core.clearing.kernels import Kernels
from convexfx_core.clearing.newton import Pool
from convexfx_core.clearing.problem import F64, I64, Demand, Market, grouped_sum
from convexfx_core.clearing.scp import (
    Equilibrium,
    NotConverged,
    equilibrium,
    iterate,
    pool_of,
    whole_window,
)
from convexfx_core.clearing.subproblem import conservation, step_impact

Backend: TypeAlias = Literal["piqp", "cvxpy"]
BACKENDS: Final[tuple[Backend, ...]] = ("piqp", "cvxpy")
ACCURACY: Final = 1e-10
"""Asked of the generic solver; its prices are good to some 1e-6 bps all the same."""
STEPS_MAX: Final = 8
"""Linearisations: two to four settle, and the exact finish needs a neighbourhood only."""
SETTLED_BPS: Final = 1e-6
AT_BAND_BPS: Final = 1e-6
"""What the prices of a generic solver are good for."""


@dataclass(frozen=True, slots=True)
class Subproblem:
    """One convex programme.

    Attributes
    ----------
    impact : (q, q) bps per $M, PSD; q = n - 1, numeraire left out.
    offset : (n,) inventory gap before any fill, $M.
    band : (n,) bps.
    pay, receive, limit, size : columns of the orders or levels; bps and $M.
    """

    impact: F64
    offset: F64
    band: F64
    pay: I64
    receive: I64
    limit: F64
    size: F64


@dataclass(frozen=True, slots=True)
class Solution:
    """Answer of a generic solver.

    Attributes
    ----------
    u : (n,) prices, bps.
    fill : f64[K] $M.
    overflow : (q,) $M.
    objective : value of the programme, $M bps.
    """

    u: F64
    fill: F64
    overflow: F64
    objective: float


def solve_subproblem(
    problem: Subproblem, backend: Backend = "piqp", accuracy: float = ACCURACY
) -> Solution:
    """Solve one programme to a tolerance; raises ``NotConverged`` if the backend does not."""
    answer = (_piqp if backend == "piqp" else _cvxpy)(problem, accuracy)
    count, q = len(problem.limit), len(problem.impact)
    fill = np.clip(answer[:count], 0.0, problem.size)
    overflow = answer[count : count + q] - answer[count + q : count + 2 * q]
    moved = grouped_sum(problem.pay, fill, q + 1) - grouped_sum(problem.receive, fill, q + 1)
    z = (problem.offset + moved)[1:] - overflow
    u = np.concatenate(([0.0], -(problem.impact @ z)))
    return Solution(u, fill, overflow, objective(problem, fill, overflow))


def objective(problem: Subproblem, fill: F64, overflow: F64) -> float:
    """Value of the programme at fills f64[K] and overflow (q,), both $M; $M bps."""
    q = len(problem.impact)
    moved = grouped_sum(problem.pay, fill, q + 1) - grouped_sum(problem.receive, fill, q + 1)
    z = (problem.offset + moved)[1:] - overflow
    beyond = float(problem.band[1:] @ np.abs(overflow))
    return 0.5 * float(z @ problem.impact @ z) + beyond - float(_finite(problem) @ fill)


def _finite(problem: Subproblem) -> F64:
    """Limits with market orders 50 bps beyond every pair price in the bands.

    Their own limits are some million bps, a bad scale for a generic solver.
    """
    return np.minimum(problem.limit, 2.0 * float(problem.band.max()) + 50.0)


def _incidence(problem: Subproblem) -> Any:
    """Sparse (q, K): +1 where an order pays an asset, -1 where it receives it."""
    count, q = len(problem.limit), len(problem.impact)
    column = np.arange(count)
    rows = np.concatenate((problem.pay, problem.receive))
    values = np.concatenate((np.ones(count), -np.ones(count)))
    columns = np.concatenate((column, column))
    return sparse.csc_matrix((values, (rows, columns)), shape=(q + 1, count))[1:]


def _piqp(problem: Subproblem, accuracy: float) -> F64:
    """Fills, overflow, and z; overflow as two columns of numbers >= 0, since |v| is not smooth."""
    piqp = import_module("piqp")

    count, q = len(problem.limit), len(problem.impact)
    rest = count + 2 * q
    quadratic = sparse.block_diag(
        [sparse.csc_matrix((rest, rest)), sparse.csc_matrix(problem.impact)], format="csc"
    )
    band = problem.band[1:]
    linear = np.concatenate((-_finite(problem), band, band, np.zeros(q)))
    unit = sparse.identity(q, format="csc")
    equal = sparse.hstack([-_incidence(problem), unit, -unit, unit], format="csc")
    low = np.concatenate((np.zeros(rest), np.full(q, -np.inf)))
    high = np.concatenate((problem.size, np.full(3 * q, np.inf)))
    solver = piqp.SparseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = accuracy
    solver.setup(quadratic, linear, equal, problem.offset[1:], None, None, None, low, high)
    status = solver.solve()
    if status != piqp.PIQP_SOLVED:
        raise NotConverged(f"piqp: {status}")
    return np.asarray(solver.result.x, dtype=np.float64)


def _cvxpy(problem: Subproblem, accuracy: float) -> F64:
    """Fills and overflow as two columns of numbers >= 0, by Clarabel."""
    cvxpy: Any = import_module("cvxpy")

    count, q = len(problem.limit), len(problem.impact)
    # z' M z as a sum of squares: rounding can make M indefinite, which cvxpy would refuse.
    value, vector = np.linalg.eigh(problem.impact)
    root = np.sqrt(np.clip(value, 0.0, None))[:, None] * vector.T
    fill, over, under = cvxpy.Variable(count), cvxpy.Variable(q), cvxpy.Variable(q)
    z = cvxpy.Variable(q)
    cost = (
        0.5 * cvxpy.sum_squares(root @ z)
        - _finite(problem) @ fill
        + problem.band[1:] @ (over + under)
    )
    rules = [z == problem.offset[1:] + _incidence(problem) @ fill - over + under]
    rules += [fill >= 0, fill <= problem.size, over >= 0, under >= 0]
    programme = cvxpy.Problem(cvxpy.Minimize(cost), rules)
    tight = {"tol_gap_abs": accuracy, "tol_gap_rel": accuracy, "tol_feas": accuracy}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            programme.solve(solver="CLARABEL", **tight)
    except cvxpy.SolverError as error:
        raise NotConverged("cvxpy: Clarabel failed") from error
    if programme.status not in ("optimal", "optimal_inaccurate"):
        raise NotConverged(f"cvxpy: {programme.status}")
    return np.concatenate((fill.value, over.value, under.value))


def solve_by_qp(
    market: Market,
    demand: Demand,
    kernels: Kernels,
    start: F64 | None = None,
    backend: Backend = "piqp",
) -> Equilibrium:
    """Equilibrium by the generic solver: its prices and active set, then one exact finish.

    Every order is a level here, so it is slow beyond some 10^5 orders. Raises ``NotConverged``.
    """
    pool, n, cap = pool_of(market), market.n, market.cap
    low, high = whole_window(n, cap)
    chosen, above = kernels.split(demand, low, high)
    levels = levels_in(market, demand, chosen, above)
    u = np.zeros(n) if start is None else start
    volume, found = levels.base, None
    for _ in range(STEPS_MAX):
        terms = conservation(n, levels, u, volume)
        impact, offset = step_impact(pool, terms, u)
        found = solve_subproblem(level_problem(pool, levels, impact, offset), backend)
        change = float(np.abs(found.u - u).max())
        u = found.u
        volume = levels.base + _by_pair(levels, found.fill)
        if change < SETTLED_BPS:
            break
    state = _active(pool, levels, u, cap)
    state, progress, last = iterate(pool, levels, kernels, state, volume)
    return equilibrium(levels, high, chosen, state, last, progress)


def level_problem(pool: Pool, levels: Levels, impact: F64, offset: F64) -> Subproblem:
    """The subproblem whose orders are the levels; the volume above them is always filled."""
    n = len(offset)
    full = grouped_sum(levels.pay, levels.base, n) - grouped_sum(levels.receive, levels.base, n)
    count = levels.last - levels.first
    return Subproblem(
        impact=impact,
        offset=offset + full,
        band=pool.band,
        pay=np.repeat(levels.pay, count),
        receive=np.repeat(levels.receive, count),
        limit=levels.level,
        size=levels.volume,
    )


def _by_pair(levels: Levels, fill: F64) -> F64:
    """Sums f64[P] of what is filled of the levels, $M."""
    rank = np.repeat(np.arange(len(levels.pair)), levels.last - levels.first)
    return grouped_sum(rank, fill, len(levels.pair))


def _active(pool: Pool, levels: Levels, u: F64, cap: float) -> ActiveState:
    """Start of the exact finish at the generic solver's prices."""
    pinned = np.abs(u[1:]) >= pool.band[1:] - AT_BAND_BPS
    u = u.copy()
    u[1:] = np.where(pinned, np.copysign(pool.band[1:], u[1:]), u[1:])
    return state_at(pool, levels, u, cap)
