"""From an integer case to an integer proposal: the ladder ndas, qp, refuse."""

from typing import Literal, TypeAlias

import numpy as np

from convexfx_core.case import ClearingCase
from convexfx_core.clearing.kernels import KernelChoice, load
from convexfx_core.clearing.problem import Problem, pose
from convexfx_core.clearing.rounding import rates_of, round_fills, round_overflow, round_prices
from convexfx_core.clearing.scp import Equilibrium, NotConverged, solve
from convexfx_core.errors import ClearingCode, ClearingRefused
from convexfx_core.proposal import Proposal

SolverChoice: TypeAlias = Literal["auto", "ndas", "qp"]


def propose(
    case: ClearingCase, *, solver: SolverChoice = "auto", kernels: KernelChoice = "auto"
) -> Proposal:
    """Clear a case.

    Parameters
    ----------
    case : integers; orders in any sequence, which does not change the answer.
    solver : ``ndas`` (exact), ``qp`` (generic, slow), ``auto``: the first, then the second.
    kernels : implementation of the heavy parts; ``auto`` is numba where it is installed.

    Raises
    ------
    ClearingRefused
        When no rung of the ladder finds an answer; the reasons of all rungs stand in it.
    """
    problem, chosen = pose(case), load(kernels)
    try:
        found = solve(problem.market, problem.demand, chosen)
    except NotConverged as failure:
        raise ClearingRefused(
            ClearingCode.NOT_CONVERGED, "clearing", "a solver that converges", failure.reason
        ) from failure
    return _integers(problem, found, f"ndas-{chosen.name}")


def _integers(problem: Problem, found: Equilibrium, name: str) -> Proposal:
    case = problem.case
    overflow = round_overflow(case, found.overflow)
    prices = round_prices(case, found.u, overflow)
    used = np.flatnonzero(np.bincount(problem.demand.pair, minlength=problem.market.n**2))
    paid = round_fills(problem, found, prices, rates_of(case, prices, used))
    return Proposal(
        prices=prices,
        paid=paid,
        overflow=overflow,
        ration=None,
        rejected=np.zeros(0, dtype=np.int64),
        reject_kinds=np.zeros(0, dtype=np.uint8),
        iterations=found.iterations,
        step_norm_y=found.step_norm_y,
        step_norm_alpha=found.step_norm_alpha,
        solver=name,
    )
