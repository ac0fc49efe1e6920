"""Grids, fills of a level, limits in integers."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexfx_core.clearing.level_shares import share_level
from convexfx_core.clearing.problem import pose
from convexfx_core.clearing.rounding import (
    PRICE_BITS,
    canonical_order,
    least_rates,
    on_grid,
    rates_of,
    round_price,
)
from convexfx_core.units import gross_rate, limit_rate, net_rate, rate_shift
from tests.support.clearing_cases import Shape, case_of

PBAR = 20_291_418_481_080_506_777
EDGE = 40_000_000_000_000_000


@given(st.integers(1, 1 << 127))
def test_a_price_on_the_grid_is_near_and_stays(price: int) -> None:
    there = on_grid(price)
    assert on_grid(there) == there
    assert there % (1 << max(0, price.bit_length() - PRICE_BITS)) == 0
    assert abs(there - price) * 2**PRICE_BITS <= price


def test_short_prices_are_untouched() -> None:
    assert on_grid((1 << 46) - 1) == (1 << 46) - 1
    assert on_grid((1 << 46) + 1) == (1 << 46) + 2


def test_a_price_never_leaves_its_band() -> None:
    low, high = PBAR - EDGE, PBAR + EDGE
    assert round_price(1e3, 0, PBAR, low, high) == high
    assert round_price(-1e3, 0, PBAR, low, high) == low
    assert low < round_price(0.1, 0, PBAR, low, high) < high


def test_overflow_puts_the_price_at_the_edge_it_pushes_against() -> None:
    low, high = PBAR - EDGE, PBAR + EDGE
    assert round_price(0.0, -5, PBAR, low, high) == high
    assert round_price(0.0, 5, PBAR, low, high) == low
    assert round_price(0.0, 0, PBAR, low, high) == on_grid(PBAR)


@pytest.mark.parametrize("bps", [-250.0, -1e-7, 0.0, 3.25, 299.0])
def test_a_price_is_the_exponential_of_its_deviation(bps: float) -> None:
    price = round_price(bps, 0, PBAR, 1, PBAR * 2)
    assert price / PBAR == pytest.approx(np.exp(bps * 1e-4), rel=2.0**-45)


def test_rates_are_the_rates_of_the_specification() -> None:
    case = case_of(Shape(assets=3, orders=5, decimals=(2, 8)), 4)
    prices = tuple(p + p // 1000 for p in case.reference.pbar)
    rates = rates_of(case, prices, np.array([1, 5, 6]))
    for pair in (1, 5, 6):
        i, j = divmod(pair, 3)
        shift = rate_shift(case.reference.pbar[i], case.reference.pbar[j])
        gross = gross_rate(prices[i], prices[j], shift)
        assert (rates.shift[pair], rates.gross[pair]) == (shift, gross)
        net = net_rate(gross, case.params.fee_ppm[i][j])
        assert rates.net[pair] == net
        least = int(rates.least[pair])
        assert (least * net) >> shift >= 1 > ((least - 1) * net) >> shift
    assert rates.net[2] == 0


def test_least_rates_are_those_of_the_laws() -> None:
    case = case_of(Shape(assets=5, orders=200, decimals=(0, 9), prices=(0.005, 5e4)), 9)
    orders = case.orders.copy()
    orders["limit_e"][:40] += np.arange(-100, 100, 5, dtype=np.int16)
    problem = pose(replace(case, orders=orders))
    rates = rates_of(case, case.reference.pbar, np.unique(problem.demand.pair))
    found = least_rates(problem, rates, np.arange(200))
    for k, row in enumerate(orders):
        shift = int(rates.shift[problem.demand.pair[k]])
        limited = int(row["limit_kind"]) == 1
        wanted = limit_rate(int(row["limit_m"]), int(row["limit_e"]), shift) if limited else 0
        assert int(found[k]) == wanted


budgets = st.lists(st.integers(1, 10**7), min_size=1, max_size=40)


@given(budgets, st.fractions(0, 1), st.sampled_from([1, 1024, 4096]), st.integers(1, 5000))
def test_a_level_is_shared_in_whole_grains(
    budget: list[int], part: Fraction, grain: int, least: int
) -> None:
    offered = np.array(budget, dtype=np.uint64)
    total = int(part * sum(budget)) // grain * grain
    out = share_level(total, offered, least, grain)
    given_ = [int(x) for x in out]
    assert sum(given_) <= total
    for paid, most in zip(given_, budget, strict=True):
        assert 0 <= paid <= most
        assert paid == most or paid % grain == 0
        assert paid == 0 or paid >= least


@given(budgets, st.fractions(0, 1))
def test_no_more_than_a_grain_of_a_level_is_lost(budget: list[int], part: Fraction) -> None:
    offered = np.array(budget, dtype=np.uint64)
    total = int(part * sum(budget)) // 1024 * 1024
    out = share_level(total, offered, 1, 1024)
    whole = max(budget) >= 1024
    assert not whole or total - int(out.sum()) < 2 * 1024 or (out == offered).all()


def test_orders_of_a_level_are_served_alike_to_one_grain() -> None:
    out = share_level(30_720, np.full(7, 10_000, dtype=np.uint64), 1, 1024)
    assert int(out.max()) - int(out.min()) <= 1024
    assert out.sum() == 30_720


def test_a_level_of_orders_below_the_grain_is_filled_whole_order_by_whole_order() -> None:
    out = share_level(2048, np.full(5, 1000, dtype=np.uint64), 1, 1024)
    assert out.tolist() == [1000, 1000, 0, 0, 0]


def test_canonical_order_is_owner_then_nonce() -> None:
    case = case_of(Shape(assets=3, orders=50), 2)
    orders = case.orders.copy()
    orders["owner"][:] = orders["owner"][:1]
    orders["nonce"] = np.arange(50)[::-1]
    ordered = canonical_order(replace(case, orders=orders), np.arange(50))
    assert ordered.tolist() == list(range(49, -1, -1))
    key = [(tuple(int(w) for w in o["owner"]), int(o["nonce"])) for o in case.orders]
    ordered = canonical_order(case, np.arange(50))
    assert [key[k] for k in ordered] == sorted(key)


def test_a_short_price_is_rounded_as_its_limit_wants() -> None:
    given = {"u_bps": 1.0, "overflow": 0, "pbar": 10_003, "plo": 9_000, "phi": 11_000}
    assert round_price(up=False, **given) == 10_004
    assert round_price(up=True, **given) == 10_005
    assert round_price(up=True, **given | {"u_bps": 0.0}) == 10_003
