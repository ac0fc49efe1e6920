"""The exact solver on markets that can be solved by hand."""

import numpy as np
import pytest

from convexfx_core.clearing.kernels import Kernels, load
from convexfx_core.clearing.problem import Demand, Market
from convexfx_core.clearing.scp import Equilibrium, NotConverged, solve

KERNELS = [load("numpy"), load("numba")]


@pytest.fixture(name="kernels", params=KERNELS, ids=lambda k: k.name)
def fixture_kernels(request: pytest.FixtureRequest) -> Kernels:
    kernels: Kernels = request.param
    return kernels


def two(gap: float = 0.0, band: float = 50.0, impact: float = 0.5) -> Market:
    """Numeraire and one asset."""
    matrix = np.array([[0.0, 0.0], [0.0, impact]])
    return Market(matrix, np.array([0.0, gap]), np.array([0.0, band]), np.ones(2))


def orders(*rows: tuple[int, int, float, float]) -> Demand:
    """(pay, receive, limit in bps, size in $M) of a market of two."""
    pay, receive, limit, size = (np.array(c) for c in zip(*rows, strict=True))
    return Demand(pay * 2 + receive, limit.astype(float), size.astype(float))


NONE = Demand(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def test_without_orders_quotes_are_skewed_to_bring_inventory_home(kernels: Kernels) -> None:
    found = solve(two(gap=4.0), NONE, kernels)
    assert found.u == pytest.approx([0.0, -2.0], abs=1e-12)
    assert found.iterations == 1


def test_at_target_without_orders_prices_are_the_reference(kernels: Kernels) -> None:
    assert solve(two(), NONE, kernels).u.tolist() == [0.0, 0.0]


def test_a_market_buyer_pays_the_impact_of_what_it_takes(kernels: Kernels) -> None:
    demand = orders((0, 1, np.inf, 10.0))
    found = solve(two(), demand, kernels)
    u = found.u[1]
    assert u == pytest.approx(0.5 * 10.0 * np.exp(-u * 1e-4), abs=1e-9)
    assert found.fraction(demand).tolist() == [1.0]


def test_a_limit_inside_the_move_is_filled_in_part_at_its_limit(kernels: Kernels) -> None:
    demand = orders((0, 1, 3.0, 10.0))
    found = solve(two(), demand, kernels)
    assert found.u[1] == pytest.approx(3.0, abs=2e-8)
    assert found.u[1] < 3.0
    filled = found.fraction(demand)[0] * 10.0
    assert filled == pytest.approx(6.0 * np.exp(3e-4), rel=1e-7)


def test_a_limit_beyond_the_move_is_full_and_one_below_is_empty(kernels: Kernels) -> None:
    demand = orders((0, 1, 9.0, 10.0), (0, 1, 2.0, 10.0))
    found = solve(two(), demand, kernels)
    assert found.fraction(demand).tolist() == [1.0, 0.0]
    assert 2.0 < found.u[1] < 9.0


def test_equal_limits_share_alike(kernels: Kernels) -> None:
    demand = orders((0, 1, 3.0, 2.0), (0, 1, 3.0, 6.0), (0, 1, 3.0, 8.0))
    share = solve(two(), demand, kernels).fraction(demand)
    assert share[0] == share[1] == share[2]
    assert 0.0 < share[0] < 1.0


def test_matched_market_orders_leave_the_price(kernels: Kernels) -> None:
    demand = orders((0, 1, np.inf, 50.0), (1, 0, np.inf, 50.0))
    assert abs(solve(two(), demand, kernels).u[1]) < 1e-3


def test_demand_beyond_the_band_is_served_at_the_band(kernels: Kernels) -> None:
    demand = orders((0, 1, np.inf, 100.0))
    found = solve(two(band=20.0), demand, kernels)
    assert found.u[1] == 20.0
    out = 100.0 * np.exp(-20e-4)
    assert found.overflow[1] == pytest.approx(-(out - 40.0), abs=1e-8)
    assert found.fraction(demand).tolist() == [1.0]


def test_at_the_lower_band_overflow_is_positive(kernels: Kernels) -> None:
    found = solve(two(band=20.0), orders((1, 0, np.inf, 100.0)), kernels)
    assert found.u[1] == -20.0
    assert found.overflow[1] == pytest.approx(60.0, abs=1e-8)


def test_a_limit_at_the_sum_of_the_bands_is_not_always_in_the_money(kernels: Kernels) -> None:
    demand = orders((0, 1, 20.0, 100.0))
    share = solve(two(band=20.0), demand, kernels).fraction(demand)[0]
    assert 0.0 < share < 1.0
    always = orders((0, 1, 20.1, 100.0))
    assert solve(two(band=20.0), always, kernels).fraction(always).tolist() == [1.0]


def test_an_asset_without_risk_stays_at_its_reference(kernels: Kernels) -> None:
    demand = orders((0, 1, 1.0, 10.0), (0, 1, -1.0, 10.0))
    found = solve(two(impact=0.0, gap=3.0), demand, kernels)
    assert found.u[1] == 0.0
    assert found.fraction(demand).tolist() == [1.0, 0.0]


def test_a_dust_order_at_the_reference_does_not_hold_the_price(kernels: Kernels) -> None:
    alone = orders((0, 1, np.inf, 20.0))
    joined = orders((0, 1, np.inf, 20.0), (0, 1, 0.0, 1e-6))
    price = solve(two(), alone, kernels).u[1]
    assert solve(two(), joined, kernels).u[1] == pytest.approx(price, abs=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_the_optimality_conditions_hold_order_by_order(kernels: Kernels, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, count = int(rng.integers(2, 7)), 60
    load_ = rng.normal(size=(n, 2))
    matrix = load_ @ load_.T + 0.1 * np.eye(n)
    matrix[0, :] = matrix[:, 0] = 0.0
    band = np.full(n, float(rng.choice([3.0, 30.0])))
    band[0] = 0.0
    market = Market(matrix, rng.normal(size=n) * (np.arange(n) > 0), band, np.ones(n))
    pay = rng.integers(0, n, count)
    receive = (pay + rng.integers(1, n, count)) % n
    limit = np.round(rng.normal(size=count) * 5, int(rng.integers(0, 3)))
    demand = Demand(pay * n + receive, limit, rng.uniform(0.05, 1.0, count))
    check_conditions(market, demand, solve(market, demand, kernels))


def check_conditions(market: Market, demand: Demand, found: Equilibrium) -> None:
    """R1 (limits), R2 (price rule with exact conservation), R3 (bands), from scratch."""
    n = market.n
    pay, receive = demand.pair // n, demand.pair % n
    share = found.fraction(demand)
    price = found.u[receive] - found.u[pay]
    assert not share[price > demand.limit].any()
    assert (share[price < demand.limit - 2e-8] == 1.0).all()
    filled = share * demand.size
    after = market.gap + np.bincount(pay, filled, minlength=n)
    after -= np.bincount(receive, filled * np.exp(-price * 1e-4), minlength=n)
    rule = market.impact @ (after - found.overflow)
    assert np.abs(rule + found.u).max() < 1e-8
    assert (np.abs(found.u) <= market.band).all()
    pushed = found.overflow != 0.0
    assert (np.abs(found.u[pushed]) == market.band[pushed]).all()
    assert (found.overflow[pushed] * found.u[pushed] <= 0).all()


def test_a_solver_that_cannot_finish_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexfx_core.clearing.active_set.STEPS_MAX", 1)
    with pytest.raises(NotConverged, match="did not end"):
        solve(two(), orders((0, 1, 3.0, 10.0), (0, 1, 1.0, 4.0), (1, 0, 2.0, 1.0)), load("numpy"))
