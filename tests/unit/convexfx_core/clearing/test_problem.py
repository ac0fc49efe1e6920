"""From integers to arrays: units, exact sums, limits."""

import math
from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.clearing.problem import (
    NEVER,
    coarse_shift,
    grouped_sum,
    market_of,
    pose,
    quantised_sizes,
)
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.units import gross_rate, limit_rate, net_rate, rate_shift
from tests.support.clearing_cases import Shape, case_of, order_rows


def one_order(
    case: ClearingCase, pay: int, receive: int, budget: int, limit: float
) -> ClearingCase:
    columns = (np.array([pay]), np.array([receive]), np.array([budget], np.uint64))
    rows = order_rows(case.params, case.reference, *columns, np.array([limit]), np.array([0]))
    return replace(case, orders=rows)


@pytest.fixture(name="case")
def fixture_case() -> ClearingCase:
    return case_of(Shape(assets=4, orders=40), 1)


def test_values_are_millions_of_the_numeraire(case: ClearingCase) -> None:
    market = market_of(case, np.ones(4))
    assert market.unit_value[0] == pytest.approx(1e-12, rel=1e-15)
    held = (case.inventory[2] - case.params.target[2]) * market.unit_value[2]
    assert market.gap[2] == pytest.approx(held, rel=1e-12)


def test_impact_is_bps_per_million(case: ClearingCase) -> None:
    market = market_of(case, np.ones(4))
    exact = case.params.risk[1][2] / 2**112 * 1e4 * 10**12
    assert market.impact[1, 2] == pytest.approx(exact, rel=1e-12)
    assert not market.impact[0].any()
    assert np.array_equal(market.impact, market.impact.T)


def test_the_numeraire_has_no_band_and_the_cap_exceeds_two_bands(case: ClearingCase) -> None:
    market = market_of(case, np.ones(4))
    assert market.band.tolist() == [0.0, 50.0, 50.0, 50.0]
    assert 100.0 < market.cap < 100.00001


def test_a_market_order_has_no_limit_and_a_limit_is_relative_to_the_reference(
    case: ClearingCase,
) -> None:
    free = pose(one_order(case, 1, 2, 10**9, np.inf))
    assert free.demand.limit[0] > 10 * free.market.cap
    assert pose(one_order(case, 1, 2, 10**9, 3.5)).demand.limit[0] == pytest.approx(3.5, abs=1e-9)


def test_the_fee_is_inside_the_limit(case: ClearingCase) -> None:
    order = one_order(case, 1, 2, 10**9, 0.0)
    dearer = tuple(tuple(f + 100 if f else 0 for f in row) for row in case.params.fee_ppm)
    dear = replace(order, params=replace(case.params, fee_ppm=dearer))
    change = pose(dear).demand.limit[0] - pose(order).demand.limit[0]
    assert change == pytest.approx(1e4 * math.log((1 - 4e-4) / (1 - 3e-4)), abs=1e-9)


def test_limits_in_floats_and_integers_agree_where_they_meet(case: ClearingCase) -> None:
    order = one_order(case, 1, 2, 10**9, 7.0)
    pbar = case.reference.pbar
    shift = rate_shift(pbar[1], pbar[2])
    row = order.orders[0]
    least = limit_rate(int(row["limit_m"]), int(row["limit_e"]), shift)
    net = net_rate(gross_rate(pbar[1], pbar[2], shift), case.params.fee_ppm[1][2])
    assert pose(order).demand.limit[0] == pytest.approx(1e4 * math.log(net / least), abs=1e-9)


def test_receiving_at_least_one_unit_is_a_limit(case: ClearingCase) -> None:
    rate = case.reference.pbar[2] / case.reference.pbar[1] * (1 - 3e-4)
    budget = round(1.0 / rate)
    assert budget > 50
    order = pose(one_order(case, 2, 1, budget, np.inf))
    assert order.demand.limit[0] == pytest.approx(1e4 * math.log(budget * rate), abs=1e-6)
    enough = pose(one_order(case, 2, 1, 3 * budget, np.inf))
    assert enough.demand.limit[0] > enough.market.cap


def test_orders_left_out_keep_their_place(case: ClearingCase) -> None:
    demand = pose(case).demand
    less = demand.without(np.array([3, 5]))
    assert less.limit[[3, 5]].tolist() == [NEVER, NEVER]
    others = np.delete(np.arange(40), [3, 5])
    assert np.array_equal(less.limit[others], demand.limit[others])
    assert np.isfinite(demand.limit).all()


def sizes_of(budget: np.ndarray, pay: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    whole = budget >> np.uint64(coarse_shift(len(budget)))
    return quantised_sizes(budget, pay * n, grouped_sum(pay, whole.astype(np.float64), n))


def test_small_budgets_are_exact() -> None:
    budget = np.array([1, 2, 999_999_999_999], dtype=np.uint64)
    size, quantum = sizes_of(budget, np.array([0, 1, 1]), 2)
    assert size.tolist() == budget.tolist()
    assert quantum.tolist() == [1.0, 1.0]


def test_huge_budgets_get_a_quantum_so_that_sums_stay_exact() -> None:
    rng = np.random.default_rng(5)
    budget = rng.integers(1, 1 << 62, 4000, dtype=np.uint64)
    size, quantum = sizes_of(budget, np.zeros(4000, np.int64), 1)
    assert quantum[0] > 1.0
    assert math.log2(quantum[0]).is_integer()
    total = sum(int(s) for s in size)
    assert total < 1 << 53
    assert float(np.sum(size)) == total
    assert float(np.cumsum(rng.permutation(size))[-1]) == total
    worst = np.abs(size * quantum[0] - budget.astype(np.float64)).max()
    assert worst <= quantum[0] / 2 + 1024


def test_a_tiny_order_beside_huge_ones_does_not_vanish() -> None:
    budget = np.array([1] + [1 << 61] * 2000, dtype=np.uint64)
    size, _ = sizes_of(budget, np.zeros(2001, np.int64), 1)
    assert size[0] == 1.0
