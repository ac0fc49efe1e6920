"""The one way to show an amount and a price: no exponent, stated digits, exact where exact."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convexfx_core.limits import DECIMALS_MAX
from convexfx_core.market.assets import Registry
from convexfx_core.market.decimal_text import (
    PRICE_DIGITS,
    amount_text,
    plain,
    price_text,
    rounded,
    unit_price,
)
from tests.support.signed_cases import registry

DECIMALS = st.integers(0, DECIMALS_MAX)
PRICES = st.integers(1, (1 << 128) - 1) | st.integers(0, 127).map(lambda bit: 1 << bit)


@pytest.mark.parametrize(
    ("seen", "due"),
    [
        (amount_text(0, 6), "0.000000"),
        (amount_text(-1, 6), "-0.000001"),
        (amount_text(1234567, 2), "12345.67"),
        (amount_text(-5, 0), "-5"),
        (plain(Decimal("1E+3")), "1000"),
        (plain(Decimal("1E-12")), "0.000000000001"),
        (plain(Decimal("-0.00")), "0"),
        (plain(Decimal("0.0500")), "0.05"),
        (rounded(Decimal("0.06487431"), 6), "0.0648743"),
        (rounded(Decimal("0E-9")), "0"),
        (rounded(Decimal("-1.0000000000005")), "-1"),
        (rounded(Decimal("1.0000000000150")), "1.00000000002"),
        (price_text(1 << 64, 6, 6), "1"),
        (price_text(1 << 64, 0, 6), "0.000001"),
        (price_text((1 << 64) // 3, 9, 6), "333.333333333"),
        (price_text((3 << 64) // 2 * 10**4, 2, 6), "1.5"),
    ],
)
def test_texts_of_numbers(seen: str, due: str) -> None:
    assert seen == due


def test_the_smallest_price_is_shown_without_an_exponent() -> None:
    assert price_text(1, 0, 9) == "0." + "0" * 28 + "542101086243"


def test_the_largest_price_is_shown_without_an_exponent() -> None:
    assert price_text((1 << 128) - 1, 9, 0) == "184467440737" + "0" * 17


@given(PRICES, DECIMALS, DECIMALS)
@example(1, 0, 9)
@example((1 << 128) - 1, 9, 0)
def test_a_unit_price_is_exact(price: int, own: int, numeraire: int) -> None:
    due = Fraction(price, 1 << 64) * Fraction(10) ** (own - numeraire)
    exact = unit_price(price, own, numeraire)
    assert Fraction(exact) == Fraction(plain(exact)) == due


@given(PRICES, DECIMALS, DECIMALS)
@example(1, 0, 9)
@example((1 << 128) - 1, 9, 0)
def test_a_shown_price_has_twelve_digits_and_no_exponent(
    price: int, own: int, numeraire: int
) -> None:
    text, exact = price_text(price, own, numeraire), unit_price(price, own, numeraire)
    assert set(text) <= set("0123456789.")
    assert "." not in text or not text.endswith("0")
    shown = Decimal(text)
    assert len(shown.normalize().as_tuple().digits) <= PRICE_DIGITS
    half_a_step = Fraction(10) ** (exact.adjusted() - PRICE_DIGITS + 1) / 2
    assert abs(Fraction(shown) - Fraction(exact)) <= half_a_step


def test_a_registry_shows_prices_by_the_decimals_of_its_assets() -> None:
    assets = list(registry().assets)
    assets[1] = replace(assets[1], decimals=2)
    coarse = Registry(tuple(assets))
    assert coarse.price_text(1, (3 << 64) // 2 * 10**4) == "1.5"
    assert coarse.price_text(0, 1 << 64) == "1"
