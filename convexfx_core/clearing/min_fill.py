"""Minimum fills: reject and solve again, then give back what was rejected without need.

An order with a minimum fill wants at least that much or nothing. Choosing is combinatorial: the
best set of orders is NP-hard to find. This is a deterministic policy instead. An order that would
be filled below its minimum is rejected; so is one that rationing pushes below it. At the final
prices every rejection must be justified in integers (L11): with its minimum on top, the price would
leave the order's limit (kind 1), or a bound would break (kind 2). The least justified one is
reinstated, and ``ladder`` solves again. Source: ``docs/clearing.md`` section 5.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convexfx_core.clearing.curves import GOLDEN
from convexfx_core.clearing.flows import Flows, flows_of
from convexfx_core.clearing.problem import BPS, F64, I64, U64, Mask, Problem, grouped_sum
from convexfx_core.clearing.ration import Rationed, bounds, rounding_slack
from convexfx_core.clearing.ration_settle import ONE
from convexfx_core.clearing.rounding import Rates, canonical_order, least_rates
from convexfx_core.clearing.scp import Equilibrium, NotConverged
from convexfx_core.settlement.proposal import RejectKind

U8: TypeAlias = NDArray[np.uint8]
ROUNDS_MIN: Final = 400
"""Rounds that every batch may take; a large batch gets two per order."""
ROUNDS_WORK_MAX: Final = 100_000_000
"""Orders looked at in all rounds beyond these: a minute."""
STARTS: Final = 24
"""Sets of rejections from which the rounds begin before they are given up."""
REINSTATED_MAX: Final = 8
SHARED_MAX: Final = 2
"""How often an order comes back because L11 wants it, and because a proportional share would serve
it. Without an end, orders whose minima exclude each other would take turns."""
_SHARE_EPS: Final = 1e-9
"""A share as near as this to its bound counts as above it: floats and integers may judge apart."""
_TIE: Final = 2.8e-11
"""Just below twice 2^-36: L11 grants tau of both assets, and 2^-36 is the least tau. What is
justified here is justified there."""


class Cycling(NotConverged):
    """An order that must come back is pushed out again and again."""


def rounds_max(count: int) -> int:
    """Rounds of solve and reject that a batch of ``count`` orders may take.

    A round rejects a level of each pair at least, so that a ladder of all-or-nothing orders needs
    as many rounds as it has levels.
    """
    return max(ROUNDS_MIN, min(2 * count, ROUNDS_WORK_MAX // max(1, count)))


@dataclass(slots=True)
class Rejections:
    """Who is out, by position.

    Attributes
    ----------
    kind : u8[K] 0 or a :class:`RejectKind`.
    returned : positions and how often they were reinstated.
    """

    kind: U8
    returned: dict[int, int] = field(default_factory=dict)

    @property
    def dead(self) -> Mask:
        """Orders that take no part, bool[K]."""
        out: Mask = self.kind > 0
        return out

    def reject(self, positions: I64, kind: RejectKind) -> None:
        """Leave orders out."""
        self.kind[positions] = kind

    def reinstate(self, position: int) -> None:
        """Let an order take part again."""
        self.kind[position] = 0
        self.returned[position] = self.returned.get(position, 0) + 1


def rejected_at_first(problem: Problem, start: int) -> Rejections:
    """Beginning number ``start`` of the rounds: nobody is out, then parts of all with a minimum.

    The parts are scattered over the canonical order, so that the sequence of the orders does not
    matter, and their size differs from start to start.
    """
    kind = np.zeros(len(problem.min_fill), dtype=np.uint8)
    if start:
        asking = np.flatnonzero(problem.min_fill)
        place = np.modf((_rank(problem, asking) + 1.0) * GOLDEN * start)[0]
        part = np.modf(GOLDEN * start)[0]
        kind[asking[place < part]] = RejectKind.MIN_FILL
    return Rejections(kind)


def below_minimum(problem: Problem, found: Equilibrium) -> I64:
    """Positions on partly filled levels whose share is positive and below their minimum."""
    some = found.partial(problem.demand)
    share = found.share[problem.demand.pair[some]] * problem.budget[some].astype(np.float64)
    least = problem.min_fill[some].astype(np.float64)
    # 1e-12 covers the rounding of the share: an order exactly at its minimum stays.
    short = (share > 0.0) & (share < least * (1.0 - 1e-12))
    out: I64 = some[short]
    return out


def below_minimum_rationed(problem: Problem, rationed: Rationed | None) -> I64:
    """The order of each directed pair that is furthest below its minimum after rationing.

    All orders of a pair are cut by the same part, so the furthest is the one whose minimum is the
    largest part of its budget; without it the others may be cut less.
    """
    if rationed is None:
        return np.zeros(0, dtype=np.int64)
    least = problem.min_fill
    short = np.flatnonzero((rationed.paid > 0) & (rationed.paid < least))
    if not len(short):
        return short
    asked = least[short] / problem.budget[short].astype(np.float64)
    pair = problem.demand.pair[short]
    order = np.lexsort((_rank(problem, short), -asked, pair))
    first = np.ones(len(short), dtype=bool)
    first[1:] = pair[order][1:] != pair[order][:-1]
    out: I64 = short[order[first]]
    return out


def _rank(problem: Problem, chosen: I64) -> I64:
    """Place of each in canonical order, which does not depend on the sequence of the orders."""
    rank = np.empty(len(chosen), dtype=np.int64)
    rank[canonical_order(problem.case, chosen)] = np.arange(len(chosen))
    return rank


def unjustified(
    problem: Problem,
    rates: Rates,
    demanded: U64,
    rationed: Rationed | None,
    rejections: Rejections,
) -> int | None:
    """The rejected order to let in again, or None if all are justified.

    First those whose rejection no law allows, the least justified one first; then those that a
    fair share at these prices would serve. Raises :class:`Cycling` if an order that must come back
    was pushed out :data:`REINSTATED_MAX` times.
    """
    out = np.flatnonzero(rejections.dead)
    if not len(out):
        return None
    excess, share = np.full(len(out), -np.inf), np.full(len(out), -np.inf)
    priced = rejections.kind[out] == RejectKind.MIN_FILL
    excess[priced] = _price_excess(problem, rates, out[priced])
    if not priced.all():
        ahead = _ration_excess(problem, rates, demanded, rationed, out[~priced])
        excess[~priced], share[~priced] = ahead
    returned = np.array([rejections.returned.get(k, 0) for k in out.tolist()])
    rank = _rank(problem, out)
    for surplus, most in ((excess, REINSTATED_MAX), (share, SHARED_MAX)):
        again = (surplus > 0.0) & (returned < most)
        if again.any():
            return int(out[np.lexsort((rank, -surplus, ~again))[0]])
    if (excess > 0.0).any():
        raise Cycling(f"a minimum fill stays out without need {REINSTATED_MAX} times")
    return None


def _price_excess(problem: Problem, rates: Rates, chosen: I64) -> F64:
    """How far each price would stay inside the order's limit with its minimum filled on top.

    As a part of the rate, in floats; positive means that L11 does not allow the rejection. kappa is
    how many bps the price of the pair moves for a $M traded on it.
    """
    market, n = problem.market, problem.market.n
    pair = problem.demand.pair[chosen]
    pay, receive = pair // n, pair % n
    own = np.diag(market.impact)
    kappa = own[pay] + own[receive] - 2.0 * market.impact[pay, receive]
    value = problem.min_fill[chosen] * (market.unit_value / problem.quantum)[pay]
    net = rates.net[pair].astype(np.float64)
    limit = least_rates(problem, rates, chosen).astype(np.float64)
    excess = (net - limit) / np.maximum(net, 1.0) - kappa * value * BPS - _TIE
    # No move inside the bands breaks a limit that the worst rate meets.
    return np.where(limit <= rates.worst[pair].astype(np.float64), 1.0, excess)


def _ration_excess(
    problem: Problem, rates: Rates, demanded: U64, rationed: Rationed | None, chosen: I64
) -> tuple[F64, F64]:
    """Positive where L11 gives no reason to leave the order out; where its share would reach it."""
    n = problem.market.n
    pair = problem.demand.pair[chosen]
    paid = rationed.paid if rationed else demanded
    least = problem.min_fill[chosen].astype(np.float64)
    budget = problem.budget[chosen].astype(np.float64)
    flow = flows_of(n, problem.demand.pair, paid, rates.gross, rates.shift)
    wanted = flows_of(n, problem.demand.pair, demanded, rates.gross, rates.shift)
    slack = np.array(rounding_slack(problem, rates, demanded, wanted), dtype=np.float64)
    up, down = _room(problem, flow)
    rate = rates.gross[pair].astype(np.float64) * np.exp2(-rates.shift[pair].astype(np.float64))
    pay, receive, gross = pair // n, pair % n, budget * rate
    into, out, want_in, want_out = (
        np.array(side, dtype=np.float64) for side in (flow.into, flow.out, wanted.into, wanted.out)
    )
    pays = budget * (into + up.clip(0.0))[pay] / (want_in[pay] + budget)
    receives = budget * (out + down.clip(0.0))[receive] / (want_out[receive] + gross)
    # Infinite where the bound is not in the way: then it gives no reason to leave the order out.
    pays[least <= (up - slack)[pay]] = np.inf
    receives[least * rate <= (down - slack)[receive]] = np.inf
    fair = np.minimum(pays, receives)
    volume = grouped_sum(problem.demand.pair, demanded.astype(np.float64), n * n)[pair]
    kept = budget * (1.0 - _cut_of(problem, rate, rationed, pay, receive))
    short = np.minimum(kept, fair) < 2.0 * least * (1.0 - _SHARE_EPS)
    # The pair's fills, were they shared out again with this order among them.
    share = kept * (volume / (volume + budget))
    return np.where(np.isfinite(fair) & short, -1.0, 1.0), share / least - 1.0


def _cut_of(problem: Problem, rate: F64, rationed: Rationed | None, pay: I64, receive: I64) -> F64:
    """h of these pairs at their ``rate``, as L10 has it for every pair, also one nobody trades."""
    if rationed is None:
        return np.zeros(len(pay))
    pbar = np.array(problem.case.reference.pbar, dtype=np.float64)
    omega = np.array(rationed.omega, dtype=np.float64) / ONE
    rho = rate * pbar[receive] / pbar[pay]
    out: F64 = np.clip(rho * omega[receive] - omega[pay], 0.0, 1.0)
    return out


def _room(problem: Problem, flow: Flows) -> tuple[F64, F64]:
    """How much each inventory could still rise and fall inside its bounds, base units."""
    low, high = bounds(problem)
    after = flow.after(problem.case)
    up = [float(b - q) for b, q in zip(high, after, strict=True)]
    down = [float(q - a) for a, q in zip(low, after, strict=True)]
    return np.array(up), np.array(down)
