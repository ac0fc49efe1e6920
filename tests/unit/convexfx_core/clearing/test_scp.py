"""Equilibria: cuts, windows, what is reported."""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.clearing import scp
from convexfx_core.clearing.kernels import load
from convexfx_core.clearing.problem import Demand, Market, pose
from convexfx_core.clearing.scp import NotConverged, solve, whole_window
from tests.support.clearing_cases import Shape, case_of

NUMPY = load("numpy")


def two(band: float = 50.0) -> Market:
    matrix = np.array([[0.0, 0.0], [0.0, 0.5]])
    return Market(matrix, np.zeros(2), np.array([0.0, band]), np.ones(2))


def buys(limit: list[float], size: list[float]) -> Demand:
    return Demand(np.full(len(limit), 1), np.array(limit), np.array(size))


def test_the_cut_separates_full_orders_from_the_rest() -> None:
    demand = buys([9.0, 8.0, 3.0, 1.0], [2.0, 2.0, 10.0, 5.0])
    found = solve(two(), demand, NUMPY)
    assert 3.0 <= found.cut[1] < 8.0
    assert found.full(demand).tolist() == [True, True, False, False]
    assert found.partial(demand).tolist() == [2]
    assert found.marginal[1] == 3.0
    assert 0.0 < found.share[1] < 1.0


def test_pairs_without_partial_levels_have_none() -> None:
    demand = buys([9.0], [2.0])
    found = solve(two(), demand, NUMPY)
    assert np.isnan(found.marginal).all()
    assert found.partial(demand).tolist() == []
    assert not found.share.any()


def test_nothing_is_full_on_a_pair_that_is_out_of_the_money() -> None:
    demand = buys([-5.0, -np.inf], [2.0, 2.0])
    found = solve(two(), demand, NUMPY)
    assert found.fraction(demand).tolist() == [0.0, 0.0]


def test_the_whole_window_holds_every_limit_that_can_matter() -> None:
    market = two(10.0)
    low, high = whole_window(2, market.cap)
    assert low[0] < -20.0 < 20.0 < high[0] < market.cap
    demand = buys([20.0, market.cap, np.inf], [1.0, 1.0, 1.0])
    chosen, above = NUMPY.split(demand, low, high)
    assert chosen.tolist() == [0]
    assert above.tolist() == [0.0, 2.0, 0.0, 0.0]


def test_the_window_of_an_equilibrium_holds_every_order_near_its_price(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = pose(case_of(Shape(assets=5, orders=4000, gross=900.0), 3))
    monkeypatch.setattr(scp, "DIRECT_ORDERS", 100)
    found = solve(problem.market, problem.demand, NUMPY)
    pair = problem.demand.pair
    price = found.u[pair % 5] - found.u[pair // 5]
    near = np.flatnonzero(np.abs(problem.demand.limit - price) < scp.EDGE_BPS)
    assert set(near) <= set(found.window.tolist())
    assert len(found.window) < 1000


@pytest.mark.parametrize("seed", range(6))
def test_a_warm_start_gives_the_same_answer_in_no_more_steps(seed: int) -> None:
    problem = pose(case_of(Shape(assets=6, orders=400, gross=500.0), seed))
    cold = solve(problem.market, problem.demand, NUMPY)
    warm = solve(problem.market, problem.demand, NUMPY, cold.u)
    assert np.abs(warm.u - cold.u).max() < 1e-9
    assert warm.steps <= cold.steps


def test_the_report_is_of_the_last_step() -> None:
    problem = pose(case_of(Shape(assets=6, orders=100, gross=500.0), 4))
    found = solve(problem.market, problem.demand, NUMPY)
    assert 1 <= found.iterations <= 5
    assert found.residual_bps < scp.RESIDUAL_BPS
    assert found.step_norm_y < scp.STEP_Y_MAX
    assert found.step_norm_alpha < scp.STEP_ALPHA_MAX
    assert found.steps >= found.iterations


def test_the_tolerance_grows_with_what_doubles_can_hold() -> None:
    huge = replace(two(300.0), impact=two().impact * 40.0)
    demand = buys([np.inf, 100.0, 250.0], [1e6, 2e6, 5e5])
    found = solve(huge, demand, NUMPY)
    assert found.residual_bps < 1e-4
    assert np.isfinite(found.u).all()


def test_too_few_iterations_are_a_failure_with_its_residual(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scp, "ITERATIONS_MAX", 1)
    problem = pose(case_of(Shape(assets=6, orders=100, gross=2000.0), 4))
    with pytest.raises(NotConverged, match="price rule still off by"):
        solve(problem.market, problem.demand, NUMPY)


def test_orders_at_the_same_price_in_both_directions_do_not_cycle() -> None:
    demand = Demand(np.array([1, 2]), np.array([2.0, -2.0]), np.array([5.0, 5.0]))
    found = solve(two(), demand, NUMPY)
    assert found.iterations <= 4
    share = found.fraction(demand)
    assert ((share >= 0) & (share <= 1)).all()


@pytest.mark.parametrize("depth", [0.0, 1.0, 10.0])
def test_more_depth_less_impact(depth: float) -> None:
    shape = Shape(assets=4, orders=60, market=1.0, gap_sd=0.0)
    base = solve(*_posed(replace(shape, depth=depth)), NUMPY)
    deeper = solve(*_posed(replace(shape, depth=depth + 5.0)), NUMPY)
    assert np.abs(deeper.u).sum() < np.abs(base.u).sum()


def _posed(shape: Shape) -> tuple[Market, Demand]:
    problem = pose(case_of(shape, 9))
    return problem.market, problem.demand
