"""Exact products and sums of columns."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from convexfx_core.clearing.flows import flows_of, grouped_total, multiply_shift
from convexfx_core.clearing.problem import pose
from convexfx_core.clearing.rounding import rates_of
from tests.support.clearing_cases import Shape, case_of

word = st.integers(0, (1 << 64) - 1)


@given(st.lists(st.tuples(word, word, st.integers(0, 127)), min_size=1, max_size=50))
def test_products_are_exact_where_they_fit(rows: list[tuple[int, int, int]]) -> None:
    rows = [r for r in rows if (r[0] * r[1]) >> r[2] < 1 << 64] or [(3, 5, 1)]
    left, right, shift = (np.array(column, dtype=np.uint64) for column in zip(*rows, strict=True))
    exact = [(a * b) >> s for a, b, s in rows]
    assert multiply_shift(left, right, shift).tolist() == exact


def test_sums_of_huge_amounts_are_exact() -> None:
    rng = np.random.default_rng(1)
    amount = rng.integers(0, 1 << 62, 5000, dtype=np.uint64)
    group = rng.integers(0, 3, 5000)
    exact = [sum(int(a) for a in amount[group == g]) for g in range(3)]
    assert grouped_total(group, amount, 3) == exact


def test_a_chunk_boundary_loses_nothing() -> None:
    count = (1 << 20) + 3
    amount = np.full(count, (1 << 62) - 1, dtype=np.uint64)
    assert grouped_total(np.zeros(count, np.int64), amount, 1) == [count * ((1 << 62) - 1)]


def test_flows_are_those_of_the_orders_one_by_one() -> None:
    case = case_of(Shape(assets=4, orders=100), 3)
    pair = pose(case).demand.pair
    rates = rates_of(case, case.reference.pbar, np.unique(pair))
    paid = np.where(np.arange(100) % 3 == 0, 0, case.orders["budget"])
    flow = flows_of(4, pair, paid, rates.gross, rates.shift)
    into, out = [0] * 4, [0] * 4
    for k, amount in enumerate(paid.tolist()):
        p = int(pair[k])
        into[p // 4] += amount
        out[p % 4] += (amount * int(rates.gross[p])) >> int(rates.shift[p])
    assert (list(flow.into), list(flow.out)) == (into, out)
    after = flow.after(case)
    assert after == [q + i - o for q, i, o in zip(case.inventory, into, out, strict=True)]


def test_no_fills_move_nothing() -> None:
    case = case_of(Shape(assets=2, orders=3), 3)
    pair = pose(case).demand.pair
    rates = rates_of(case, case.reference.pbar, np.unique(pair))
    flow = flows_of(2, pair, np.zeros(3, np.uint64), rates.gross, rates.shift)
    assert flow.after(case) == list(case.inventory)
