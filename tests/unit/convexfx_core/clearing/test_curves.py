"""Levels, histograms and smooth curves hold the same orders."""

import numpy as np
import pytest

from convexfx_core.clearing.curves import (
    BINS,
    PERTURBATION_BPS,
    Levels,
    full_levels,
    histogram_curve,
    level_curve,
    levels_in,
    perturbation_bps,
)
from convexfx_core.clearing.kernels import NumpyKernels
from convexfx_core.clearing.problem import Demand, Market
from convexfx_core.clearing.scp import whole_window


def market(n: int = 3, band: float = 10.0) -> Market:
    edge = np.full(n, band)
    edge[0] = 0.0
    return Market(np.diag(np.r_[0.0, np.ones(n - 1)]), np.zeros(n), edge, np.ones(n))


def random_demand(count: int, n: int = 3, tick: float = 0.0, seed: int = 0) -> Demand:
    rng = np.random.default_rng(seed)
    pay = rng.integers(0, n, count)
    receive = (pay + rng.integers(1, n, count)) % n
    limit = rng.normal(size=count) * 8
    limit = np.round(limit / tick) * tick if tick else limit
    limit[rng.random(count) < 0.2] = np.inf
    return Demand(pay * n + receive, limit, rng.integers(1, 100, count).astype(float))


def all_levels(m: Market, demand: Demand) -> Levels:
    low, high = whole_window(m.n, m.cap)
    chosen, above = NumpyKernels().split(demand, low, high)
    return levels_in(m, demand, chosen, above)


def in_the_money(demand: Demand, pair: int, price: float) -> float:
    some = (demand.pair == pair) & (demand.limit > price)
    return float(demand.size[some].sum())


@pytest.mark.parametrize("tick", [0.0, 1.0])
def test_levels_decrease_and_merge_equal_limits(tick: float) -> None:
    m, demand = market(), random_demand(300, tick=tick)
    levels = all_levels(m, demand)
    for first, last in zip(levels.first, levels.last, strict=True):
        assert (np.diff(levels.limit[first:last]) < 0).all()
    inside = np.abs(demand.limit) < m.cap
    distinct = len(set(zip(demand.pair[inside], demand.limit[inside], strict=True)))
    assert len(levels.limit) == distinct
    assert levels.volume.sum() == demand.size[inside].sum()


def test_volume_above_the_window_is_the_base_and_below_it_nothing() -> None:
    m = market()
    demand = Demand(np.array([1, 1, 1]), np.array([np.inf, 25.0, -25.0]), np.array([5.0, 7.0, 9.0]))
    levels = all_levels(m, demand)
    assert levels.base.tolist() == [12.0]
    assert len(levels.limit) == 0


def test_filled_volume_counts_levels_before_the_cut() -> None:
    m, demand = market(), random_demand(200)
    levels = all_levels(m, demand)
    for price in (-7.0, 0.0, 3.3):
        count = full_levels(levels, np.full(len(levels.pair), price), m.cap)
        filled = levels.filled(count)
        wanted = [in_the_money(demand, p, price) for p in levels.pair]
        assert filled == pytest.approx(wanted)


def test_full_levels_is_exact_at_a_level() -> None:
    m = market()
    demand = Demand(np.array([1, 1, 1]), np.array([3.0, 2.0, 1.0]), np.ones(3))
    levels = all_levels(m, demand)
    at = levels.level[1]
    for price, count in ((at, 1), (np.nextafter(at, -9), 2), (np.nextafter(at, 9), 1)):
        assert full_levels(levels, np.array([price]), m.cap).tolist() == [count]


def test_perturbation_depends_on_the_pair_alone_and_lowers_limits() -> None:
    pair = np.arange(2500)
    lowered = perturbation_bps(pair)
    assert (lowered >= 0.25 * PERTURBATION_BPS).all()
    assert (lowered < 1.25 * PERTURBATION_BPS).all()
    assert len(set(lowered.tolist())) == 2500
    levels = all_levels(market(), random_demand(50))
    assert (levels.level < levels.limit).all()


def test_the_smooth_curve_stays_within_a_level_of_the_exact_one() -> None:
    m, demand = market(), random_demand(400, seed=3)
    levels = all_levels(m, demand)
    curve = level_curve(levels, m.cap)
    largest = levels.volume.max()
    for price in np.linspace(-20, 20, 83):
        volume, slope = curve.evaluate(np.full(len(levels.pair), price))
        exact = [in_the_money(demand, p, price) for p in levels.pair]
        assert np.abs(volume - exact).max() <= largest
        assert (slope >= 0).all()


def test_the_smooth_curve_is_continuous_and_decreasing() -> None:
    m, demand = market(), random_demand(60, seed=4)
    curve = level_curve(all_levels(m, demand), m.cap)
    prices = np.linspace(-21, 21, 4001)
    values = np.array([curve.evaluate(np.full(len(curve.pay), p))[0] for p in prices])
    steps = np.diff(values, axis=0)
    assert (steps <= 1e-9).all()
    slopes = np.array([curve.evaluate(np.full(len(curve.pay), p))[1] for p in prices])
    assert (-steps <= np.maximum(slopes[1:], slopes[:-1]).max() * 0.0105 + 1e-9).all()


def test_a_pair_without_levels_is_constant() -> None:
    m = market()
    demand = Demand(np.array([1, 5]), np.array([np.inf, 2.0]), np.array([4.0, 6.0]))
    curve = level_curve(all_levels(m, demand), m.cap)
    volume, slope = curve.evaluate(np.array([-9.0, 9.0]))
    assert volume.tolist() == [4.0, 0.0]
    assert slope.tolist() == [0.0, 0.0]


def test_no_orders_give_empty_curves() -> None:
    m = market()
    nothing = Demand(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    levels = all_levels(m, nothing)
    assert len(levels.pair) == 0
    volume, _ = level_curve(levels, m.cap).evaluate(np.zeros(0))
    assert len(volume) == 0


def test_the_histogram_holds_every_order_once() -> None:
    m, demand = market(), random_demand(5000, seed=6)
    sizes, base = NumpyKernels().bin_sizes(demand, 9, m.cap, BINS)
    reach = demand.limit >= -m.cap
    assert sizes.sum() + base.sum() == demand.size[reach].sum()
    curve = histogram_curve(m, sizes, base)
    for edge in range(0, BINS + 1, 16):
        price = -m.cap + edge * 2 * m.cap / BINS
        volume, _ = curve.evaluate(np.full(len(curve.pay), price))
        exact = [in_the_money(demand, p, price) for p in curve.pair]
        assert volume == pytest.approx(exact)


def test_the_window_keeps_what_is_inside_and_sums_what_is_above() -> None:
    demand = Demand(
        np.array([1, 1, 1, 1, 2]), np.array([5.0, 4.0, 3.0, 2.0, 4.0]), np.array([1, 2, 4, 8, 16.0])
    )
    low, high = np.full(9, 3.0), np.full(9, 4.0)
    chosen, above = NumpyKernels().split(demand, low, high)
    assert chosen.tolist() == [1, 2, 4]
    assert above.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0]
