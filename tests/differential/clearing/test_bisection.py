"""Two assets by bisection: an independent answer with nothing in common but the market's rules.

With one free price the excess demand falls in the price, so the equilibrium is found by halving an
interval; a jump at a limit is what the orders at that limit share.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.clearing.kernels import load
from convexfx_core.clearing.problem import Demand, Market
from convexfx_core.clearing.scp import solve

NUMPY = load("numpy")


def two(impact: float, gap: float, band: float) -> Market:
    matrix = np.array([[0.0, 0.0], [0.0, impact]])
    return Market(matrix, np.array([0.0, gap]), np.array([0.0, band]), np.ones(2))


def rule(market: Market, orders: list[tuple[int, float, float]], u: float) -> float:
    """u + impact x' when everything strictly in the money at u is filled; rises with u."""
    x = float(market.gap[1])
    for pair, limit, size in orders:
        price = u if pair == 1 else -u
        if price < limit:
            x += size if pair == 2 else -size * math.exp(-price * 1e-4)
    return u + float(market.impact[1, 1]) * x


def bisected(market: Market, orders: list[tuple[int, float, float]]) -> float:
    """The price at which the rule changes sign, at most the band."""
    low, high = -float(market.band[1]), float(market.band[1])
    if rule(market, orders, low) >= 0:
        return low
    if rule(market, orders, high) <= 0:
        return high
    for _ in range(80):
        middle = 0.5 * (low + high)
        if rule(market, orders, middle) <= 0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def demand_of(orders: list[tuple[int, float, float]]) -> Demand:
    pair = np.array([o[0] for o in orders], dtype=np.int64)
    limit, size = (np.array([o[k] for o in orders], dtype=float) for k in (1, 2))
    return Demand(pair, limit, size)


order = st.tuples(
    st.sampled_from([1, 2]),
    st.floats(-40, 40, allow_nan=False).map(lambda x: round(x, 2)),
    st.floats(0.01, 50.0),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(order, max_size=25),
    st.sampled_from([0.01, 0.3, 1.0, 5.0]),
    st.floats(-20, 20),
    st.sampled_from([1.0, 20.0, 300.0]),
)
def test_the_price_is_where_the_rule_changes_sign(
    orders: list[tuple[int, float, float]], impact: float, gap: float, band: float
) -> None:
    market = two(impact, gap, band)
    found = solve(market, demand_of(orders), NUMPY)
    assert found.u[1] == pytest.approx(bisected(market, orders), abs=5e-8)


@settings(max_examples=150, deadline=None)
@given(st.lists(order, min_size=1, max_size=25), st.sampled_from([0.3, 2.0]), st.floats(-9, 9))
def test_the_part_of_a_shared_level_closes_the_rule(
    orders: list[tuple[int, float, float]], impact: float, gap: float
) -> None:
    market, demand = two(impact, gap, 300.0), demand_of(orders)
    found = solve(market, demand, NUMPY)
    share, x, u = found.fraction(demand), gap, found.u[1]
    for part, (pair, _, size) in zip(share, orders, strict=True):
        price = u if pair == 1 else -u
        x += part * (size if pair == 2 else -size * math.exp(-price * 1e-4))
    assert u + impact * x == pytest.approx(0.0, abs=2e-9 * (1 + impact))


@pytest.mark.parametrize("limit", [3.0, 3.0 + 1e-7, 2.9999999])
def test_a_jump_at_a_limit_holds_the_price_there(limit: float) -> None:
    market = two(0.5, 0.0, 50.0)
    orders = [(1, limit, 10.0), (2, -9.0, 1e-3)]
    assert solve(market, demand_of(orders), NUMPY).u[1] == pytest.approx(limit, abs=2e-8)
    assert bisected(market, orders) == pytest.approx(limit, abs=1e-9)
