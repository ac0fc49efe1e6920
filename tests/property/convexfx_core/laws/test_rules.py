"""Properties of the shared rules: logarithm, limits, floors, decimal texts."""

from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.arithmetic.columns import Sums, multiply_shift, split_shifts
from convexfx_core.clear_files.text import fraction_text
from convexfx_core.encoding.json_fields import atoms_of, decimal_of
from convexfx_core.laws.order_ranges import orders_in_range
from convexfx_core.market.decimal_text import amount_text, plain
from convexfx_core.orders.row import KIND_ORDER, ORDER_DTYPE
from convexfx_core.orders.row_words import order_words, read_words
from convexfx_core.units import (
    gross_rate,
    limit_rate,
    log_ratio,
    net_rate,
    rate_shift,
)

DIGITS = Context(prec=60)
prices = st.integers(1 << 20, 1 << 110)
amounts = st.integers(0, (1 << 62) - 1)


@given(prices, st.integers(-295, 300))
def test_logarithm_is_exact_to_3e_15_in_the_widest_band(reference: int, bps: int) -> None:
    price = reference + reference * bps // 10_000
    exact = DIGITS.ln(DIGITS.divide(Decimal(price), Decimal(reference)))
    seen = Decimal(log_ratio(price, reference)) / (1 << 64)
    assert abs(seen - exact) < Decimal("3e-15") + Decimal(10) / (1 << 64)


@given(prices, prices)
def test_shift_puts_the_rate_between_2_61_and_2_62(pay: int, receive: int) -> None:
    shift = rate_shift(pay, receive)
    if 0 <= shift <= 126:
        assert 1 << 61 <= gross_rate(pay, receive, shift) < 1 << 62


@given(st.integers(1 << 62, (1 << 63) - 1), st.integers(-192, 255), st.integers(0, 126))
def test_limit_rate_is_the_least_that_satisfies(m: int, e: int, shift: int) -> None:
    rate = limit_rate(m, e, shift)
    exact = Fraction(m) * Fraction(2) ** (shift - e)
    if e >= shift:
        assert rate >= exact
        assert rate - 1 < exact
    else:
        assert rate == (1 << 64) - 1


@given(amounts, prices, prices, st.integers(0, 100_000))
def test_floors_favour_the_pool(paid: int, pay: int, receive: int, fee: int) -> None:
    shift = rate_shift(pay, receive)
    if not 0 <= shift <= 126:
        return
    gross = gross_rate(pay, receive, shift)
    net = net_rate(gross, fee)
    out, taken = (paid * net) >> shift, (paid * gross) >> shift
    assert out <= taken
    assert taken * receive <= paid * pay
    assert Fraction(out) <= Fraction(paid * pay, receive) * Fraction(10**6 - fee, 10**6)


@given(st.lists(st.tuples(amounts, st.integers(0, (1 << 63) - 1), st.integers(0, 126)), min_size=1))
def test_wide_products(rows: list[tuple[int, int, int]]) -> None:
    a, b = (np.array([row[i] for row in rows], dtype=np.uint64) for i in (0, 1))
    low, high = multiply_shift(a, b, split_shifts(np.array([row[2] for row in rows])))
    for (x, y, s), below, above in zip(rows, low.tolist(), high.tolist(), strict=True):
        assert below + (above << 64) == (x * y) >> s


SIZES = st.integers(0, (1 << 64) - 1) | st.integers(1 << 50, (1 << 53) + 3) | st.integers(0, 9)


@given(st.lists(st.tuples(st.integers(0, 4), SIZES), max_size=200))
def test_wide_sums(rows: list[tuple[int, int]]) -> None:
    sums = Sums(5)
    for part in (rows[:70], rows[70:]):
        at = np.array([row for row, _ in part], dtype=np.intp)
        sums.add(at, np.array([value for _, value in part], dtype=np.uint64))
    expected = tuple(sum(v for row, v in rows if row == i) for i in range(5))
    assert sums.totals() == expected


@given(st.integers(-(10**30), 10**30), st.integers(0, 9))
def test_amounts_survive_their_text(atoms: int, decimals: int) -> None:
    text = amount_text(atoms, decimals)
    assert atoms_of(text, "x", decimals) == atoms
    assert len(text.partition(".")[2]) == decimals


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20,
                   places=12))  # fmt: skip
def test_plain_texts_read_back(number: Decimal) -> None:
    assert decimal_of(plain(number), "x") == number


@given(st.integers(1, (1 << 62) - 1), st.data())
def test_fraction_is_whole_only_for_a_whole_fill(budget: int, data: st.DataObject) -> None:
    paid = data.draw(st.integers(0, budget))
    text = fraction_text(paid, budget)
    assert (text == "1") == (paid == budget)
    assert Decimal(text) <= Decimal(1)


words = st.integers(0, (1 << 64) - 1)


@settings(max_examples=150)
@given(st.lists(st.tuples(*[words] * 10), min_size=1, max_size=8), st.integers(2, 64))
def test_words_and_fields_read_the_same_rows(rows: list[tuple[int, ...]], n: int) -> None:
    orders = np.array(rows, dtype="<u8").reshape(-1).view(ORDER_DTYPE)
    columns = read_words(order_words(orders))
    for name, column in (
        ("nonce", columns.nonce),
        ("budget", columns.budget),
        ("limit_m", columns.mantissa),
        ("min_fill", columns.min_fill),
        ("pay", columns.pay),
        ("receive", columns.receive),
        ("limit_e", columns.exponent.astype(np.uint16).view(np.int16)),
        ("kind", columns.kind),
        ("limit_kind", columns.limit_kind),
    ):
        assert column.tolist() == orders[name].tolist(), name
    expected = orders_in_range(orders, n) & (orders["kind"] == KIND_ORDER)
    assert columns.well_formed(n).tolist() == expected.tolist()


near = st.sampled_from([0, 1, 2, 63, 64, 255, 256, 447, 448, 65_535])


@settings(max_examples=200)
@given(
    st.integers(0, 3), st.integers(0, 3), st.sampled_from([0, 1, (1 << 62) - 1, 1 << 62]),
    st.sampled_from([0, 1, (1 << 62) - 1, 1 << 62, (1 << 63) - 1, 1 << 63]),
    st.sampled_from([-193, -192, -1, 0, 1, 255, 256]), st.integers(0, 3), st.integers(0, 3),
)  # fmt: skip
def test_near_rows_are_judged_alike(pay, receive, budget, mantissa, exponent, kind, limit) -> None:
    orders = np.zeros(1, dtype=ORDER_DTYPE)
    orders["nonce"] = 1
    for name, value in (
        ("pay", pay),
        ("receive", receive),
        ("budget", budget),
        ("limit_m", mantissa),
        ("limit_e", exponent),
        ("kind", kind),
        ("limit_kind", limit),
    ):
        orders[name] = value
    expected = orders_in_range(orders, 3) & (orders["kind"] == KIND_ORDER)
    assert read_words(order_words(orders)).well_formed(3).tolist() == expected.tolist()
