"""Both paths of the laws and a checker written from the specification alone give one verdict."""

import os
from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.clear_files.verify import claims_of
from convexfx_core.clearing import propose
from convexfx_core.errors import ClearingRefused, LawViolated
from convexfx_core.laws.certify import check_clearing
from convexfx_core.laws.claims import Certificate, ClearingClaims
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal, Ration
from convexfx_core.settlement.settle import settle
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_oracle import check

RUNS = int(os.environ.get("CONVEXFX_FUZZ", "150"))
SHAPES = (
    Shape(assets=3, orders=20, impact=2.0),
    Shape(assets=6, orders=60, tick=1.0, depth=4.0),
    Shape(assets=4, orders=40, bounds=30.0, min_fill=0.3),
    Shape(assets=5, orders=50, band=4.0, gross=2000.0, decimals=(0, 7), fee_ppm=1500),
    Shape(assets=2, orders=3, prices=(0.005, 50_000.0), decimals=(0, 9)),
    Shape(assets=7, orders=0, impact=5.0),
    Shape(assets=4, orders=80, bounds=8.0, min_fill=0.6, tick=0.5),
)


def verdict(case: ClearingCase, claims: ClearingClaims, engine: str) -> Certificate | tuple:
    try:
        return check_clearing(case, claims, engine=engine)
    except LawViolated as error:
        return error.law, error.index, error.line()


def cleared(seed: int) -> tuple[ClearingCase, Proposal]:
    case = case_of(SHAPES[seed % len(SHAPES)], 1000 + seed)
    return case, propose(case, kernels="numpy")


def test_every_proposal_of_the_clearing_is_certified_by_both_paths() -> None:
    rationed = rejected = 0
    for seed in range(RUNS):
        case, proposal = cleared(seed)
        claims = claims_of(proposal, settle(case, proposal))
        seen = verdict(case, claims, "scalar")
        assert isinstance(seen, Certificate), (seed, seen)
        assert seen == verdict(case, claims, "columnar"), seed
        assert not check(case, proposal).violations, seed
        assert list(seen.tau) == check(case, proposal).tau
        assert list(seen.residual) == check(case, proposal).residual
        rationed += proposal.ration is not None
        rejected += len(proposal.rejected)
    assert rationed > RUNS // 20
    assert rejected > RUNS // 20


def disturbed(rng: np.random.Generator, case: ClearingCase, proposal: Proposal) -> Proposal:
    """One thing in the proposal moved, by a little or by a lot."""
    n, count = case.params.n, len(proposal.paid)
    size = int(2.0 ** rng.uniform(0, 45)) * int(rng.choice((-1, 1)))
    kind = rng.integers(0, 6) if count else 0
    if kind == 0:
        at = int(rng.integers(0, n))
        prices = list(proposal.prices)
        prices[at] = max(1, prices[at] + size * 1000)
        return replace(proposal, prices=tuple(prices))
    if kind == 1:
        at = int(rng.integers(0, n))
        overflow = tuple(v + size * (i == at) for i, v in enumerate(proposal.overflow))
        return replace(proposal, overflow=overflow)
    if kind == 2 and proposal.ration is not None:
        at = int(rng.integers(0, n))
        omega = tuple(w + size * (i == at) for i, w in enumerate(proposal.ration.omega))
        return replace(proposal, ration=Ration(omega, proposal.ration.demanded))
    if kind == 3 and proposal.ration is not None:
        return replace(
            proposal,
            ration=Ration(proposal.ration.omega, moved(rng, proposal.ration.demanded, size)),
        )
    if kind == 4 and len(proposal.rejected):
        return replace(
            proposal, rejected=proposal.rejected[1:], reject_kinds=proposal.reject_kinds[1:]
        )
    return replace(proposal, paid=moved(rng, proposal.paid, size))


def moved(rng: np.random.Generator, column: np.ndarray, size: int) -> np.ndarray:
    """One entry moved; between none and 2^62."""
    column, at = column.copy(), int(rng.integers(0, len(column)))
    column[at] = min(max(0, int(column[at]) + size), (1 << 62) - 1)
    return column


def lawful(report_laws: set[int]) -> set[int]:
    """Laws among those that the other checker knows as laws, its grids set aside."""
    return report_laws & {1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 17}


def test_disturbed_proposals_get_one_verdict() -> None:
    rng, refused, held = np.random.default_rng(9), 0, 0
    for seed in range(2 * RUNS):
        case, proposal = cleared(seed % RUNS)
        other = disturbed(rng, case, proposal)
        try:
            claims = claims_of(other, settle(case, other))
        except ClearingRefused:
            continue
        seen = verdict(case, claims, "scalar")
        assert seen == verdict(case, claims, "columnar"), seed
        laws = lawful(check(case, other).laws)
        if isinstance(seen, Certificate):
            held += 1
            assert not laws & {2, 4, 5, 8, 9, 12, 17}, (seed, laws)
        else:
            refused += 1
            unseen = {0, 3, 9, 10, 11} | ({5} if other.ration else set())
            assert seen[0] in laws | unseen or seen[:2] == (8, 0), (seed, seen, laws)
    assert refused > RUNS // 2
    assert held > RUNS // 20


@pytest.mark.parametrize("column", ["received", "fee"])
def test_one_wrong_amount_among_100_000_is_found_by_both_paths(column: str) -> None:
    case = case_of(Shape(assets=20, orders=100_000, gross=4000.0, depth=5.0), 4)
    proposal = propose(case, kernels="numpy")
    claims = claims_of(proposal, settle(case, proposal))
    seen = check_clearing(case, claims, engine="columnar")
    at = int(np.flatnonzero(proposal.paid)[-1])
    wrong = getattr(claims, column).copy()
    wrong[at] += np.uint64(1)
    lie = replace(claims, **{column: wrong})
    assert verdict(case, lie, "columnar")[:2] == (3, at)
    if column == "received":
        assert check_clearing(case, claims, engine="scalar") == seen
        assert verdict(case, lie, "scalar") == verdict(case, lie, "columnar")
