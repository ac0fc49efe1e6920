"""The float dual of rationing against a generic solver of its primal."""

from importlib import import_module

import numpy as np
import pytest

from convexfx_core.clearing.flows import flows_of
from convexfx_core.clearing.problem import pose
from convexfx_core.clearing.ration import _box, bounds
from convexfx_core.clearing.ration_dual import Dual
from convexfx_core.clearing.ration_settle import ONE, cuts
from convexfx_core.clearing.rounding import rates_of
from tests.support.clearing_cases import Shape, case_of


def dual_of(seed: int, room: float, assets: int = 4):
    case = case_of(Shape(assets=assets, orders=60, bounds=room, gap_sd=0.0), seed)
    problem = pose(case)
    pair = problem.demand.pair
    used = np.unique(pair)
    rates = rates_of(case, case.reference.pbar, used)
    demanded = case.orders["budget"].copy()
    wanted = flows_of(assets, pair, demanded, rates.gross, rates.shift)
    volume = np.bincount(pair, demanded.astype(np.float64), minlength=assets**2)[used]
    box = _box(problem, rates, demanded, wanted)
    return Dual(problem, case.reference.pbar, used, volume, box), problem, used


def primal(dual) -> np.ndarray:
    """Cuts by cvxpy: min sum V h^2 / 2 inside the bounds."""
    cvxpy = import_module("cvxpy")
    count = len(dual.volume)
    h = cvxpy.Variable(count)
    flow = np.zeros((dual.n, count))
    flow[dual.pay, np.arange(count)] += 1.0
    flow[dual.receive, np.arange(count)] -= dual.rho
    change = flow @ cvxpy.multiply(dual.volume, 1 - h)
    cost = cvxpy.sum(cvxpy.multiply(dual.volume, cvxpy.square(h))) / 2
    rules = [h >= 0, h <= 1, change >= dual.low, change <= dual.high]
    cvxpy.Problem(cvxpy.Minimize(cost), rules).solve(solver="CLARABEL")
    return np.asarray(h.value)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("room", [1.0, 10.0])
def test_the_cuts_are_those_of_the_primal(seed: int, room: float) -> None:
    dual, _, _ = dual_of(seed, room)
    ours = np.clip(dual.pull(dual.solve()), 0.0, 1.0)
    assert ours == pytest.approx(primal(dual), abs=2e-4)


@pytest.mark.parametrize("seed", range(10))
def test_omega_is_not_zero_only_at_a_bound(seed: int) -> None:
    dual, _, _ = dual_of(seed, 5.0, assets=6)
    omega = dual.solve()
    change = dual.change(omega)
    scale = 1e-9 * dual.volume.sum()
    assert (change >= dual.low - scale).all()
    assert (change <= dual.high + scale).all()
    assert np.abs((change - dual.low)[omega > 0]).max(initial=0.0) <= scale
    assert np.abs((change - dual.high)[omega < 0]).max(initial=0.0) <= scale


def test_without_violation_omega_is_zero() -> None:
    dual, _, _ = dual_of(0, 1e6)
    assert not dual.solve().any()


def test_curvature_is_the_derivative_of_the_change() -> None:
    dual, _, _ = dual_of(1, 3.0)
    omega = dual.solve()
    curvature = dual.curvature(omega, omega != 0)
    for k in np.flatnonzero(omega):
        step = np.zeros(4)
        step[k] = 1e-7
        slope = (dual.change(omega + step) - dual.change(omega - step)) / 2e-7
        assert slope == pytest.approx(curvature[:, k], rel=1e-4, abs=1e-4)


def test_integer_cuts_follow_the_rule_of_the_specification() -> None:
    dual, problem, used = dual_of(2, 3.0)
    case = problem.case
    omega = [round(w * ONE) for w in dual.solve().tolist()]
    table = cuts(problem, case.reference.pbar, used, omega)
    for pair in used.tolist():
        i, j = divmod(pair, 4)
        rho = ((case.reference.pbar[i] * case.reference.pbar[j]) << 40) // (
            case.reference.pbar[i] * case.reference.pbar[j]
        )
        wanted = min(max(((rho * omega[j]) >> 40) - omega[i], 0), ONE)
        assert table[pair] == wanted
    assert not np.delete(table, used).any()


def test_bounds_contain_the_opening() -> None:
    _, problem, _ = dual_of(3, 3.0)
    low, high = bounds(problem)
    assert all(a <= q <= b for a, q, b in zip(low, problem.case.inventory, high, strict=True))
