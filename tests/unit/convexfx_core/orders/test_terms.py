"""Terms: their 72 bytes, the exact limit, the minimum fill."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from convexfx_core.errors import CodecError, RejectedOrder
from convexfx_core.orders.terms import (
    Terms,
    cancel_terms,
    limit_from_ratio,
    min_fill_atoms,
    order_terms,
    payout_terms,
)
from tests.support.signed_cases import LIMIT, patched

ORDER = order_terms(1, LIMIT, min_fill=5, valid_until=9)
VALID = [
    ORDER,
    order_terms(0, None),
    order_terms(63, (-192, 1 << 62)),
    order_terms(63, (255, (1 << 63) - 1), min_fill=(1 << 64) - 1, valid_until=(1 << 64) - 1),
    cancel_terms(),
    cancel_terms(valid_until=3),
    payout_terms(b"\1" + bytes(31)),
]


def test_layout() -> None:
    assert ORDER.to_bytes() == b"".join(
        [
            (1).to_bytes(4, "little"),
            (1).to_bytes(2, "little"),
            (1).to_bytes(2, "little"),
            (1).to_bytes(2, "little"),
            LIMIT[0].to_bytes(2, "little", signed=True),
            bytes(4),
            LIMIT[1].to_bytes(8, "little"),
            (5).to_bytes(8, "little"),
            (9).to_bytes(8, "little"),
            bytes(32),
        ]
    )


@pytest.mark.parametrize("terms", VALID)
def test_round_trip(terms: Terms) -> None:
    data = terms.to_bytes()
    assert len(data) == 72
    assert Terms.from_bytes(data) == terms


INVALID = {
    "short": (ORDER.to_bytes()[:-1], "TERMS"),
    "long": (ORDER.to_bytes() + b"\0", "TERMS"),
    "empty": (b"", "TERMS"),
    "version 0": (patched(ORDER.to_bytes(), 0, b"\0"), "TERMS"),
    "version 2": (patched(ORDER.to_bytes(), 0, b"\2"), "TERMS"),
    "reserved": (patched(ORDER.to_bytes(), 12, b"\1"), "TERMS"),
    "kind 0": (replace(ORDER, kind=0).to_bytes(), "TERMS"),
    "kind 4": (replace(ORDER, kind=4).to_bytes(), "TERMS"),
    "kind 4 in the shape of a cancel": (replace(cancel_terms(), kind=4).to_bytes(), "TERMS"),
    "limit kind 2 without a limit": (
        replace(order_terms(1, None), limit_kind=2).to_bytes(),
        "TERMS",
    ),
    "kind 257": (replace(ORDER, kind=257).to_bytes(), "TERMS"),
    "order pays": (replace(ORDER, pays=b"\1" * 32).to_bytes(), "TERMS"),
    "payout pays nothing": (replace(VALID[-1], pays=bytes(32)).to_bytes(), "TERMS"),
    "limit kind 2": (replace(ORDER, limit_kind=2).to_bytes(), "TERMS"),
    "market with mantissa": (replace(ORDER, limit_kind=0, limit_e=0).to_bytes(), "TERMS"),
    "market with exponent": (replace(ORDER, limit_kind=0, limit_m=0).to_bytes(), "TERMS"),
    "cancel receives": (replace(cancel_terms(), receive=0).to_bytes(), "TERMS"),
    "cancel with limit": (
        replace(cancel_terms(), limit_kind=1, limit_e=1, limit_m=1 << 62).to_bytes(),
        "TERMS",
    ),
    "cancel with min fill": (replace(cancel_terms(), min_fill=1).to_bytes(), "TERMS"),
    "mantissa low": (replace(ORDER, limit_m=(1 << 62) - 1).to_bytes(), "LIMIT_RANGE"),
    "mantissa high": (replace(ORDER, limit_m=1 << 63).to_bytes(), "LIMIT_RANGE"),
    "mantissa zero": (replace(ORDER, limit_m=0).to_bytes(), "LIMIT_RANGE"),
    "exponent low": (replace(ORDER, limit_e=-193).to_bytes(), "LIMIT_RANGE"),
    "exponent high": (replace(ORDER, limit_e=256).to_bytes(), "LIMIT_RANGE"),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_terms(name: str) -> None:
    data, code = INVALID[name]
    with pytest.raises(RejectedOrder) as caught:
        Terms.from_bytes(data)
    assert caught.value.code == code


def test_fields_must_fit_their_width() -> None:
    for change in (
        {"receive": 1 << 16},
        {"limit_e": 1 << 15},
        {"min_fill": 1 << 64},
        {"valid_until": -1},
        {"pays": bytes(31)},
    ):
        with pytest.raises(CodecError):
            replace(ORDER, **change).to_bytes()


RATIOS = ["1", "0.91", "1.1", "0.000001", "1000000", "3", "0.3333333333", "158.27", "2", "0.5",
          "1.0000000000000000001", "4611686018427387904", "1E-30", "1E+30"]  # fmt: skip


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("decimals", [(6, 6), (6, 2), (2, 6), (0, 9), (9, 0)])
def test_limit_is_the_least_pair_above_the_exact_rate(
    ratio: str, decimals: tuple[int, int]
) -> None:
    pay, receive = decimals
    exact = Fraction(10) ** (receive - pay) / Fraction(Decimal(ratio))
    e, m = limit_from_ratio(Decimal(ratio), pay, receive)
    assert 1 << 62 <= m < 1 << 63
    assert Fraction(m) / Fraction(2) ** e >= exact
    below = Fraction(m - 1) if m > 1 << 62 else Fraction((1 << 63) - 1, 2)
    assert below / Fraction(2) ** e < exact


def test_powers_of_two_are_exact_and_a_carry_renormalises() -> None:
    assert limit_from_ratio(Decimal(1), 6, 6) == (62, 1 << 62)
    assert limit_from_ratio(Fraction(1, 2), 6, 6) == (61, 1 << 62)
    barely_below_two = 1 / (2 - Fraction(1, 1 << 80))
    assert limit_from_ratio(barely_below_two, 6, 6) == (61, 1 << 62)


@pytest.mark.parametrize(
    "ratio",
    ["0", "-1", "NaN", "Infinity", "-Infinity", "1E+70", "1E-100", "1E+1000000", "1E-1000000"],
)
def test_ratios_without_a_limit(ratio: str) -> None:
    with pytest.raises(RejectedOrder, match="LIMIT_RANGE"):
        limit_from_ratio(Decimal(ratio), 6, 6)


def test_widest_exponents() -> None:
    assert limit_from_ratio(Fraction(1 << 193), 6, 6) == (255, 1 << 62)
    with pytest.raises(RejectedOrder, match="exponent"):
        limit_from_ratio(Fraction(1 << 194), 6, 6)
    assert limit_from_ratio(Fraction(1, 1 << 254), 6, 6) == (-192, 1 << 62)
    with pytest.raises(RejectedOrder, match="exponent"):
        limit_from_ratio(Fraction(1, 1 << 255), 6, 6)


@pytest.mark.parametrize(
    ("fraction", "budget", "least"),
    [("0", 10, 0), ("1", 10, 10), ("0.5", 10, 5), ("0.5", 11, 6), ("0.01", 1, 1), ("0.3", 10, 3),
     ("1E-1000000", 10, 1), ("0E-1000000", 10, 0), ("1E-1000000", 0, 0)],
)  # fmt: skip
def test_minimum_fill_rounds_up(fraction: str, budget: int, least: int) -> None:
    assert min_fill_atoms(Decimal(fraction), budget) == least


@pytest.mark.parametrize("fraction", ["-0.1", "1.0000001", "NaN", "Infinity", "1E+9999"])
def test_minimum_fill_lies_between_zero_and_one(fraction: str) -> None:
    with pytest.raises(RejectedOrder, match="MIN_FILL_RANGE"):
        min_fill_atoms(Decimal(fraction), 10)


def test_minimum_fill_of_a_fraction() -> None:
    assert min_fill_atoms(Fraction(1, 3), 10) == 4
