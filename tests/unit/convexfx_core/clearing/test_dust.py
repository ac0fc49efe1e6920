"""Amounts near one unit, limits near the price, assets without decimals."""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.clearing import propose
from convexfx_core.clearing.problem import pose
from convexfx_core.clearing.rounding import least_rates, rates_of
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.units import gross_rate, net_rate, rate_shift
from tests.support.clearing_cases import (
    Shape,
    case_of,
    effective,
    order_rows,
    params_of,
    reference_at,
)
from tests.support.clearing_oracle import check


def coarse(budgets: list[int], limits: list[float], price: float = 50_000.0) -> ClearingCase:
    """Orders that pay cents (two decimals) for an asset without decimals at ``price``."""
    digits = np.array([2, 0])
    reference = reference_at(np.array([1.0, price]), digits, [50.0, 50.0])
    impact = effective(np.array([[0.0, 0.0], [0.0, 0.01]]), np.zeros(2))
    params = params_of(
        digits, 50.0, impact, np.zeros((2, 2)), [10**12, 10**7], [0, 0], [10**15, 10**9]
    )
    count = len(budgets)
    zeros, ones = np.zeros(count, np.int64), np.ones(count, np.int64)
    rows = order_rows(
        params, reference, zeros, ones, np.array(budgets, np.uint64), np.array(limits),
        np.zeros(count, np.uint64),
    )  # fmt: skip
    return ClearingCase(params, reference, (10**12, 10**7), rows)


def test_a_budget_that_buys_nothing_is_left_and_the_next_cent_is_not() -> None:
    case = coarse([4_999_000, 5_025_500], [np.inf, np.inf])
    proposal = propose(case, kernels="numpy")
    assert proposal.paid.tolist() == [0, 5_025_500]
    assert not check(case, proposal).violations


@pytest.mark.parametrize("cents", [4_999_999, 5_000_000, 5_000_001, 5_000_100, 5_002_000])
def test_around_one_unit_the_outcome_is_lawful(cents: int) -> None:
    case = coarse([cents, 10**10], [np.inf, np.inf])
    proposal = propose(case, kernels="numpy")
    assert not check(case, proposal).violations
    assert proposal.paid[1] == 10**10


def test_many_dust_orders_do_not_count_as_demand() -> None:
    alone = propose(coarse([10**10], [np.inf]), kernels="numpy")
    crowd = propose(coarse([10**10] + [2_000_000] * 500, [np.inf] * 501), kernels="numpy")
    assert alone.prices == crowd.prices
    assert not crowd.paid[1:].any()


def test_one_unit_orders_of_equal_decimals_trade() -> None:
    case = case_of(Shape(assets=3, orders=40, gross=1e-10, prices=(0.9, 1.2), gap_sd=0.0), 1)
    assert set(case.orders["budget"].tolist()) <= set(range(1, 60))
    proposal = propose(case, kernels="numpy")
    assert not check(case, proposal).violations
    assert proposal.paid.any()


def at_the_rate(case: ClearingCase, offset: int) -> ClearingCase:
    """The first order's limit set to the final net rate plus ``offset`` in the last place."""
    found = propose(case, kernels="numpy")
    i, j = int(case.orders["pay"][0]), int(case.orders["receive"][0])
    shift = rate_shift(case.reference.pbar[i], case.reference.pbar[j])
    rate = net_rate(gross_rate(found.prices[i], found.prices[j], shift), case.params.fee_ppm[i][j])
    wanted, exponent = rate + offset, shift
    while wanted < 1 << 62:
        wanted, exponent = wanted << 1, exponent + 1
    orders = case.orders.copy()
    orders["limit_kind"][0], orders["limit_m"][0], orders["limit_e"][0] = 1, wanted, exponent
    orders["budget"][0] = 1
    return replace(case, orders=orders)


@pytest.mark.parametrize("offset", [-(1 << 26), -1024, -1, 0, 1, 1024, 1 << 26])
@pytest.mark.parametrize("seed", range(3))
def test_a_limit_a_hair_from_the_price_is_judged_in_integers(seed: int, offset: int) -> None:
    case = case_of(Shape(assets=3, orders=30, gross=50.0), seed)
    orders = case.orders.copy()
    orders["budget"][0] = 1
    near = at_the_rate(replace(case, orders=orders), offset)
    proposal = propose(near, kernels="numpy")
    assert not check(near, proposal).violations


def test_limits_in_the_last_place_decide_between_full_and_nothing() -> None:
    case = case_of(Shape(assets=3, orders=30, gross=50.0), 0)
    problem = pose(case)
    prices = propose(case, kernels="numpy").prices
    rates = rates_of(case, prices, np.unique(problem.demand.pair))
    limits = least_rates(problem, rates, np.arange(30))
    net = rates.net[problem.demand.pair]
    paid = propose(case, kernels="numpy").paid
    limited = case.orders["limit_kind"] == 1
    assert not paid[limited & (net < limits)].any()
    clearly = limited & (net > limits + (limits >> np.uint64(30)))
    assert (paid[clearly] == case.orders["budget"][clearly]).all()


@pytest.mark.parametrize("digits", [(0, 0), (9, 9), (0, 9)])
@pytest.mark.parametrize("seed", range(4))
def test_decimals_from_none_to_nine(digits: tuple[int, int], seed: int) -> None:
    shape = Shape(
        assets=4, orders=60, decimals=digits, numeraire_decimals=6, prices=(0.5, 2.0), gross=80.0
    )
    case = case_of(shape, seed)
    assert not check(case, propose(case, kernels="numpy")).violations


def test_a_market_order_trades_at_the_very_edge_of_its_protection() -> None:
    case = case_of(Shape(assets=2, orders=30, market=1.0, band=2.0, gross=900.0, crowd=0.0), 2)
    orders = case.orders.copy()
    orders["pay"], orders["receive"] = 0, 1
    wall = replace(case, orders=orders)
    proposal = propose(wall, kernels="numpy")
    assert proposal.prices[1] == case.reference.phi[1]
    assert proposal.overflow[1] < 0
    assert proposal.paid.tolist() == orders["budget"].tolist()
    assert not check(wall, proposal).violations
