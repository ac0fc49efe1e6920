"""Settlement, rates and wide products: columns against plain integers."""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.arithmetic.columns import (
    CHUNK,
    NARROW,
    Shifts,
    Sums,
    multiply_shift,
    split_shifts,
)
from convexfx_core.errors import ClearingRefused
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.rates import PairRate, limit_rates, pair_rate, rate_table, used_pairs
from convexfx_core.settlement.settle import settle
from convexfx_core.units import limit_rate
from tests.support.law_cases import UNIT, Order, make_case, make_claims, rates

RNG = np.random.default_rng(5)
EDGES = [0, 1, 2, (1 << 32) - 1, 1 << 32, (1 << 61) + 12345, (1 << 62) - 1]
RATES = [0, 1, (1 << 32) - 1, 1 << 32, 1 << 60, (1 << 63) - 1]


@pytest.mark.parametrize("shift", [0, 1, 31, 32, 33, 62, 63, 64, 65, 95, 96, 97, 126])
def test_products_are_exact_at_every_edge(shift: int) -> None:
    pairs = [(a, b) for a in EDGES for b in RATES]
    pairs += [(int(a), int(b)) for a, b in RNG.integers(0, 1 << 62, (200, 2))]
    a, b = (np.array(column, dtype=np.uint64) for column in zip(*pairs, strict=True))
    low, high = multiply_shift(a, b, split_shifts(np.full(len(pairs), shift)))
    for (x, y), seen, beyond in zip(pairs, low.tolist(), high.tolist(), strict=True):
        assert seen + (beyond << 64) == (x * y) >> shift


def test_shifts_are_taken_by_rows() -> None:
    table = split_shifts(np.array([0, 64, 126]))
    taken = table.take(np.array([2, 0], dtype=np.intp))
    assert isinstance(taken, Shifts)
    assert taken.whole.tolist() == [126, 0]
    assert taken.left.tolist() == [0, 64]
    assert taken.right.tolist() == [62, 0]


LAST_NARROW = (int(NARROW) - 1) // (2 * (CHUNK // 3))


@pytest.mark.parametrize(
    "top", [LAST_NARROW, LAST_NARROW + 1, (1 << 53) - 1, (1 << 53) + 1, (1 << 64) - 1]
)
def test_sums_are_exact_whatever_the_size(top: int) -> None:
    sums, rows = Sums(3), np.array([0, 2, 2] * (CHUNK // 3), dtype=np.intp)
    values = np.full(len(rows), top, dtype=np.uint64)
    for _ in range(3):
        sums.add(rows, values)
    sums.add(rows[:0], values[:0])
    third = CHUNK // 3
    assert sums.totals() == (3 * third * top, 0, 6 * third * top)


def proposal(case, paid, prices=None) -> Proposal:
    none = np.zeros(0, dtype=np.int64)
    return Proposal(
        prices=prices or case.reference.pbar,
        paid=np.array(paid, dtype=np.uint64),
        overflow=(0,) * case.params.n,
        ration=None,
        rejected=none,
        reject_kinds=none.astype(np.uint8),
        iterations=0,
        step_norm_y=0.0,
        step_norm_alpha=0.0,
        solver="hand",
    )


def many_orders(count: int) -> list[Order]:
    rows = []
    for _ in range(count):
        pay, receive = RNG.choice(3, 2, replace=False)
        budget = int(2.0 ** RNG.uniform(0, 53))
        ratio = None if RNG.random() < 0.3 else f"{2.0 ** RNG.uniform(-12, 12):.12f}"
        rows.append(Order(int(pay), int(receive), budget, ratio))
    return rows


WIDE = {"prices": ("1", "0.00671234", "1431.77"), "decimals": (6, 2, 9), "fee_ppm": 417}
HELD = {"inventory": (10**15,) * 3, "room": (10**20,) * 3}


def test_settlement_is_what_plain_integers_give() -> None:
    case = make_case(many_orders(400), **WIDE, **HELD)
    paid = [int(b * RNG.random()) for b in case.orders["budget"]]
    moved = tuple(p + p // 3000 * i for i, p in enumerate(case.reference.pbar))
    found = settle(case, proposal(case, paid, moved))
    claims = make_claims(case, paid, prices=moved)
    assert found.received.tolist() == claims.received.tolist()
    assert found.fee.tolist() == claims.fee.tolist()
    assert found.inventory_after == claims.inventory_after
    by_asset = np.array(case.orders["receive"])
    for asset in range(3):
        assert found.fees[asset] == sum(found.fee[by_asset == asset].tolist())
    assert sum(found.flow_in) == sum(paid)
    ends = zip(case.inventory, found.flow_in, found.flow_out, strict=True)
    assert tuple(q + a - b for q, a, b in ends) == found.inventory_after


def test_limit_rates_are_those_of_the_units() -> None:
    case = make_case(many_orders(300), **WIDE, **HELD)
    orders = case.orders
    orders["limit_e"][:40] = np.where(orders["limit_kind"][:40] == 1, np.arange(-190, 250, 11), 0)
    table = rate_table(case, case.reference.pbar)
    pair = orders["pay"].astype(np.intp) * 3 + orders["receive"]
    found = limit_rates(orders, pair, table)
    for order, seen in zip(orders, found.tolist(), strict=True):
        rate = table.at(int(order["pay"]) * 3 + int(order["receive"]))
        least = limit_rate(int(order["limit_m"]), int(order["limit_e"]), rate.shift)
        assert seen == (least if order["limit_kind"] else rate.worst)


def test_table_and_pairs_agree() -> None:
    case = make_case([Order(2, 0, 5), Order(0, 2, 5), Order(2, 0, 7)], **WIDE, **HELD)
    assert used_pairs(case) == [(0, 2), (2, 0)]
    table = rate_table(case, case.reference.pbar)
    assert int(table.gross[6]) == rates(case, case.reference.pbar, 2, 0)[1]
    for pair, (pay, receive) in enumerate((i, j) for i in range(3) for j in range(3)):
        if pay != receive:
            assert table.valid[pair]
            assert table.at(pair) == pair_rate(case, case.reference.pbar, pay, receive)
        else:
            assert not table.valid[pair]
            assert int(table.gross[pair]) == 0


def test_protective_limit_of_a_market_order_is_both_bands_and_the_fee() -> None:
    case = make_case([Order(0, 1, UNIT)], band_bps="100", fee_ppm=1000)
    rate = pair_rate(case, case.reference.pbar, 0, 1)
    assert rate.worst < rate.net < rate.gross
    worst = (case.reference.pbar[0] << rate.shift) // case.reference.phi[1]
    assert rate.worst == worst * 999_000 // 10**6


@pytest.mark.parametrize(
    ("rate", "fits"),
    [
        (PairRate(0, 1 << 60, 0, 0), True),
        (PairRate(126, (1 << 63) - 1, 0, 0), True),
        (PairRate(-1, 1 << 60, 0, 0), False),
        (PairRate(127, 1 << 60, 0, 0), False),
        (PairRate(60, (1 << 60) - 1, 0, 0), False),
        (PairRate(60, 1 << 63, 0, 0), False),
    ],
)
def test_range_of_a_rate(rate: PairRate, fits: bool) -> None:
    assert rate.in_range() == fits


def test_a_pair_too_far_apart_has_no_rate() -> None:
    case = make_case([], **WIDE, **HELD)
    far = replace(case.reference, pbar=(1 << 64, 1 << 64, 1 << 10), plo=(1 << 64, 1 << 64, 1 << 10))
    case = replace(case, reference=far)
    assert pair_rate(case, far.pbar, 2, 0)[:2] == (115, 1 << 61)
    farther = replace(far, pbar=(1 << 100, 1 << 64, 1 << 10))
    case = replace(case, reference=farther)
    assert pair_rate(case, farther.pbar, 2, 0) == PairRate(151, 0, 0, 0)
    assert not pair_rate(case, farther.pbar, 2, 0).in_range()


@pytest.mark.parametrize("paid", [[1], [1, 1, 1], [1 << 62, 0]])
def test_settlement_refuses_what_it_cannot_hold(paid: list[int]) -> None:
    case = make_case([Order(0, 1, UNIT), Order(1, 0, UNIT)])
    with pytest.raises(ClearingRefused, match="paid"):
        settle(case, proposal(case, paid))


def test_settlement_refuses_amounts_beyond_a_balance_and_rates_out_of_range() -> None:
    at = {"prices": ("1", "1000"), "decimals": (9, 0), "fee_ppm": 0}
    case = make_case([Order(1, 0, 1 << 30)], **at)
    assert settle(case, proposal(case, [1 << 20])).received[0] == 10**12 << 20
    with pytest.raises(ClearingRefused, match="received"):
        settle(case, proposal(case, [1 << 30]))
    moved = (case.reference.pbar[0], case.reference.pbar[1] << 3)
    with pytest.raises(ClearingRefused, match="rate of pair 1/0"):
        settle(case, proposal(case, [1], moved))
