"""Newton's method on smooth curves, and the matrices it uses."""

import numpy as np
import pytest

from convexfx_core.clearing.curves import histogram_curve, level_curve, levels_in
from convexfx_core.clearing.kernels import NumpyKernels
from convexfx_core.clearing.newton import Pool, balance, laplacian, net_flow
from convexfx_core.clearing.problem import Demand, Market
from convexfx_core.clearing.scp import pool_of, whole_window

NUMPY = NumpyKernels()


def market(rng: np.random.Generator, n: int = 4, band: float = 30.0) -> Market:
    load = rng.normal(size=(n, n))
    impact = load @ load.T / n + 0.2 * np.eye(n)
    impact[0, :] = impact[:, 0] = 0.0
    edge = np.full(n, band)
    edge[0] = 0.0
    gap = rng.normal(size=n) * 3
    return Market(impact, gap, edge, np.ones(n))


def demand(rng: np.random.Generator, count: int, n: int = 4) -> Demand:
    pay = rng.integers(0, n, count)
    receive = (pay + rng.integers(1, n, count)) % n
    limit = rng.normal(size=count) * 10
    return Demand(pay * n + receive, limit, rng.uniform(0.1, 1.0, count))


def smooth(m: Market, d: Demand):
    chosen, above = NUMPY.split(d, *whole_window(m.n, m.cap))
    return level_curve(levels_in(m, d, chosen, above), m.cap)


def imbalance(pool: Pool, curve, u: np.ndarray) -> np.ndarray:
    """Stiffness u + inventory after trade, written out pair by pair."""
    net = pool.gap.copy()
    price = np.array([u[j] - u[i] for i, j in zip(curve.pay, curve.receive, strict=True)])
    volume, _ = curve.evaluate(price)
    for i, j, v, s in zip(curve.pay, curve.receive, volume, price, strict=True):
        net[i] += v
        net[j] -= v * np.exp(-s * 1e-4)
    return pool.stiffness @ u[1:] + net[1:]


def test_the_laplacian_is_the_graph_laplacian() -> None:
    out = laplacian(3, np.array([0, 1, 1]), np.array([1, 0, 2]), np.array([1.0, 2.0, 5.0]))
    assert out.tolist() == [[3.0, -3.0, 0.0], [-3.0, 8.0, -5.0], [0.0, -5.0, 5.0]]


def test_the_laplacian_has_no_row_sum_and_no_negative_direction() -> None:
    rng = np.random.default_rng(0)
    pay = rng.integers(0, 5, 40)
    receive = (pay + rng.integers(1, 5, 40)) % 5
    out = laplacian(5, pay, receive, rng.uniform(0, 1, 40))
    assert np.abs(out.sum(axis=1)).max() < 1e-12
    assert np.array_equal(out, out.T)
    assert np.linalg.eigvalsh(out).min() > -1e-12


def test_net_flow_is_what_comes_in_minus_what_goes_out() -> None:
    flow = net_flow(
        3, np.array([0, 1]), np.array([1, 2]), np.array([4.0, 3.0]), np.array([2.0, 1.0])
    )
    assert flow.tolist() == [4.0, 1.0, -1.0]


def test_without_flow_nothing_moves() -> None:
    empty = np.zeros(0, np.int64)
    assert net_flow(2, empty, empty, np.zeros(0), np.zeros(0)).tolist() == [0.0, 0.0]
    assert not laplacian(2, empty, empty, np.zeros(0)).any()


@pytest.mark.parametrize("seed", range(8))
def test_the_result_balances_the_market_where_it_is_free(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = market(rng)
    pool, curve = pool_of(m), smooth(m, demand(rng, 200))
    u, volume, steps = balance(pool, curve, np.zeros(4), 1e-9, 200)
    assert steps < 200
    inward = imbalance(pool, curve, u)
    inside = np.abs(u[1:]) < m.band[1:] - 1e-9
    assert np.abs((pool.impact @ np.where(inside, inward, 0.0))[inside]).max(initial=0) < 1e-6
    assert (volume >= 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_prices_stay_inside_their_bands_and_push_outward_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = market(rng, band=1.0)
    pool, curve = pool_of(m), smooth(m, demand(rng, 200))
    u, _, _ = balance(pool, curve, np.zeros(4), 1e-9, 200)
    inward = imbalance(pool, curve, u)
    assert (np.abs(u) <= m.band).all()
    at = np.abs(u[1:]) >= m.band[1:]
    assert (inward[at] * u[1:][at] <= 1e-9).all()


def test_a_few_steps_come_nearer_than_none() -> None:
    rng = np.random.default_rng(3)
    m = market(rng)
    pool, curve = pool_of(m), smooth(m, demand(rng, 300))
    exact = balance(pool, curve, np.zeros(4), 1e-10, 200)[0]
    away = []
    for steps in (0, 2, 5, 50):
        u, _, taken = balance(pool, curve, np.zeros(4), 1e-10, steps)
        assert taken <= steps
        away.append(np.abs(u - exact).max())
    assert away == sorted(away, reverse=True)
    assert away[-1] < 1e-8 < away[0]


def test_the_start_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    m = market(rng)
    pool, curve = pool_of(m), smooth(m, demand(rng, 300))
    far = np.array([0.0, 25.0, -25.0, 10.0])
    here = balance(pool, curve, np.zeros(4), 1e-10, 300)[0]
    there = balance(pool, curve, far, 1e-10, 300)[0]
    assert np.abs(here - there).max() < 1e-7


def test_histograms_lead_near_the_exact_curves() -> None:
    rng = np.random.default_rng(5)
    m, d = market(rng), demand(rng, 20_000)
    pool = pool_of(m)
    sizes, base = NUMPY.bin_sizes(d, 16, m.cap, 128)
    binned = balance(pool, histogram_curve(m, sizes, base), np.zeros(4), 1e-6, 100)[0]
    exact = balance(pool, smooth(m, d), np.zeros(4), 1e-6, 100)[0]
    assert np.abs(binned - exact).max() < 0.25


def test_the_stiffness_inverts_the_impact() -> None:
    m = market(np.random.default_rng(6))
    pool = pool_of(m)
    assert np.abs(pool.stiffness @ pool.impact - np.eye(3)).max() < 1e-6
    assert np.array_equal(pool.stiffness, pool.stiffness.T)


def test_a_pool_without_risk_still_has_a_stiffness() -> None:
    m = market(np.random.default_rng(7))
    none = Market(np.zeros((4, 4)), m.gap, m.band, m.unit_value)
    assert np.isfinite(pool_of(none).stiffness).all()
