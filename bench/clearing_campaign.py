"""Long runs of the clearing's acceptance, in pieces: seeds from ``--start`` until time is up.

``python -m bench.clearing_campaign WHAT --start N --count N --seconds S`` prints one JSON line:
instances, seconds, a tally of outcomes, and the seeds that failed with the reason. WHAT:

instances  random markets of every kind: certified by the plain oracle and by the laws, or refused
           for a reason that the oracle confirms; prices against PIQP on the per-order programme
twins      numpy and numba: both certified, prices within 1e-9 bps, how often the same integers
binding    markets built to bind their inventory bounds: inside to the unit, equal cuts by pair
mutations  mutated result files: a typed refusal of one line, or the same amounts
large      one batch of 100,000 orders by row, by columns and compiled, honest and tampered
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from unittest import mock

import numpy as np

from convexfx_core.clear_files.verify import claims_of, verify_result
from convexfx_core.clearing import propose
from convexfx_core.clearing.kernels import load
from convexfx_core.clearing.problem import pose
from convexfx_core.clearing.qp import Backend, solve_subproblem
from convexfx_core.clearing.scp import NotConverged, solve
from convexfx_core.errors import ClearingCode, ClearingRefused, LawViolated
from convexfx_core.laws import check_clearing
from convexfx_core.laws.engine import Engine
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import settle
from tests.attack import test_result_fuzz as mutations
from tests.attack.result_batches import cleared, result_bytes
from tests.differential.clearing.test_solvers import per_order
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_oracle import check

NUMPY: Final = load("numpy")
GENERIC: Final[tuple[tuple[Backend, float], ...]] = (
    ("piqp", 1e-10), ("piqp", 1e-12), ("cvxpy", 1e-10), ("cvxpy", 1e-12),
)  # fmt: skip
"""A generic solver's own error can be larger than what is asked; then it is asked for more."""
GENERIC_BPS: Final = 1e-4
TWIN_BPS: Final = 1e-9
LARGE_ORDERS: Final = 100_000
ENGINES: Final[tuple[Engine, ...]] = ("scalar", "columnar", "compiled")


class Failed(Exception):
    """An instance that does not hold."""


def expect(holds: bool, text: str) -> None:
    """Raise :class:`Failed` unless it holds."""
    if not holds:
        raise Failed(text)


def shape_of(rng: np.random.Generator) -> Shape:
    """A random market of any kind: coarse or fine units, any band, few orders or many."""
    coarse = bool(rng.random() < 0.3)
    return Shape(
        assets=int(rng.integers(2, 21)),
        orders=int(rng.choice([rng.integers(2), rng.integers(1, 401), rng.integers(1, 401)])),
        gross=float(rng.choice([0.001, 1.0, 50.0, 500.0])),
        band=float(rng.choice([0.0, 2.0, 10.0, 50.0, 300.0])),
        impact=float(rng.choice([0.0, 0.05, 0.3, 1.0, 5.0])),
        depth=float(rng.choice([0.0, 0.0, 6.0, 100.0])),
        market=float(rng.choice([0.0, 0.3, 1.0])),
        tick=float(rng.choice([0.0, 1.0, 5.0])),
        min_fill=float(rng.choice([0.0, 0.3, 0.8])),
        fee_ppm=int(rng.integers(0, 1501)),
        bounds=float(rng.choice([1e6, 50.0, 5.0])),
        decimals=(0, 9) if coarse else (6, 6),
        numeraire_decimals=int(rng.integers(0, 10)) if coarse else 6,
        prices=(0.005, 5e4) if coarse else (0.005, 2.0),
    )


def market_of_seed(seed: int) -> ClearingCase:
    """The market of a seed; one in twenty has budgets of 2^61 in a pool to match."""
    rng = np.random.default_rng(700_000 + seed)
    if seed % 20:
        return case_of(shape_of(rng), seed)
    assets, orders = int(rng.integers(2, 6)), int(rng.integers(1, 60))
    huge = Shape(assets=assets, orders=orders, gross=1e6, impact=1e-5, bounds=1e12, prices=(0.7, 2))
    case = case_of(huge, seed)
    rows = case.orders.copy()
    rows["budget"][::3] = (1 << 61) + seed % 7
    return replace(case, orders=rows)


def certified(case: ClearingCase, proposal: Proposal) -> None:
    """Hold a proposal to the plain oracle and to the laws."""
    found = check(case, proposal).violations
    expect(not found, f"oracle {found[:2]}")
    settlement = settle(case, proposal)
    try:
        check_clearing(case, claims_of(proposal, settlement))
    except LawViolated as violation:
        raise Failed(violation.line()) from violation
    moved = zip(case.inventory, settlement.flow_in, settlement.flow_out, strict=True)
    after = tuple(q + more - less for q, more, less in moved)
    expect(after == settlement.inventory_after, "conservation")


def confirmed(case: ClearingCase, refusal: ClearingRefused) -> None:
    """The oracle finds a violation in what would have been proposed, for the reason given."""
    if refusal.code == ClearingCode.VALUE_RANGE:
        # Admission turns such orders away (AMOUNT_RANGE); a bare market may hold them.
        expect(most_received(case) >= 1 << 63, f"refused without need: {refusal}")
        return
    expect(refusal.code == ClearingCode.NO_CERTIFICATE, f"refused: {refusal}")
    with mock.patch("convexfx_core.clearing.ladder.check_resolution"):
        proposal = propose(case, kernels="numpy")
    expect(9 in check(case, proposal).laws, f"refused without need: {refusal}")


def most_received(case: ClearingCase) -> int:
    """The most that any order could receive at prices inside the bands, base units."""
    rows, reference = case.orders, case.reference
    columns = (rows[name].tolist() for name in ("budget", "pay", "receive"))
    return max(b * reference.phi[i] // reference.plo[j] for b, i, j in zip(*columns, strict=True))


def instance(seed: int) -> str:
    """One random market."""
    case = market_of_seed(seed)
    try:
        certified(case, propose(case, kernels="numpy"))
    except ClearingRefused as refusal:
        confirmed(case, refusal)
        return "refused, confirmed"
    problem = pose(case)
    if not len(case.orders):
        return "certified, no orders"
    try:
        found = solve(problem.market, problem.demand, NUMPY)
    except NotConverged:
        return "certified by the generic rung"
    programme = per_order(problem.market, problem.demand, found)
    for backend, accuracy in GENERIC:
        try:
            other = solve_subproblem(programme, backend, accuracy)
        except NotConverged:
            continue
        off = float(np.abs(other.u - found.u).max())
        if off <= GENERIC_BPS:
            return f"certified, {backend} at {accuracy:g} agrees"
    raise Failed("no generic solver agrees")


def twins(seed: int) -> str:
    """One market by both implementations."""
    case = market_of_seed(seed)
    outcomes: list[Proposal | str] = []
    for kernels in ("numpy", "numba"):
        try:
            proposal = propose(case, kernels="numba" if kernels == "numba" else "numpy")
            check_clearing(case, claims_of(proposal, settle(case, proposal)))
            outcomes.append(proposal)
        except ClearingRefused as refusal:
            outcomes.append(str(refusal.code))
    here, there = outcomes
    if isinstance(here, str) or isinstance(there, str):
        expect(here == there, "one refuses, one does not")
        return "both refuse"
    problem = pose(case)
    pair = [solve(problem.market, problem.demand, load(k)).u for k in ("numpy", "numba")]
    off = float(np.abs(pair[0] - pair[1]).max())
    expect(off <= TWIN_BPS, f"prices differ by {off:.2g} bps")
    same = here.prices == there.prices and bool((here.paid == there.paid).all())
    same = same and here.overflow == there.overflow
    return "same integers" if same else f"other integers: seed {seed}"


def binding(seed: int) -> str:
    """One market whose inventory bounds bind."""
    rng = np.random.default_rng(900_000 + seed)
    shape = Shape(
        assets=int(rng.integers(2, 8)),
        orders=int(rng.integers(20, 200)),
        bounds=float(rng.choice([2.0, 4.0, 8.0])),
        gross=float(rng.choice([100.0, 200.0, 500.0])),
        min_fill=float(rng.choice([0.0, 0.0, 0.3])),
        band=float(rng.choice([2.0, 50.0])),
        decimals=(4, 8),
    )
    case = case_of(shape, seed)
    proposal = propose(case, kernels="numpy")
    certified(case, proposal)
    if proposal.ration is None:
        return "does not bind"
    after = settle(case, proposal).inventory_after
    rows = zip(after, case.inventory, case.params.q_min, case.params.q_max, strict=True)
    expect(all(min(q, low) <= x <= max(q, high) for x, q, low, high in rows), "outside by a unit")
    pair = pose(case).demand.pair
    for one in np.unique(pair):
        some = np.flatnonzero((pair == one) & (proposal.ration.demanded > 0) & (proposal.paid > 0))
        wants = [int(w) for w in proposal.ration.demanded[some]]
        paid = [int(p) for p in proposal.paid[some]]
        for w, p in zip(wants, paid, strict=True):
            fair = all(p * v <= (q + 1) * w for v, q in zip(wants, paid, strict=True))
            expect(fair, f"pair {one}: cuts differ by more than a unit")
    return "binds"


def levels(seed: int) -> str:
    """One market of equal and nearly equal limits, on the three engines of the laws.

    Mantissas one unit apart are one level of the floats; some stand beside each other for one l.
    """
    rng = np.random.default_rng(1_100_000 + seed)
    shape = replace(
        shape_of(rng),
        tick=float(rng.choice([1.0, 5.0, 20.0])),
        market=float(rng.choice([0.0, 0.2])),
    )
    case = case_of(replace(shape, orders=int(rng.integers(20, 401))), seed)
    rows = case.orders.copy()
    limited = np.flatnonzero(rows["limit_m"])
    near = limited[rng.random(len(limited)) < rng.choice([0.0, 0.3, 1.0])]
    rows["limit_m"][near] += rng.integers(
        0, int(rng.choice([2, 4, 600])), len(near), dtype=np.uint64
    )
    case = replace(case, orders=rows)
    try:
        proposal = propose(case, kernels="numpy")
    except ClearingRefused as refusal:
        confirmed(case, refusal)
        return "refused, confirmed"
    certified(case, proposal)
    claims = claims_of(proposal, settle(case, proposal))
    for engine in ENGINES:
        check_clearing(case, claims, engine=engine)
    wanted = proposal.ration.demanded if proposal.ration is not None else proposal.paid
    return "shared" if ((wanted > 0) & (wanted < rows["budget"])).any() else "nothing to share"


def mutation(seed: int) -> str:
    """One mutated result file."""
    rng = random.Random(seed)
    kinds = ("plain", "rationed", "crowded", "banded", "rejecting")
    batch, tree = cleared(kinds[seed % len(kinds)])
    way = rng.randrange(3)
    if way == 0:
        data = mutations.mutated_tree(rng, tree)
    else:
        change = (mutations.mutated_bytes, mutations.mutated_digit)[way - 1]
        data = change(rng, result_bytes(tree))
    ended = mutations.outcome(lambda: verify_result(batch, data))
    if ended == "holds":
        expect(mutations.same_amounts(data, tree), "other amounts hold")
    return ended


def large(seed: int) -> str:
    """A batch of 100,000 orders, honest and with one claim changed, by every engine."""
    rng = np.random.default_rng(seed)
    shape = Shape(assets=int(rng.integers(3, 21)), orders=LARGE_ORDERS, gross=2000.0)
    shape = replace(shape, bounds=float(rng.choice([1e6, 20.0])))
    case = case_of(shape, seed)
    proposal = propose(case)
    claims = claims_of(proposal, settle(case, proposal))
    paid, received = claims.paid.copy(), claims.received.copy()
    at = int(rng.integers(LARGE_ORDERS))
    paid[at] += np.uint64(1)
    received[-at] += np.uint64(1)
    # A step that moves every rate: one unit of price may leave all of them as they are.
    prices = (*claims.prices[:-1], claims.prices[-1] + (claims.prices[-1] >> 40) + 1)
    forged = [replace(claims, paid=paid), replace(claims, received=received)]
    forged += [replace(claims, prices=prices)]
    for lie in (claims, *forged):
        seen = set[str]()
        for engine in ENGINES:
            try:
                certificate = check_clearing(case, lie, engine=engine)
                seen.add(repr(certificate))
            except LawViolated as violation:
                seen.add(violation.line())
        expect(len(seen) == 1, f"paths differ: {sorted(seen)}")
        expect((lie is claims) == (not next(iter(seen)).startswith("L")), f"{seen}")
    return "same verdicts"


KINDS: Final[dict[str, Callable[[int], str]]] = {
    "instances": instance,
    "twins": twins,
    "binding": binding,
    "levels": levels,
    "mutations": mutation,
    "large": large,
}


def run(what: str, start: int, count: int, seconds: float) -> dict[str, Any]:
    """Run seeds from ``start`` on, at most ``count``, for about ``seconds``."""
    tally, failed, began = Counter[str](), [], time.perf_counter()
    done = 0
    while done < count and time.perf_counter() - began < seconds:
        try:
            tally[KINDS[what](start + done)] += 1
        except Exception as error:
            failed.append({"seed": start + done, "why": f"{type(error).__name__}: {error}"[:300]})
        done += 1
    spent = round(time.perf_counter() - began, 1)
    return {
        "what": what, "start": start, "instances": done, "seconds": spent,
        "outcomes": dict(tally), "failed": failed,
    }  # fmt: skip


def main() -> int:
    """Print one JSON line; 1 if a seed failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=sorted(KINDS))
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--count", type=int, default=1 << 40)
    parser.add_argument("--seconds", type=float, default=330.0)
    given = parser.parse_args()
    found = run(given.what, given.start, given.count, given.seconds)
    print(json.dumps(found), flush=True)
    return int(bool(found["failed"]))


if __name__ == "__main__":
    sys.exit(main())
