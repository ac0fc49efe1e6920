"""At a binding bound no minimum fits, so "it does not fit" must not be a reason by itself.

The fills end at the bound. A law that asks a rejected order only whether its minimum still fits
beside them lets the operator throw out anybody who signed a minimum of one unit, and give his part
to a friend. L11 asks as well whether the order would have got less than its minimum with everybody
else cut alike.
"""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.clear_files.verify import claims_of
from convexfx_core.clearing import propose
from convexfx_core.errors import ClearingRefused, LawViolated
from convexfx_core.laws import certify, l11_rejects
from convexfx_core.laws.certify import check_clearing
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal, RejectKind
from convexfx_core.settlement.settle import settle
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_oracle import check

BOUND = Shape(assets=3, orders=40, gross=300.0, bounds=10.0)
SEEDS = range(30)


def thrown_out(case: ClearingCase, victim: int) -> tuple[ClearingCase, Proposal] | None:
    """The batch with a minimum of one unit for the victim, cleared as if he could not be served."""
    rows = case.orders.copy()
    rows["min_fill"][victim] = 1
    others = np.arange(len(rows)) != victim
    try:
        found = propose(replace(case, orders=rows[others]), kernels="numpy")
    except ClearingRefused:
        return None
    if found.ration is None:
        return None
    paid, demanded = (np.insert(x, victim, 0) for x in (found.paid, found.ration.demanded))
    told = replace(
        found,
        paid=paid,
        ration=replace(found.ration, demanded=demanded),
        rejected=np.array([victim]),
        reject_kinds=np.array([RejectKind.RATION_MIN_FILL], dtype=np.uint8),
    )
    return replace(case, orders=rows), told


def refusal(case: ClearingCase, proposal: Proposal, engine: str) -> tuple[int, int] | None:
    """(law, index), None where all laws hold."""
    try:
        check_clearing(case, claims_of(proposal, settle(case, proposal)), engine=engine)
    except LawViolated as error:
        return error.law, error.index
    return None


def accepted_without_the_cure(case: ClearingCase, proposal: Proposal) -> bool:
    """Whether the laws hold if a minimum that does not fit is reason enough."""
    found = certify.l11_rejects.breach

    def lenient(*given: object) -> object:
        breach = found(*given)
        blocked = breach is not None and breach.bound == 2 * given[-1].min_fill
        return None if blocked else breach

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(l11_rejects, "breach", lenient)
        return refusal(case, proposal, "scalar") is None


def test_an_order_at_a_bound_cannot_be_thrown_out_for_a_minimum_of_one_unit() -> None:
    refused = without = 0
    for seed in SEEDS:
        case = case_of(BOUND, seed)
        honest = propose(case, kernels="numpy")
        if honest.ration is None:
            continue
        served = np.flatnonzero((honest.paid > 0) & (honest.paid < honest.ration.demanded))
        for victim in served[np.argsort(case.orders["budget"][served])][-2:].tolist():
            told = thrown_out(case, victim)
            if told is None:
                continue
            seen = {refusal(*told, engine) for engine in ("scalar", "columnar")}
            assert len(seen) == 1
            assert seen == {(11, victim)}
            assert 11 in check(*told).laws
            refused += 1
            without += accepted_without_the_cure(*told)
    assert refused >= 20
    assert without >= refused // 2


def test_an_order_whose_share_is_below_its_minimum_may_be_left_out() -> None:
    """The smallest neighbour: the same order, asking for all or nothing."""
    lawful = 0
    for seed in SEEDS:
        case = case_of(BOUND, seed)
        rows = case.orders.copy()
        rows["min_fill"][::4] = rows["budget"][::4]
        asking = replace(case, orders=rows)
        try:
            proposal = propose(asking, kernels="numpy")
        except ClearingRefused:
            continue
        assert refusal(asking, proposal, "scalar") is None
        assert refusal(asking, proposal, "columnar") is None
        assert not check(asking, proposal).violations
        lawful += int((proposal.reject_kinds == RejectKind.RATION_MIN_FILL).sum())
    assert lawful >= 10
