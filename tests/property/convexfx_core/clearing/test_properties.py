"""The named properties of the clearing, each on random markets (clearing specification 10)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from convexfx_core.clearing import propose
from convexfx_core.clearing.kernels import load
from convexfx_core.clearing.problem import pose
from convexfx_core.clearing.scp import Equilibrium, solve
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import settle
from convexfx_core.units import gross_rate, limit_rate, log_ratio, net_rate, rate_shift
from tests.support.clearing_cases import Shape, case_of, million_per_unit, order_rows, params_of
from tests.support.clearing_hard import built, risk
from tests.support.clearing_oracle import check

SEEDS = range(8)
FULL = Shape(assets=5, orders=90, min_fill=0.2, bounds=40.0)
FREE = Shape(assets=5, orders=90)
NUMPY = load("numpy")


def clear(case: ClearingCase) -> Proposal:
    return propose(case, kernels="numpy")


def prices_of(case: ClearingCase) -> Equilibrium:
    problem = pose(case)
    return solve(problem.market, problem.demand, NUMPY)


def with_orders(case: ClearingCase, *rows: np.ndarray) -> ClearingCase:
    orders = np.concatenate((case.orders, *rows))
    orders["owner"][:, 3] = np.arange(len(orders))
    return replace(case, orders=orders)


@pytest.mark.parametrize("seed", SEEDS)
def test_01_uniform_price_allows_no_triangular_arbitrage(seed: int) -> None:
    case = case_of(FULL, seed)
    prices, pbar = clear(case).prices, case.reference.pbar
    for i in range(5):
        for j in range(5):
            for k in range(5):
                if len({i, j, k}) == 3:
                    legs = [(i, j), (j, k), (k, i)]
                    shifts = [rate_shift(pbar[a], pbar[b]) for a, b in legs]
                    product = 1
                    for (a, b), s in zip(legs, shifts, strict=True):
                        product *= gross_rate(prices[a], prices[b], s)
                    assert product <= 1 << sum(shifts)


@dataclass(frozen=True)
class Traded:
    """One order of a cleared case in plain integers."""

    pay: int
    receive: int
    budget: int
    paid: int
    wanted: int
    net: int
    gross: int
    shift: int
    limit: int
    worst: int


def traded(case: ClearingCase, proposal: Proposal) -> Iterator[Traded]:
    """Every order, its rates worked out one by one."""
    r, prices = case.reference, proposal.prices
    wanted = proposal.ration.demanded if proposal.ration else proposal.paid
    for order, paid, want in zip(case.orders, proposal.paid, wanted, strict=True):
        i, j = int(order["pay"]), int(order["receive"])
        shift, fee = rate_shift(r.pbar[i], r.pbar[j]), case.params.fee_ppm[i][j]
        gross = gross_rate(prices[i], prices[j], shift)
        worst = limit = net_rate(gross_rate(r.plo[i], r.phi[j], shift), fee)
        if order["limit_kind"]:
            limit = limit_rate(int(order["limit_m"]), int(order["limit_e"]), shift)
        amounts = int(order["budget"]), int(paid), int(want)
        yield Traded(i, j, *amounts, net_rate(gross, fee), gross, shift, limit, worst)


@pytest.mark.parametrize("seed", SEEDS)
def test_02_no_fill_is_beyond_its_limit(seed: int) -> None:
    case = case_of(FULL, seed)
    filled = [order for order in traded(case, clear(case)) if order.paid]
    assert all(order.net >= order.limit for order in filled)
    assert len(filled) > 20


@pytest.mark.parametrize("seed", SEEDS)
def test_03_what_is_in_the_money_is_full(seed: int) -> None:
    case = case_of(FULL, seed)
    proposal = clear(case)
    for k, order in enumerate(traded(case, proposal)):
        clearly = order.limit <= order.worst or order.net - order.limit > order.limit >> 38
        dust = (order.budget * order.net) >> order.shift == 0
        if clearly and not dust and k not in proposal.rejected:
            assert order.wanted == order.budget
            assert order.paid == order.budget or proposal.ration is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_04_every_unit_is_conserved(seed: int) -> None:
    case = case_of(FULL, seed)
    proposal = clear(case)
    done, held = settle(case, proposal), list(case.inventory)
    for k, order in enumerate(traded(case, proposal)):
        assert int(done.received[k]) == (order.paid * order.net) >> order.shift
        assert int(done.received[k] + done.fee[k]) == (order.paid * order.gross) >> order.shift
        held[order.pay] += order.paid
        held[order.receive] -= int(done.received[k]) + int(done.fee[k])
    assert done.inventory_after == tuple(held)
    report = check(case, proposal)
    assert report.violations == []
    assert report.inventory == held


@pytest.mark.parametrize("seed", SEEDS)
def test_05_prices_stay_inside_their_bands(seed: int) -> None:
    case = case_of(replace(FULL, band=3.0, impact=2.0), seed)
    proposal, r = clear(case), case.reference
    for price, low, high, over in zip(
        proposal.prices, r.plo, r.phi, proposal.overflow, strict=True
    ):
        assert low <= price <= high
        assert over == 0 or price == (high if over < 0 else low)
    assert any(proposal.overflow)


@pytest.mark.parametrize("seed", SEEDS)
def test_06_inventories_stay_inside_their_bounds(seed: int) -> None:
    case = case_of(replace(FULL, bounds=6.0), seed)
    after, p = settle(case, clear(case)).inventory_after, case.params
    for x, held, low, high in zip(after, case.inventory, p.q_min, p.q_max, strict=True):
        assert min(low, held) <= x <= max(high, held)


@pytest.mark.parametrize("seed", SEEDS)
def test_04_the_pool_never_loses_value_at_the_clearing_prices(seed: int) -> None:
    case = case_of(FULL, seed)
    proposal = clear(case)
    after = check(case, proposal).inventory
    moved = zip(proposal.prices, after, case.inventory, strict=True)
    assert sum(p * (x - q) for p, x, q in moved) >= 0


@pytest.mark.parametrize("seed", SEEDS)
def test_07_permutation_of_the_orders_changes_nothing(seed: int) -> None:
    case = case_of(FULL, seed)
    order = np.random.default_rng(seed).permutation(len(case.orders))
    here, there = clear(case), clear(replace(case, orders=case.orders[order]))
    assert here.prices == there.prices
    assert here.overflow == there.overflow
    assert here.paid[order].tolist() == there.paid.tolist()
    assert here.rejected.tolist() == sorted(order[there.rejected].tolist())
    assert (here.ration is None) == (there.ration is None)
    if here.ration is not None and there.ration is not None:
        assert here.ration.omega == there.ration.omega


@pytest.mark.parametrize("seed", SEEDS)
def test_08_repetition_changes_nothing(seed: int) -> None:
    case = case_of(FULL, seed)
    here, there = clear(case), clear(case)
    assert here.prices == there.prices
    assert here.paid.tobytes() == there.paid.tobytes()


@pytest.mark.parametrize("seed", SEEDS)
def test_09_a_higher_own_limit_never_fills_less(seed: int) -> None:
    case = case_of(replace(FREE, orders=40), seed)
    k, before = seed % 40, -1.0
    pay, receive = (case.orders[name][k : k + 1].astype(int) for name in ("pay", "receive"))
    budget = case.orders["budget"][k : k + 1]
    for limit in np.linspace(-30, 30, 9):
        row = order_rows(case.params, case.reference, pay, receive, budget,
                         np.array([limit]), np.zeros(1, np.uint64))  # fmt: skip
        orders = case.orders.copy()
        orders[k] = row[0]
        problem = pose(replace(case, orders=orders))
        found = solve(problem.market, problem.demand, NUMPY)
        filled = float(found.fraction(problem.demand)[k])
        assert filled >= before - 1e-9
        before = filled


@pytest.mark.parametrize("seed", SEEDS)
def test_10_on_a_pair_the_better_limit_is_never_filled_less(seed: int) -> None:
    case = case_of(replace(FREE, crowd=3.0), seed)
    problem = pose(case)
    share = prices_of(case).fraction(problem.demand)
    for pair in np.unique(problem.demand.pair):
        some = np.flatnonzero(problem.demand.pair == pair)
        ordered = some[np.argsort(-problem.demand.limit[some])]
        assert (np.diff(share[ordered]) <= 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_11_splitting_an_order_changes_nothing(seed: int) -> None:
    case = case_of(FREE, seed)
    k = int(np.argmax(case.orders["budget"] >= 1000))
    parts = np.repeat(case.orders[k : k + 1], 4)
    parts["budget"] = int(case.orders["budget"][k]) // 5
    split = with_orders(case, parts)
    split.orders["budget"][k] -= parts["budget"].sum(dtype=np.uint64)
    whole, cut = prices_of(case), prices_of(split)
    assert np.abs(whole.u - cut.u).max() < 1e-11
    sizes = pose(split).demand.size
    share = cut.fraction(pose(split).demand)
    pieces = [k, *range(len(case.orders), len(split.orders))]
    filled = float((share * sizes)[pieces].sum())
    alone = float((whole.fraction(pose(case).demand) * pose(case).demand.size)[k])
    assert filled == pytest.approx(alone, rel=1e-9, abs=1.0)


def test_12_a_dust_order_limited_at_the_reference_moves_no_price() -> None:
    zeros, ones = np.zeros(21, np.int64), np.ones(21, np.int64)
    limit = np.concatenate((np.full(20, np.inf), [0.0]))
    for dust in (0.0, 1e-6):
        value = np.concatenate((np.ones(20), [dust]))
        case = built(risk(2, 0.27), zeros, ones, value, limit, band=50.0)
        assert prices_of(case).u[1] == pytest.approx(5.397, abs=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_13_no_orders_give_a_skewed_quote_and_no_change(seed: int) -> None:
    case = case_of(replace(FREE, orders=0, band=300.0), seed)
    proposal = clear(case)
    market = pose(case).market
    skew = -(market.impact @ market.gap)
    logs = [log_ratio(p, b) / 2**64 for p, b in zip(proposal.prices, case.reference.pbar,
                                                   strict=True)]  # fmt: skip
    assert np.array(logs) * 1e4 == pytest.approx(skew, abs=1e-7)
    assert check(case, proposal).inventory == list(case.inventory)


@pytest.mark.parametrize("seed", SEEDS)
def test_14_matched_opposite_flow_is_price_neutral(seed: int) -> None:
    case = case_of(FREE, seed)
    million = million_per_unit(case.reference, 6)
    u = prices_of(case).u
    value = np.array([50.0, 50.0 * np.exp((u[1] - u[2]) * 1e-4)])
    budget = np.rint(value / million[[1, 2]]).astype(np.uint64)
    rows = order_rows(case.params, case.reference, np.array([1, 2]), np.array([2, 1]), budget,
                      np.full(2, np.inf), np.zeros(2, np.uint64))  # fmt: skip
    moved = prices_of(with_orders(case, rows)).u - u
    assert np.abs(moved).max() < 1e-6


@pytest.mark.parametrize("seed", SEEDS)
def test_15_the_pool_gains_in_risk_adjusted_value_inside_the_bands(seed: int) -> None:
    case = case_of(replace(FREE, band=300.0), seed)
    problem, found = pose(case), prices_of(case)
    market, demand = problem.market, problem.demand
    assert not found.overflow.any()
    filled = found.fraction(demand) * demand.size * market.unit_value[demand.pair // 5]
    price = found.u[demand.pair % 5] - found.u[demand.pair // 5]
    after = market.gap + np.bincount(demand.pair // 5, filled, minlength=5)
    after -= np.bincount(demand.pair % 5, filled * np.exp(-price * 1e-4), minlength=5)
    gain = float((after - market.gap).sum()) * 1e4
    before_risk = 0.5 * float(market.gap @ market.impact @ market.gap)
    after_risk = 0.5 * float(after @ market.impact @ after)
    assert gain - (after_risk - before_risk) >= -1e-3 * abs(gain) - 1e-6


@pytest.mark.parametrize("seed", SEEDS)
def test_16_more_depth_never_moves_prices_further_in_its_own_norm(seed: int) -> None:
    base = case_of(replace(FREE, depth=1.0), seed)
    market, demand = pose(base).market, pose(base).demand
    inner = market.impact[1:, 1:]
    before = np.inf
    for depth in (0.0, 0.5, 2.0, 8.0):
        impact = np.zeros_like(market.impact)
        impact[1:, 1:] = np.linalg.inv(np.linalg.inv(inner) + depth * np.eye(4))
        u = solve(replace(market, impact=impact), demand, NUMPY).u
        norm = float(u @ u)
        assert norm <= before * (1 + 1e-3) + 1e-9
        before = norm


@pytest.mark.parametrize("seed", SEEDS)
def test_19_no_fill_lies_between_zero_and_its_minimum(seed: int) -> None:
    case = case_of(replace(FULL, min_fill=0.8), seed)
    paid, least = clear(case).paid, case.orders["min_fill"]
    assert ((paid == 0) | (paid >= least)).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_20_scaling_all_amounts_and_the_risk_leaves_prices(seed: int) -> None:
    problem = pose(case_of(FREE, seed))
    market, demand = problem.market, problem.demand
    scaled = replace(market, gap=market.gap * 64.0, impact=market.impact / 64.0)
    larger = replace(demand, size=demand.size * 64.0)
    here, there = solve(market, demand, NUMPY).u, solve(scaled, larger, NUMPY).u
    assert np.abs(here - there).max() < 1e-11


@pytest.mark.parametrize("seed", SEEDS)
def test_21_another_numeraire_gives_the_same_cross_rates(seed: int) -> None:
    """With risk carried by all assets alike, values and prices are seen from asset 1.

    The impact seen from asset 1 is S impact S' with S subtracting its price. Both markets value
    inventories at the reference, so they differ by the pool's revenue, which is of second order.
    """
    case = case_of(replace(FREE, orders=60, band=300.0), seed)
    problem, n = pose(case), 5
    market, demand = problem.market, problem.demand
    balanced = market.gap.copy()
    balanced[0] = -balanced[1:].sum()
    market = replace(market, gap=balanced)
    here = solve(market, demand, NUMPY)
    order = [1, 0, 2, 3, 4]
    shift = np.eye(n)
    shift[:, 1] -= 1.0
    seen = (shift @ market.impact @ shift.T)[np.ix_(order, order)]
    place = np.argsort(order)
    pair = place[demand.pair // n] * n + place[demand.pair % n]
    there = solve(
        replace(market, impact=seen, gap=market.gap[order], unit_value=market.unit_value[order]),
        replace(demand, pair=pair),
        NUMPY,
    )
    back = there.u[place]
    cross = (here.u - here.u[1]) - (back - back[1])
    price = here.u[demand.pair % n] - here.u[demand.pair // n]
    filled = here.fraction(demand) * demand.size * market.unit_value[demand.pair // n]
    revenue = abs(float((filled * -np.expm1(-price * 1e-4)).sum()))
    assert np.abs(cross).max() <= 2.0 * revenue * np.abs(market.impact).max() + 1e-9
    assert np.abs(here.u).max() > 20.0 * np.abs(cross).max()


@pytest.mark.parametrize("seed", SEEDS)
def test_21_the_transformed_risk_is_exact_for_values_that_sum_to_zero(seed: int) -> None:
    rng = np.random.default_rng(seed)
    impact = np.zeros((4, 4))
    load_ = rng.normal(size=(3, 3))
    impact[1:, 1:] = load_ @ load_.T
    shift = np.eye(4)
    shift[:, 1] -= 1.0
    seen = shift @ impact @ shift.T
    values = rng.normal(size=4)
    values -= values.mean()
    here, there = -(impact @ values), -(seen @ values)
    assert (here - here[1]) == pytest.approx(there - there[1])
    assert not seen[1].any()


def test_params_builder_keeps_the_numeraire_free_of_risk() -> None:
    case = case_of(FREE, 0)
    assert set(case.params.risk[0]) == {0}
    again = params_of(
        np.array(case.params.decimals), 50.0, risk(5), np.zeros((5, 5)),
        case.params.target, case.params.q_min, case.params.q_max,
    )  # fmt: skip
    assert again.band[0] == 0
