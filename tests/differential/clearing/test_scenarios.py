"""The reference scenarios: the published table, and a cvxpy model of the same subproblem."""

import json

import numpy as np
import pytest

from bench.clearing_scenarios import SCENARIOS, Scenario, case_of_scenario, lines, run
from convexfx_core.clearing import propose
from convexfx_core.clearing.kernels import load
from convexfx_core.clearing.problem import pose
from convexfx_core.clearing.qp import Subproblem, solve_subproblem
from convexfx_core.clearing.scp import solve
from tests.differential.clearing.test_solvers import per_order
from tests.support.clearing_oracle import check

TABLE = {
    "A": (100.0, 0.0),
    "B": (100.0, 1.74),
    "C": (84.4, 3.38),
    "D": (31.9, 0.20),
    "F": (100.0, 11.94),
    "G": (100.0, 0.29),
    "H": (57.4, 1.50),
    "I": (98.8, 2.57),
    "J": (100.0, 3.02),
}
"""Fill by value in percent, p90 of the absolute deviation in bps."""
NAMED = {scenario.name: scenario for scenario in SCENARIOS}


@pytest.mark.parametrize("name", list(TABLE))
@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_the_published_table_is_reproduced(name: str, kernels: str) -> None:
    outcome = run(NAMED[name], kernels)
    fill, p90 = TABLE[name]
    assert 100 * outcome.fill == pytest.approx(fill, abs=0.06)
    assert outcome.p90_bps == pytest.approx(p90, abs=0.006)


@pytest.mark.parametrize("name", list(TABLE))
def test_every_scenario_is_certified_with_its_bounds(name: str) -> None:
    for epoch in range(NAMED[name].epochs):
        case = case_of_scenario(NAMED[name], epoch)
        assert not check(case, propose(case, kernels="numpy")).violations


def test_the_bounds_bind_where_the_table_says_so() -> None:
    rationed = {
        name
        for name, scenario in NAMED.items()
        if propose(case_of_scenario(scenario, 0), kernels="numpy").ration is not None
    }
    assert rationed == {"C", "H", "I"}


def subproblem_of(scenario: Scenario) -> tuple[Subproblem, np.ndarray, float]:
    problem = pose(case_of_scenario(scenario, 0))
    found = solve(problem.market, problem.demand, load("numpy"))
    return per_order(problem.market, problem.demand, found), found.u, found.residual_bps


@pytest.mark.parametrize("name", ["B", "D", "F", "G", "J"])
def test_a_cvxpy_model_of_the_same_subproblem_agrees(name: str) -> None:
    programme, u, residual = subproblem_of(NAMED[name])
    assert residual < 1e-9
    assert np.abs(solve_subproblem(programme, "cvxpy").u - u).max() < 1e-6


def test_one_command_prints_one_line_a_scenario() -> None:
    printed = [json.loads(line) for line in lines()]
    assert [row["scenario"] for row in printed] == list(TABLE)
    assert all(row["iterations"] <= 4 for row in printed)
