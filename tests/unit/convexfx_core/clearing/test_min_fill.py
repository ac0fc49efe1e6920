"""Minimum fills: no fill in (0, f), nobody rejected without need."""

import numpy as np
import pytest

from convexfx_core.clearing import propose
from convexfx_core.clearing.min_fill import Rejections, rounds_max
from convexfx_core.clearing.scp import NotConverged
from convexfx_core.errors import ClearingRefused
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import RejectKind
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_hard import built, risk
from tests.support.clearing_oracle import check


def buyers(
    limit: list[float], value: list[float], least: list[float], **more: float
) -> ClearingCase:
    """Orders that pay the numeraire for asset 1; impact 0.5 bps per $M, no fee."""
    count = len(limit)
    zeros, ones = np.zeros(count, np.int64), np.ones(count, np.int64)
    columns = (np.array(value), np.array(limit))
    return built(risk(2, 0.5), zeros, ones, *columns, min_fill=np.array(least), fee_ppm=0, **more)  # type: ignore[arg-type] # keyword options of the builder


def fractions(case: ClearingCase) -> list[float]:
    proposal = propose(case, kernels="numpy")
    assert not check(case, proposal).violations
    return (proposal.paid / case.orders["budget"]).tolist()


def test_a_partial_fill_above_the_minimum_stands() -> None:
    assert fractions(buyers([3.0], [10.0], [0.5])) == pytest.approx([0.6], abs=1e-3)


def test_a_partial_fill_below_the_minimum_is_rejected() -> None:
    case = buyers([3.0], [10.0], [0.7])
    proposal = propose(case, kernels="numpy")
    assert proposal.paid.tolist() == [0]
    assert proposal.rejected.tolist() == [0]
    assert proposal.reject_kinds.tolist() == [RejectKind.MIN_FILL]
    assert not check(case, proposal).violations


def test_a_rejection_makes_room_for_the_next() -> None:
    both = fractions(buyers([3.0, 2.9], [10.0, 3.0], [0.9, 0.0]))
    assert both == pytest.approx([0.0, 1.0])


def test_whoever_is_out_of_the_money_is_not_rejected() -> None:
    proposal = propose(buyers([-1.0, 9.0], [1.0, 1.0], [1.0, 1.0]), kernels="numpy")
    assert proposal.rejected.tolist() == []
    assert (proposal.paid > 0).tolist() == [False, True]


def test_an_order_rejected_beside_another_comes_back_when_there_is_room() -> None:
    case = buyers([3.0, 3.0], [4.0, 10.0], [0.9, 0.9])
    proposal = propose(case, kernels="numpy")
    assert not check(case, proposal).violations
    assert proposal.paid[0] == case.orders["budget"][0]
    assert proposal.rejected.tolist() == [1]


def test_rationing_below_the_minimum_rejects_the_most_demanding_first() -> None:
    case = buyers([np.inf] * 4, [2.0] * 4, [0.0, 0.3, 0.9, 0.99], room=4.0)
    proposal = propose(case, kernels="numpy")
    assert not check(case, proposal).violations
    assert 3 in proposal.rejected.tolist()
    assert set(proposal.reject_kinds.tolist()) == {RejectKind.RATION_MIN_FILL}
    assert proposal.paid[0] > 0


def test_a_lone_order_that_does_not_fit_is_rejected_and_nothing_is_rationed() -> None:
    case = buyers([np.inf], [6.0], [0.9], room=4.0)
    proposal = propose(case, kernels="numpy")
    assert proposal.ration is None
    assert proposal.reject_kinds.tolist() == [RejectKind.RATION_MIN_FILL]
    assert not check(case, proposal).violations
    fits = buyers([np.inf], [6.0], [0.6], room=4.0)
    assert propose(fits, kernels="numpy").rejected.tolist() == []


def test_min_fill_of_a_partial_level_is_met_after_rounding() -> None:
    case = buyers([3.0], [10.0], [0.6])
    exact = int(propose(buyers([3.0], [10.0], [0.0]), kernels="numpy").paid[0])
    case.orders["min_fill"] = exact
    proposal = propose(case, kernels="numpy")
    assert int(proposal.paid[0]) in (0, *range(exact, exact + 1025))
    assert not check(case, proposal).violations


def test_rejections_remember_who_came_back() -> None:
    out = Rejections(np.zeros(4, dtype=np.uint8))
    out.reject(np.array([1, 3]), RejectKind.MIN_FILL)
    assert out.dead.tolist() == [False, True, False, True]
    out.reinstate(3)
    assert out.dead.tolist() == [False, True, False, False]
    assert out.returned == {3: 1}


def test_a_policy_that_does_not_settle_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexfx_core.clearing.ladder.rounds_max", lambda count: count)
    with pytest.raises(ClearingRefused, match="minimum fills that settle, found not in"):
        propose(buyers([3.0], [10.0], [0.7]), kernels="numpy")
    assert issubclass(NotConverged, Exception)


def test_rounds_grow_with_the_orders_and_end() -> None:
    assert [rounds_max(k) for k in (0, 200, 201)] == [400, 400, 402]
    assert rounds_max(10_000) == 10_000
    assert rounds_max(10**6) == 400


def test_a_long_ladder_of_small_all_or_nothing_orders_stops_nobody() -> None:
    """Each order below the price is rejected in a round of its own: 450 orders, 450 rounds."""
    limits = [3.0 - 1e-8 * k for k in range(450)]
    case = buyers(limits, [0.02] * 450, [1.0] * 450)
    proposal = propose(case, kernels="numpy")
    assert not check(case, proposal).violations


@pytest.mark.parametrize("seed", range(30))
def test_random_minimum_fills_are_kept(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = Shape(
        assets=int(rng.integers(2, 8)),
        orders=int(rng.integers(5, 120)),
        min_fill=float(rng.choice([0.3, 1.0])),
        bounds=float(rng.choice([1e6, 20.0])),
    )
    case = case_of(shape, seed)
    proposal = propose(case, kernels="numpy")
    assert not check(case, proposal).violations
    paid, least = proposal.paid, case.orders["min_fill"]
    assert ((paid == 0) | (paid >= least)).all()
    assert not paid[proposal.rejected].any()
    assert (np.diff(proposal.rejected) > 0).all()
