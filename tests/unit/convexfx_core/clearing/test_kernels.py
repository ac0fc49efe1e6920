"""Compiled kernels, one by one, beside their numpy twins."""

import numpy as np
import pytest

from convexfx_core.clearing.begin import begin, state_at
from convexfx_core.clearing.curves import BINS, Levels, histogram_curve, level_curve, levels_in
from convexfx_core.clearing.kernels import Kernels, NumpyKernels, load
from convexfx_core.clearing.newton import balance
from convexfx_core.clearing.problem import Demand, Market, pose, read_rows
from convexfx_core.clearing.scp import pool_of, whole_window
from convexfx_core.clearing.subproblem import advance
from tests.support.clearing_cases import Shape, case_of

NUMPY, NUMBA = load("numpy"), load("numba")
METHODS = ("read_rows", "bin_sizes", "split", "balance", "begin", "advance")


def posed(seed: int, shape: Shape) -> tuple[Market, Demand]:
    problem = pose(case_of(shape, seed))
    return problem.market, problem.demand


def levels_of(market: Market, demand: Demand) -> Levels:
    chosen, above = NUMPY.split(demand, *whole_window(market.n, market.cap))
    return levels_in(market, demand, chosen, above)


@pytest.mark.parametrize("kernels", [NUMPY, NUMBA], ids=lambda k: k.name)
def test_every_kernel_is_there(kernels: Kernels) -> None:
    assert all(callable(getattr(kernels, name)) for name in METHODS)


def test_names_are_told_apart() -> None:
    assert (NUMPY.name, NUMBA.name) == ("numpy", "numba")
    assert isinstance(load("numpy"), NumpyKernels)
    assert not isinstance(load("numba"), NumpyKernels)


@pytest.mark.parametrize("decimals", [(6, 6), (0, 9)])
def test_rows_are_read_alike(decimals: tuple[int, int]) -> None:
    case = case_of(Shape(assets=7, orders=500, decimals=decimals, min_fill=0.4), 1)
    words = case.orders.view(np.dtype("<u8")).reshape(-1, 10)
    rng = np.random.default_rng(0)
    net = rng.uniform(1e-9, 1e9, 49)
    here, there = NUMPY.read_rows(words, net, 7), NUMBA.read_rows(words, net, 7)
    for name in ("pair", "limit", "budget", "min_fill", "coarse"):
        assert np.array_equal(getattr(here, name), getattr(there, name)), name
    assert np.array_equal(here.budget, case.orders["budget"])
    assert np.array_equal(here.min_fill, case.orders["min_fill"])
    pair = case.orders["pay"].astype(int) * 7 + case.orders["receive"]
    assert np.array_equal(here.pair, pair)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of(Shape(assets=5, orders=333), 2)
    words = case.orders.view(np.dtype("<u8")).reshape(-1, 10)
    net = np.linspace(0.5, 2.0, 25)
    whole = read_rows(words, net, 5)
    monkeypatch.setattr("convexfx_core.clearing.problem.BLOCK", 10)
    parts = read_rows(words, net, 5)
    assert np.array_equal(whole.limit, parts.limit)
    assert np.array_equal(whole.pair, parts.pair)


def test_no_rows_are_no_columns() -> None:
    empty = np.zeros((0, 10), dtype=np.uint64)
    for kernels in (NUMPY, NUMBA):
        columns = kernels.read_rows(empty, np.ones(4), 2)
        assert len(columns.pair) == len(columns.limit) == 0


@pytest.mark.parametrize("seed", range(5))
def test_newton_on_histograms_is_alike(seed: int) -> None:
    market, demand = posed(seed, Shape(assets=6, orders=3000, gross=900.0))
    sizes, base = NUMPY.bin_sizes(demand, 36, market.cap, BINS)
    curve = histogram_curve(market, sizes, base)
    pool, start = pool_of(market), np.zeros(6)
    here = NUMPY.balance(pool, curve, start, 1e-6, 60)
    there = NUMBA.balance(pool, curve, start, 1e-6, 60)
    assert np.abs(here[0] - there[0]).max() < 1e-9
    assert here[1] == pytest.approx(there[1], rel=1e-9)
    assert here[2] == there[2]


@pytest.mark.parametrize("seed", range(8))
def test_the_start_is_alike(seed: int) -> None:
    shape = Shape(assets=5, orders=200, gross=300.0, band=3.0 if seed % 2 else 50.0)
    market, demand = posed(seed, shape)
    levels, pool = levels_of(market, demand), pool_of(market)
    here, volume = NUMPY.begin(pool, levels, market.cap, np.zeros(5))
    there, other = NUMBA.begin(pool, levels, market.cap, np.zeros(5))
    assert np.abs(here.u - there.u).max() < 1e-10
    assert here.shadow == pytest.approx(there.shadow, rel=1e-6, abs=1e-7)
    assert here.count.tolist() == there.count.tolist()
    assert here.pinned.tolist() == there.pinned.tolist()
    assert not there.partial.any()
    assert volume == pytest.approx(other, abs=1e-7)


def test_the_start_of_numpy_is_begin() -> None:
    market, demand = posed(3, Shape(assets=4, orders=60))
    levels, pool = levels_of(market, demand), pool_of(market)
    here, volume = NUMPY.begin(pool, levels, market.cap, np.zeros(4))
    there, other = begin(pool, levels, market.cap, np.zeros(4))
    assert np.array_equal(here.u, there.u)
    assert np.array_equal(volume, other)
    u, _, _ = balance(pool, level_curve(levels, market.cap), np.zeros(4), 1e-2, 5)
    assert np.array_equal(state_at(pool, levels, u, market.cap).u, here.u)


@pytest.mark.parametrize("seed", range(8))
def test_a_damped_step_is_alike(seed: int) -> None:
    market, demand = posed(seed, Shape(assets=5, orders=150, gross=700.0, tick=1.0))
    levels, pool = levels_of(market, demand), pool_of(market)
    results = []
    for kernels in (NUMPY, NUMBA):
        state, volume = kernels.begin(pool, levels, market.cap, np.zeros(5))
        first = kernels.advance(pool, levels, state, volume, None)
        second = kernels.advance(pool, levels, state, first.volume, first.terms)
        results.append((state.u.copy(), second))
    (u, here), (v, there) = results
    assert np.abs(u - v).max() < 1e-11
    assert here.terms.correction == pytest.approx(there.terms.correction, abs=1e-12)
    assert here.residual_bps == pytest.approx(there.residual_bps, abs=1e-10)
    assert here.exact
    assert there.exact


def test_numpy_advances_by_the_subproblem() -> None:
    market, demand = posed(4, Shape(assets=4, orders=60))
    levels, pool = levels_of(market, demand), pool_of(market)
    one, volume = begin(pool, levels, market.cap, np.zeros(4))
    two, _ = begin(pool, levels, market.cap, np.zeros(4))
    here = NUMPY.advance(pool, levels, one, volume, None)
    there = advance(pool, levels, two, volume, None)
    assert np.array_equal(here.volume, there.volume)
    assert np.array_equal(one.u, two.u)


def test_markets_without_orders_run_through_every_kernel() -> None:
    market, demand = posed(5, Shape(assets=3, orders=0))
    levels, pool = levels_of(market, demand), pool_of(market)
    for kernels in (NUMPY, NUMBA):
        sizes, base = kernels.bin_sizes(demand, 9, market.cap, BINS)
        assert not sizes.any()
        assert not base.any()
        state, volume = kernels.begin(pool, levels, market.cap, np.zeros(3))
        step = kernels.advance(pool, levels, state, volume, None)
        assert step.exact
        expected = np.clip(-(market.impact @ market.gap), -market.band, market.band)
        assert state.u == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kernels", [NUMPY, NUMBA], ids=lambda k: k.name)
def test_limits_at_the_ends_of_the_histogram(kernels: Kernels) -> None:
    cap = 10.0
    limit = np.array([-np.inf, -10.1, -9.99, 0.0, 9.99, 10.0, np.inf])
    demand = Demand(np.zeros(7, np.int64), limit, np.array([1.0, 2, 4, 8, 16, 32, 64]))
    sizes, base = kernels.bin_sizes(demand, 1, cap, 4)
    assert base.tolist() == [96.0]
    assert sizes.tolist() == [[4.0, 0.0, 8.0, 16.0]]


@pytest.mark.parametrize("kernels", [NUMPY, NUMBA], ids=lambda k: k.name)
def test_a_limit_at_the_end_of_a_window_is_inside(kernels: Kernels) -> None:
    demand = Demand(np.zeros(4, np.int64), np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4))
    chosen, above = kernels.split(demand, np.array([2.0]), np.array([3.0]))
    assert chosen.tolist() == [1, 2]
    assert above.tolist() == [1.0]
