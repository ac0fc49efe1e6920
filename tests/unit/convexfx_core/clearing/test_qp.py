"""The generic programme: objective, backends, failures."""

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from convexfx_core.clearing import qp
from convexfx_core.clearing.kernels import load
from convexfx_core.clearing.problem import Demand, Market
from convexfx_core.clearing.qp import Subproblem, objective, solve_by_qp, solve_subproblem
from convexfx_core.clearing.scp import NotConverged, solve

NUMPY = load("numpy")


def single(limit: float, size: float, band: float = 50.0, gap: float = 0.0) -> Subproblem:
    """One order that pays the numeraire for the only other asset; impact 0.5 bps per $M."""
    return Subproblem(
        impact=np.array([[0.5]]),
        offset=np.array([0.0, gap]),
        band=np.array([0.0, band]),
        pay=np.array([0]),
        receive=np.array([1]),
        limit=np.array([limit]),
        size=np.array([size]),
    )


BACKENDS = ["piqp", "cvxpy"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("limit", "size", "fill", "price"),
    [(3.0, 10.0, 6.0, 3.0), (9.0, 10.0, 10.0, 5.0), (-1.0, 10.0, 0.0, 0.0), (3.0, 6.0, 6.0, 3.0)],
)
def test_one_order_is_solved_as_by_hand(
    backend: str, limit: float, size: float, fill: float, price: float
) -> None:
    found = solve_subproblem(single(limit, size), "piqp" if backend == "piqp" else "cvxpy")
    assert found.fill == pytest.approx([fill], abs=1e-3)
    assert found.u == pytest.approx([0.0, price], abs=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_market_orders_are_filled_and_overflow_is_served_at_the_band(backend: str) -> None:
    programme = single(np.inf, 100.0, band=20.0)
    found = solve_subproblem(programme, "piqp" if backend == "piqp" else "cvxpy")
    assert found.fill == pytest.approx([100.0], abs=1e-4)
    assert found.u[1] == pytest.approx(20.0, abs=1e-4)
    assert found.overflow == pytest.approx([-60.0], abs=1e-3)


def test_the_objective_is_risk_plus_overflow_minus_limits() -> None:
    programme = single(3.0, 10.0, band=20.0, gap=1.0)
    assert objective(programme, np.array([4.0]), np.array([0.0])) == pytest.approx(
        0.5 * 0.5 * 9.0 - 3.0 * 4.0
    )
    assert objective(programme, np.array([4.0]), np.array([-2.0])) == pytest.approx(
        0.5 * 0.5 * 1.0 + 20.0 * 2.0 - 12.0
    )


def test_no_fill_is_better_than_the_optimum() -> None:
    programme = single(3.0, 10.0)
    best = solve_subproblem(programme).objective
    for fill in np.linspace(0, 10, 41):
        assert objective(programme, np.array([fill]), np.zeros(1)) >= best - 1e-9


def test_a_programme_without_orders_has_a_price() -> None:
    empty = np.zeros(0, np.int64)
    programme = Subproblem(
        np.array([[0.5]]), np.array([0.0, 4.0]), np.array([0.0, 50.0]),
        empty, empty, np.zeros(0), np.zeros(0),
    )  # fmt: skip
    assert solve_subproblem(programme).u == pytest.approx([0.0, -2.0], abs=1e-6)


def test_an_unsolved_status_of_piqp_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Solver:
        settings = SimpleNamespace()

        def setup(self, *_: object) -> None:
            return None

        def solve(self) -> str:
            return "PIQP_MAX_ITER_REACHED"

    fake = SimpleNamespace(SparseSolver=Solver, PIQP_SOLVED="PIQP_SOLVED")
    monkeypatch.setattr(qp, "import_module", lambda name: fake)
    with pytest.raises(NotConverged, match="piqp: PIQP_MAX_ITER_REACHED"):
        solve_subproblem(single(3.0, 10.0), "piqp")


def test_both_backends_lead_to_the_exact_answer() -> None:
    market = Market(
        np.array([[0.0, 0.0], [0.0, 0.5]]), np.array([0.0, 2.0]), np.array([0.0, 8.0]), np.ones(2)
    )
    rng = np.random.default_rng(0)
    demand = Demand(rng.integers(1, 3, 40), rng.normal(size=40) * 4, rng.uniform(0.1, 2.0, 40))
    exact = solve(market, demand, NUMPY)
    for backend in ("piqp", "cvxpy"):
        generic = solve_by_qp(market, demand, NUMPY, None, backend)
        assert np.abs(generic.u - exact.u).max() < 2e-9
        assert generic.fraction(demand) == pytest.approx(exact.fraction(demand), abs=1e-6)


def test_the_generic_rung_takes_a_start() -> None:
    market = Market(np.diag([0.0, 0.5]), np.zeros(2), np.array([0.0, 50.0]), np.ones(2))
    demand = Demand(np.array([1]), np.array([3.0]), np.array([10.0]))
    found = solve_by_qp(market, demand, NUMPY, np.array([0.0, 40.0]))
    assert found.u[1] == pytest.approx(3.0, abs=2e-8)


def test_a_generic_answer_at_the_band_is_finished_at_the_band() -> None:
    market = Market(np.diag([0.0, 0.5]), np.zeros(2), np.array([0.0, 20.0]), np.ones(2))
    demand = Demand(np.array([1, 1]), np.array([np.inf, 19.0]), np.array([100.0, 50.0]))
    found = solve_by_qp(market, demand, NUMPY)
    assert found.u[1] == 20.0
    assert found.overflow[1] < 0
    assert found.fraction(demand).tolist() == [1.0, 0.0]


def test_a_generic_solver_that_breaks_off_is_a_rung_that_gave_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cvxpy = import_module("cvxpy")

    def broken(*_: object, **__: object) -> None:
        raise cvxpy.SolverError("Solver 'CLARABEL' failed.")

    monkeypatch.setattr(cvxpy.Problem, "solve", broken)
    with pytest.raises(NotConverged, match="Clarabel failed"):
        solve_subproblem(single(3.0, 10.0), "cvxpy")
