"""Two solvers of one programme agree: ours, PIQP and cvxpy per order; numpy and numba; windows."""

import numpy as np
import pytest

from convexfx_core.clearing import propose, scp
from convexfx_core.clearing.curves import levels_in
from convexfx_core.clearing.kernels import load
from convexfx_core.clearing.problem import Demand, Market, pose
from convexfx_core.clearing.qp import (
    Subproblem,
    level_problem,
    objective,
    solve_by_qp,
    solve_subproblem,
)
from convexfx_core.clearing.scp import pool_of, solve, whole_window
from convexfx_core.clearing.subproblem import conservation, step_impact
from tests.support.clearing_cases import Shape, case_of

NUMPY = load("numpy")
SHAPES = {
    "small": Shape(assets=4, orders=60),
    "ticks": Shape(assets=5, orders=150, tick=1.0),
    "narrow": Shape(assets=4, orders=80, band=3.0),
    "market": Shape(assets=6, orders=100, market=1.0),
    "deep": Shape(assets=6, orders=100, depth=6.0),
}


def posed(name: str, seed: int) -> tuple[Market, Demand]:
    problem = pose(case_of(SHAPES[name], seed))
    return problem.market, problem.demand


def per_order(market: Market, demand: Demand, found: scp.Equilibrium) -> Subproblem:
    """The subproblem at our equilibrium with one variable for each order."""
    n, pool = market.n, pool_of(market)
    chosen, above = NUMPY.split(demand, *whole_window(n, market.cap))
    levels = levels_in(market, demand, chosen, above)
    value = found.fraction(demand) * demand.size * market.unit_value[demand.pair // n]
    volume = np.bincount(demand.pair, value, minlength=n * n)[levels.pair]
    impact, offset = step_impact(pool, conservation(n, levels, found.u, volume), found.u)
    size = demand.size * market.unit_value[demand.pair // n]
    return Subproblem(
        impact, offset, market.band, demand.pair // n, demand.pair % n, demand.limit, size
    )


@pytest.mark.parametrize("backend", ["piqp", "cvxpy"])
@pytest.mark.parametrize("name", list(SHAPES))
def test_17_a_generic_solver_per_order_finds_the_same_prices(name: str, backend: str) -> None:
    for seed in range(2 if backend == "cvxpy" else 6):
        market, demand = posed(name, seed)
        found = solve(market, demand, NUMPY)
        programme = per_order(market, demand, found)
        other = solve_subproblem(programme, "piqp" if backend == "piqp" else "cvxpy")
        assert np.abs(other.u - found.u).max() < (1e-4 if backend == "piqp" else 1e-2)
        fill = found.fraction(demand) * programme.size
        ours = objective(programme, fill, found.overflow[1:])
        theirs = other.objective
        assert ours <= theirs + 1e-7 * max(1.0, abs(theirs))


@pytest.mark.parametrize("name", list(SHAPES))
def test_the_fallback_ends_at_the_same_equilibrium(name: str) -> None:
    for seed in range(4):
        market, demand = posed(name, seed)
        exact, generic = solve(market, demand, NUMPY), solve_by_qp(market, demand, NUMPY)
        assert np.abs(exact.u - generic.u).max() < 2e-9
        assert generic.residual_bps < 1e-9


def test_the_level_programme_is_the_order_programme() -> None:
    market, demand = posed("ticks", 1)
    pool, n = pool_of(market), market.n
    chosen, above = NUMPY.split(demand, *whole_window(n, market.cap))
    levels = levels_in(market, demand, chosen, above)
    levelled = level_problem(pool, levels, pool.impact, market.gap)
    single = Subproblem(
        pool.impact, market.gap, market.band, demand.pair // n, demand.pair % n, demand.limit,
        demand.size * market.unit_value[demand.pair // n],
    )  # fmt: skip
    prices = solve_subproblem(levelled).u - solve_subproblem(single).u
    assert np.abs(prices).max() < 1e-4


@pytest.mark.parametrize("seed", range(6))
def test_windows_and_all_levels_give_the_same_answer(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = Shape(assets=6, orders=3000, gross=800.0, tick=0.5 if seed % 2 else 0.0)
    market = pose(case_of(shape, seed)).market
    demand = pose(case_of(shape, seed)).demand
    direct = solve(market, demand, NUMPY)
    monkeypatch.setattr(scp, "DIRECT_ORDERS", 100)
    for kernels in (NUMPY, load("numba")):
        windowed = solve(market, demand, kernels)
        assert np.abs(windowed.u - direct.u).max() < 1e-8
        share = np.abs(windowed.fraction(demand) - direct.fraction(demand))
        assert share.max() < 1e-4


def test_a_window_that_is_too_narrow_is_widened(monkeypatch: pytest.MonkeyPatch) -> None:
    market, demand = posed("small", 3)
    direct = solve(market, demand, NUMPY)
    monkeypatch.setattr(scp, "DIRECT_ORDERS", 1)
    monkeypatch.setattr(scp, "WINDOW_BPS", 1e-6)
    assert np.abs(solve(market, demand, NUMPY).u - direct.u).max() < 1e-8


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_numpy_and_numba_give_the_same_integers(start: int) -> None:
    for seed in range(start, start + 20):
        rng = np.random.default_rng(seed)
        shape = Shape(
            assets=int(rng.integers(2, 13)),
            orders=int(rng.integers(0, 250)),
            band=float(rng.choice([2.0, 20.0, 300.0])),
            tick=float(rng.choice([0.0, 1.0])),
            min_fill=float(rng.choice([0.0, 0.3])),
            bounds=float(rng.choice([1e6, 50.0])),
        )
        case = case_of(shape, seed)
        here, there = propose(case, kernels="numpy"), propose(case, kernels="numba")
        assert here.prices == there.prices
        assert here.paid.tolist() == there.paid.tolist()
        assert here.overflow == there.overflow
        assert here.rejected.tolist() == there.rejected.tolist()


def test_kernels_bin_and_split_alike() -> None:
    rng = np.random.default_rng(2)
    limit = rng.normal(size=5000) * 40
    limit[::7] = np.inf
    limit[::11] = -np.inf
    demand = Demand(rng.integers(0, 9, 5000), limit, rng.integers(1, 99, 5000).astype(float))
    numba = load("numba")
    for here, there in (
        (NUMPY.bin_sizes(demand, 9, 60.0, 128), numba.bin_sizes(demand, 9, 60.0, 128)),
        (
            NUMPY.split(demand, np.full(9, -1.0), np.full(9, 2.0)),
            numba.split(demand, np.full(9, -1.0), np.full(9, 2.0)),
        ),
    ):
        for a, b in zip(here, there, strict=True):
            assert np.array_equal(a, b)
