"""From an integer case to an integer proposal: the order of the work, and the ladder of solvers.

:func:`propose` poses the problem in floats and asks the rungs in turn: ``ndas`` (exact), then
``qp`` (a generic solver with an exact finish), then it refuses with the reasons of both. One rung
clears in rounds: solve, reject who is below a minimum fill, round to integers, ration at the
bounds, reject again, let back in whom no law wants out; until nothing changes. Settlement and the
laws take the proposal from here. Source: ``docs/clearing.md`` sections 2 to 5.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np

from convexfx_core.clearing.kernels import KernelChoice, Kernels, load
from convexfx_core.clearing.min_fill import (
    STARTS,
    Cycling,
    Rejections,
    below_minimum,
    below_minimum_rationed,
    rejected_at_first,
    rounds_max,
    unjustified,
)
from convexfx_core.clearing.price_rule import COARSE_BITS, check_resolution, settle_overflow
from convexfx_core.clearing.problem import F64, U64, Demand, Market, Problem, pose
from convexfx_core.clearing.qp import BACKENDS, solve_by_qp
from convexfx_core.clearing.ration import Rationed, ration
from convexfx_core.clearing.ration_moves import rationed_at_moved_prices
from convexfx_core.clearing.refinement import STEPS_MAX, refined
from convexfx_core.clearing.rounding import (
    Rates,
    fit_short_prices,
    paid_at_its_limit,
    rates_of,
    round_fills,
    round_overflow,
    round_prices,
)
from convexfx_core.clearing.scp import Equilibrium, NotConverged, solve
from convexfx_core.errors import ClearingCode, ClearingRefused
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal, Ration, RejectKind

SolverChoice: TypeAlias = Literal["auto", "ndas", "qp"]


class Solver(Protocol):
    """One rung of the ladder."""

    def __call__(self, market: Market, demand: Demand, start: F64 | None) -> Equilibrium:
        """Equilibrium without bounds and minimum fills; raises ``NotConverged``."""


def propose(
    case: ClearingCase, *, solver: SolverChoice = "auto", kernels: KernelChoice = "auto"
) -> Proposal:
    """Clear a case.

    Parameters
    ----------
    case : integers; orders in any sequence, which does not change the answer.
    solver : ``ndas`` (exact), ``qp`` (generic, slow), ``auto``: the first, then the second.
    kernels : implementation of the heavy parts; ``auto`` is numpy below a million orders, above
        it numba where it is installed. Both give the same integers, with the one exception that
        :mod:`convexfx_core.clearing.kernels` names.

    Raises
    ------
    ClearingRefused
        NOT_CONVERGED with the reasons of all rungs that were asked, when none of them finds the
        equilibrium. What another solver would meet again is refused at once, and no further rung is
        asked: minimum fills that do not settle, a cut that meets no bound, a value out of range.
    """
    problem, chosen, reasons = *_posed(case, kernels), []
    for name, rung in _LADDER.items():
        if solver not in ("auto", name):
            continue
        try:
            return _clear(problem, partial(rung, kernels=chosen), f"{name}-{chosen.name}")
        except NotConverged as failure:
            reasons.append(f"{name}: {failure.reason}")
    raise ClearingRefused(
        ClearingCode.NOT_CONVERGED, "clearing", "a solver that converges", "; ".join(reasons)
    )


def _ndas(market: Market, demand: Demand, start: F64 | None, *, kernels: Kernels) -> Equilibrium:
    return solve(market, demand, kernels, start)


def _qp(market: Market, demand: Demand, start: F64 | None, *, kernels: Kernels) -> Equilibrium:
    reasons = []
    for backend in BACKENDS:
        try:
            return solve_by_qp(market, demand, kernels, start, backend)
        except NotConverged as failure:
            reasons.append(failure.reason)
    raise NotConverged("; ".join(reasons))


_LADDER: Final = {"ndas": _ndas, "qp": _qp}


def _posed(case: ClearingCase, kernels: KernelChoice) -> tuple[Problem, Kernels]:
    chosen = load(kernels, len(case.orders))
    return pose(case, chosen.read_rows), chosen


@dataclass(frozen=True, slots=True)
class _Answer:
    """Integers of one equilibrium."""

    prices: tuple[int, ...]
    overflow: tuple[int, ...]
    rates: Rates
    demanded: U64
    rationed: Rationed | None

    @property
    def paid(self) -> U64:
        return self.rationed.paid if self.rationed else self.demanded


def _clear(posed: Problem, solver: Solver, name: str) -> Proposal:
    """Settle the minimum fills, from nobody rejected or, where that cycles, from other beginnings.

    Raises :class:`ClearingRefused` where they do not settle: the next rung is not asked, since
    another solver finds the same prices.
    """
    # The first beginning is the natural one; each of the others gets a quarter of its rounds.
    rounds = rounds_max(len(posed.case.orders))
    for start in range(STARTS):
        some = rounds // 4 if start else rounds
        try:
            return _settled(posed, solver, name, rejected_at_first(posed, start), some)
        except Cycling as cycle:
            reason = cycle.reason
    raise ClearingRefused(
        ClearingCode.NOT_CONVERGED, "clearing", "minimum fills that settle", reason
    )


def _settled(
    posed: Problem, solver: Solver, name: str, rejections: Rejections, rounds: int
) -> Proposal:
    """Solve, reject, reinstate until every rejection is justified and nothing else is needed."""
    start: F64 | None = None
    for _ in range(rounds):
        dead = rejections.dead
        problem = replace(posed, demand=posed.demand.without(dead)) if dead.any() else posed
        found = solver(problem.market, problem.demand, start)
        start = found.u  # a round moves prices little: the next begins here
        short = below_minimum(problem, found)
        if len(short):
            rejections.reject(short, RejectKind.MIN_FILL)
            continue
        answer = _refined(problem, found)
        # Integers may give an order less of its level than floats do (L20).
        short = np.flatnonzero((answer.demanded > 0) & (answer.demanded < problem.min_fill))
        if len(short):
            rejections.reject(short, RejectKind.MIN_FILL)
            continue
        short = below_minimum_rationed(problem, answer.rationed)
        if len(short):
            rejections.reject(short, RejectKind.RATION_MIN_FILL)
            continue
        back = unjustified(problem, answer.rates, answer.demanded, answer.rationed, rejections)
        if back is None:
            final = (answer.prices, answer.rates, answer.demanded, answer.overflow)
            check_resolution(problem, *final)
            return _proposal(found, answer, rejections, name)
        rejections.reinstate(back)
    raise Cycling(f"not in {rounds} rounds")


def _refined(problem: Problem, found: Equilibrium) -> _Answer:
    """Integers of an equilibrium; of a better one where doubles cannot hold the sizes.

    Short prices (46 bits or fewer) are not refined: a step by one unit would leave the limits of
    partly filled orders behind.
    """
    answer = _integers(problem, found)
    if min(price.bit_length() for price in answer.prices) <= COARSE_BITS:
        return answer
    for _ in range(STEPS_MAX):
        given = (answer.prices, answer.rates, answer.demanded, answer.overflow)
        better = refined(problem, found, *given)
        if better is None:
            break
        found, answer = better, _integers(problem, better)
    return answer


def _integers(problem: Problem, found: Equilibrium) -> _Answer:
    """Round an equilibrium: prices, rates, fills, overflow, then the cut at the bounds.

    Where no cut meets the bounds at these prices, prices that move inside the tolerance of their
    rule are tried; they count only if every fill stays what it is.
    """
    case = problem.case
    overflow = round_overflow(case, found.overflow)
    prices = round_prices(case, found.u, overflow, paid_at_its_limit(found))
    prices = fit_short_prices(problem, found, prices, overflow)
    used = np.flatnonzero(np.bincount(problem.demand.pair, minlength=problem.market.n**2))
    rates = rates_of(case, prices, used)
    demanded = round_fills(problem, found, prices, rates)
    overflow = settle_overflow(problem, prices, rates, demanded, overflow)
    try:
        rationed = ration(problem, prices, rates, demanded)
    except ClearingRefused:
        moved = rationed_at_moved_prices(problem, prices, rates, demanded)
        if (
            moved is None
            or (round_fills(problem, found, moved.prices, moved.rates) != demanded).any()
        ):
            raise
        prices, rates, rationed = moved.prices, moved.rates, moved.rationed
        overflow = settle_overflow(problem, prices, rates, demanded, overflow)
    return _Answer(prices, overflow, rates, demanded, rationed)


def _proposal(found: Equilibrium, answer: _Answer, rejections: Rejections, name: str) -> Proposal:
    rejected = np.flatnonzero(rejections.kind)
    rationed = answer.rationed
    return Proposal(
        prices=answer.prices,
        paid=answer.paid,
        overflow=answer.overflow,
        ration=Ration(rationed.omega, answer.demanded) if rationed else None,
        rejected=rejected.astype(np.int64),
        reject_kinds=rejections.kind[rejected],
        iterations=found.iterations,
        step_norm_y=found.step_norm_y,
        step_norm_alpha=found.step_norm_alpha,
        solver=name,
    )
