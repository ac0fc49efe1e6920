"""Rationing: smallest equal cuts, exact at the bounds."""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.clearing import propose
from convexfx_core.clearing.flows import flows_of
from convexfx_core.clearing.problem import Problem, pose
from convexfx_core.clearing.ration import bounds, ration, rounding_slack
from convexfx_core.clearing.ration_dual import Box
from convexfx_core.clearing.ration_settle import ONE, _misses
from convexfx_core.clearing.rounding import Rates, rates_of
from convexfx_core.errors import ClearingRefused
from convexfx_core.settlement.clearing_input import ClearingCase
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_hard import built, pairs, risk
from tests.support.clearing_oracle import check


def buyers(count: int, room: float, **options: object) -> ClearingCase:
    """Market orders that all take asset 1, paying 0 or 2; ``room`` in $M on either side."""
    rng = np.random.default_rng(count)
    pay = np.where(np.arange(count) % 2 == 0, 0, 2)
    value = rng.uniform(0.5, 2.0, count)
    limit = np.full(count, np.inf)
    one = np.ones(count, dtype=np.int64)
    return built(risk(3, 0.1), pay, one, value, limit, room=room, **options)  # type: ignore[arg-type] # keyword options of the builder


def everything(case: ClearingCase) -> tuple[Problem, Rates]:
    problem = pose(case)
    return problem, rates_of(case, case.reference.pbar, np.unique(problem.demand.pair))


def test_nothing_is_cut_while_all_fits() -> None:
    case = buyers(6, 100.0)
    problem, rates = everything(case)
    assert ration(problem, case.reference.pbar, rates, case.orders["budget"]) is None
    assert propose(case, kernels="numpy").ration is None


def test_what_does_not_fit_is_cut_in_one_proportion() -> None:
    case = buyers(20, 4.0)
    proposal = propose(case, kernels="numpy")
    assert proposal.ration is not None
    assert proposal.ration.omega[1] > 0
    wanted = proposal.ration.demanded.astype(np.float64)
    share = proposal.paid / wanted
    for paid in (0, 2):
        some = share[case.orders["pay"] == paid]
        assert some.max() - some.min() < 2.0 / wanted.min()
        assert 0.0 < some.min() < 1.0


def test_the_inventory_stops_at_its_bound_and_not_a_unit_beyond() -> None:
    bound = 0
    for count in range(1, 30):
        case = buyers(count, 0.2)
        proposal = propose(case, kernels="numpy")
        report = check(case, proposal)
        assert not report.violations
        omega = proposal.ration.omega if proposal.ration else (0, 0, 0)
        bounds_ = zip(omega, report.inventory, case.params.q_min, case.params.q_max, strict=True)
        for pull, after, low, high in bounds_:
            assert low <= after <= high
            assert pull <= 0 or after <= low + 400
            assert pull >= 0 or after >= high - 400
        bound += any(omega)
    assert bound > 20


def test_one_unit_less_room_changes_the_cut_and_still_fits() -> None:
    case = buyers(9, 2.0)
    tight = tuple(q + 1 for q in case.params.q_min)
    narrower = replace(case, params=replace(case.params, q_min=tight))
    for each in (case, narrower):
        assert not check(each, propose(each, kernels="numpy")).violations


def test_an_upper_bound_cuts_those_who_pay_in() -> None:
    rng = np.random.default_rng(0)
    count = 12
    ones, zeros = np.ones(count, np.int64), np.zeros(count, np.int64)
    value = rng.uniform(1, 2, count)
    case = built(risk(2, 0.1), ones, zeros, value, np.full(count, np.inf), room=5.0)
    proposal = propose(case, kernels="numpy")
    assert proposal.ration is not None
    assert min(proposal.ration.omega) < 0
    assert not check(case, proposal).violations


def test_an_opening_outside_its_bounds_may_come_back_but_not_go_further() -> None:
    rng = np.random.default_rng(4)
    pay, receive = pairs(rng, 3, 30)
    case = built(risk(3), pay, receive, rng.uniform(0.2, 1, 30), rng.normal(size=30) * 9)
    held = case.inventory[1]
    params = replace(case.params, q_min=(0, held + 10**12, 0))
    outside = replace(case, params=params)
    low, high = bounds(pose(outside))
    assert low[1] == held
    assert high[1] == case.params.q_max[1]
    report = check(outside, propose(outside, kernels="numpy"))
    assert not report.violations
    assert report.inventory[1] >= held


def test_no_lawful_cut_is_a_refusal_with_its_reason() -> None:
    rng = np.random.default_rng(11)
    pay, receive = pairs(rng, 3, 40)
    case = built(risk(3), pay, receive, rng.uniform(1, 2, 40), np.full(40, np.inf), room=0.0)
    with pytest.raises(ClearingRefused, match="RATION_FAILED: inventory bounds"):
        propose(case, kernels="numpy")


def test_opposite_flow_is_not_cut() -> None:
    case = buyers(10, 3.0)
    orders = np.concatenate((case.orders, case.orders[:1].copy()))
    orders[-1]["pay"], orders[-1]["receive"] = 1, 0
    orders[-1]["owner"][3] = 99
    proposal = propose(replace(case, orders=orders), kernels="numpy")
    assert proposal.ration is not None
    assert proposal.paid[-1] == orders[-1]["budget"]


def test_the_slack_counts_steps_of_omega_and_coarse_units() -> None:
    case = buyers(4, 100.0)
    problem, rates = everything(case)
    demanded = case.orders["budget"]
    wanted = flows_of(3, problem.demand.pair, demanded, rates.gross, rates.shift)
    slack = rounding_slack(problem, rates, demanded, wanted)
    assert slack[2] == 1 + 2 * -(-(wanted.into[2] + wanted.out[2]) // ONE) + 2 * 2
    nothing = np.zeros(4, np.uint64)
    none = flows_of(3, problem.demand.pair, nothing, rates.gross, rates.shift)
    assert rounding_slack(problem, rates, nothing, none) == (1, 1, 1)


@pytest.mark.parametrize("seed", range(25))
def test_random_binding_bounds_hold_to_the_unit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = Shape(
        assets=int(rng.integers(2, 9)),
        orders=int(rng.integers(1, 150)),
        bounds=float(rng.choice([0.5, 5.0, 50.0])),
        decimals=(0, 9) if seed % 2 else (6, 6),
        numeraire_decimals=6,
    )
    case = case_of(shape, seed)
    proposal = propose(case, kernels="numpy")
    assert not check(case, proposal).violations
    if proposal.ration is not None:
        assert any(proposal.ration.omega)
        assert (proposal.paid <= proposal.ration.demanded).all()


@pytest.mark.parametrize("width", [0, 3, 411, 412, 1000])
def test_an_inventory_outside_its_bounds_is_never_settled(width: int) -> None:
    """Half of a slack of 412 outside a narrow bound was the very place that was aimed at."""
    box = Box((0,), (width,), (412,))
    for omega in (-1, 0, 1):
        for outside in (-206, -1, width + 1, width + 206):
            (move,) = _misses(box, [outside], [omega])
            assert 0 <= outside + move <= width
            assert move
