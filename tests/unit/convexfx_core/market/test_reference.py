"""Reference prices: exact integers, bands, guards, bytes."""

from dataclasses import replace
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from hashlib import sha256

import pytest

from convexfx_core.errors import CodecError, ConfigurationCode, ConfigurationError
from convexfx_core.market.reference import (
    Reference,
    band_edges,
    check_deviation,
    check_fresh,
    reference_from_bytes,
    reference_from_prices,
    reference_from_quotes,
    reference_hash,
    reference_price,
    reference_to_bytes,
)
from tests.support.epoch_cases import (
    IDS,
    PRICES,
    params_of_three,
    reference_of_three,
    registry_of_three,
)

ONE = 1 << 64
AS_OF = 1_700_000_000
EXACT = Context(prec=400, traps=[Inexact])


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_of_three(params_of_three())


# -- Pbar --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "d_0", "d_i", "expected"),
    [
        ("1", 6, 6, ONE),
        ("1.1", 6, 6, 20_291_418_481_080_506_778),
        ("2", 2, 0, 200 * ONE),
        ("2", 0, 2, ONE // 50),
        ("0.0000000000000000000271050543121376108501863200217485427856445312500", 6, 6, 0),
        ("0.0000000000000000000813151629364128325505589600652456283569335937500", 6, 6, 2),
        ("0.0000000000000000001355252715606880542509316001087427139282226562500", 6, 6, 2),
    ],
)
def test_price_to_the_nearest_even(price: str, d_0: int, d_i: int, expected: int) -> None:
    """The last three are exactly 0.5, 1.5 and 2.5 units of 2^-64."""
    if expected == 0:
        with pytest.raises(ConfigurationError, match="PRICE_RANGE"):
            reference_price(Decimal(price), d_0, d_i)
    else:
        assert reference_price(Decimal(price), d_0, d_i) == expected


UNIT = Decimal(5**64).scaleb(-64, EXACT)
"""2^-64, exactly."""


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("1.5", 2),
        ("1.5" + "0" * 80 + "1", 2),
        ("1.4" + "9" * 80, 1),
        ("2.5", 2),
        ("2.5" + "0" * 80 + "1", 3),
        ("2.4" + "9" * 80, 2),
    ],
)
def test_a_price_of_any_length_is_rounded_once(units: str, expected: int) -> None:
    """A digit far beyond the sixtieth still decides a tie."""
    price = EXACT.multiply(UNIT, Decimal(units))
    assert reference_price(price, 6, 6) == expected


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "1e31", "1e-31", "1e999999"])
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        reference_price(Decimal(price), 6, 6, "price.EUR")
    assert (caught.value.code, caught.value.field) == (ConfigurationCode.PRICE_RANGE, "price.EUR")


def test_a_price_must_fit_128_bits() -> None:
    most = Decimal((1 << 64) - 1)
    assert reference_price(most, 0, 0) == ((1 << 64) - 1) << 64
    with pytest.raises(ConfigurationError, match="fits 128 bits"):
        reference_price(most + 1, 0, 0)


# -- bands -------------------------------------------------------------------------------------


def exponential(width: Fraction) -> Fraction:
    """exp by its series, far more exactly than sixty digits."""
    total, term = Fraction(0), Fraction(1)
    for k in range(1, 60):
        total, term = total + term, term * width / k
    return total


@pytest.mark.parametrize("band", [0, 1, 20_000_000, 20_000_001, 300_000_000])
@pytest.mark.parametrize("pbar", [1, 12_345, ONE, 20_291_418_481_080_506_778, (1 << 127) - 1])
def test_band_edges_are_rounded_into_the_band(pbar: int, band: int) -> None:
    low, high = band_edges(pbar, band)
    width = Fraction(band, 10**10)
    exact_low, exact_high = pbar * exponential(-width), pbar * exponential(width)
    assert exact_low <= low < exact_low + 1
    assert exact_high - 1 < high <= exact_high
    assert low <= pbar <= high


def test_no_band_is_the_price_itself() -> None:
    assert band_edges(12_345, 0) == (12_345, 12_345)


# -- a whole vector ----------------------------------------------------------------------------


def test_quotes_by_asset_id() -> None:
    params, registry = params_of_three(), registry_of_three()
    quotes = {"JPY": PRICES[2], "EUR": PRICES[1], "XAU": Decimal(3_000)}
    found = reference_from_quotes(quotes, AS_OF, params, registry)
    assert found == reference_from_prices(PRICES, AS_OF, params, IDS)
    assert found.as_of_s == AS_OF
    assert found.pbar == (ONE, 20_291_418_481_080_506_778, 123_593_185_293_853_996)


def test_the_numeraire_has_no_band_whatever_its_parameters_say(reference: Reference) -> None:
    assert reference.plo[0] == reference.pbar[0] == reference.phi[0] == ONE
    assert params_of_three().band[0] > 0


def test_other_assets_have_one(reference: Reference) -> None:
    for i in (1, 2):
        assert (reference.plo[i], reference.phi[i]) == band_edges(reference.pbar[i], 20_000_000)


def test_decimals_of_every_asset_count() -> None:
    found = reference_from_prices(PRICES, AS_OF, params_of_three((2, 6, 0)), IDS)
    assert found.pbar[1] == reference_price(PRICES[1], 2, 6)
    assert found.pbar[2] == reference_price(PRICES[2], 2, 0)


@pytest.mark.parametrize(
    ("quotes", "field", "expected"),
    [
        ({"EUR": Decimal("1.1")}, "price.JPY", "a quote"),
        ({}, "price.EUR", "a quote"),
        ({"USD": Decimal("1.01"), "EUR": Decimal(1), "JPY": Decimal(1)}, "price.USD", "1 for the"),
        ({"EUR": Decimal(0), "JPY": Decimal(1)}, "price.EUR", "a number from"),
        ({"EUR": Decimal(-1), "JPY": Decimal(1)}, "price.EUR", "a number from"),
        ({"EUR": Decimal("1e-19"), "JPY": Decimal(1)}, "price.USD", "against price.EUR"),
        ({"EUR": Decimal("1e19"), "JPY": Decimal("1e-3")}, "price.EUR", "against price.JPY"),
    ],
)
def test_wrong_quotes_name_the_asset(quotes: dict[str, Decimal], field: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        reference_from_quotes(quotes, AS_OF, params_of_three(), registry_of_three())
    assert (caught.value.code, caught.value.field) == (ConfigurationCode.PRICE_RANGE, field)
    assert expected in caught.value.expected


def test_the_extreme_shifts_are_accepted_and_one_more_is_not() -> None:
    """Prices 2^62 apart have shifts -1 + ... : the last ratio whose both shifts hold."""
    params = params_of_three((0, 0, 0), band=(0, 0, 0))
    reference_from_prices([Decimal(1), Decimal(2**61), Decimal(1)], AS_OF, params)
    with pytest.raises(ConfigurationError, match="rate shifts"):
        reference_from_prices([Decimal(1), Decimal(2**62), Decimal(1)], AS_OF, params)


def test_as_many_prices_as_assets() -> None:
    with pytest.raises(ConfigurationError, match="prices: expected 3 entries, found 2"):
        reference_from_prices(PRICES[:2], AS_OF, params_of_three())


def test_without_ids_errors_name_the_place() -> None:
    with pytest.raises(ConfigurationError, match=r"price\.1"):
        reference_from_prices([Decimal(1), Decimal(0), Decimal(1)], AS_OF, params_of_three())


# -- guards ------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [0, 1, 60, -60])
def test_fresh_enough(age: int) -> None:
    check_fresh(AS_OF, AS_OF + age, 60)


@pytest.mark.parametrize(("age", "seen"), [(61, "61 s ago"), (-61, "61 s ahead")])
def test_stale_or_from_the_future(age: int, seen: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_fresh(AS_OF, AS_OF + age, 60)
    assert caught.value.code == ConfigurationCode.PRICE_STALE
    assert caught.value.line() == (
        f"PRICE_STALE: reference.as_of: expected at most 60 s from now, found {seen}"
    )


def moved(reference: Reference, asset: int, numerator: int, denominator: int) -> Reference:
    """The reference with one price multiplied."""
    pbar = list(reference.pbar)
    pbar[asset] = pbar[asset] * numerator // denominator
    return replace(reference, pbar=tuple(pbar))


def whole(reference: Reference) -> Reference:
    """Prices that are multiples of 10,000, so that one bps is exact."""
    return replace(reference, pbar=(ONE, 2 * 10_000**4, 10_000**4))


@pytest.mark.parametrize("bps", [50, -50, 0])
def test_a_move_up_to_the_limit_passes(reference: Reference, bps: int) -> None:
    old = whole(reference)
    check_deviation(old, moved(old, 1, 10_000 + bps, 10_000), 50)


@pytest.mark.parametrize("bps", [50, -50])
def test_one_unit_more_is_refused(reference: Reference, bps: int) -> None:
    old = whole(reference)
    new = moved(old, 1, 10_000 + bps, 10_000)
    further = replace(new, pbar=(ONE, new.pbar[1] + (1 if bps > 0 else -1), new.pbar[2]))
    with pytest.raises(ConfigurationError) as caught:
        check_deviation(old, further, 50, IDS)
    assert caught.value.code == ConfigurationCode.PRICE_DEVIATES
    assert caught.value.field == "price.EUR"
    assert caught.value.observed == f"{bps:.1f} bps"


def test_the_first_asset_that_deviates_is_named(reference: Reference) -> None:
    new = moved(moved(reference, 2, 2, 1), 1, 2, 1)
    with pytest.raises(ConfigurationError, match=r"price\.1: .* found 10000\.0 bps"):
        check_deviation(reference, new, 500)


# -- bytes -------------------------------------------------------------------------------------


def test_the_section_stands_as_the_specification_says(reference: Reference) -> None:
    expected = AS_OF.to_bytes(8, "little") + (3).to_bytes(8, "little")
    for i in range(3):
        for column in (reference.pbar, reference.plo, reference.phi):
            expected += column[i].to_bytes(16, "little")
    assert reference_to_bytes(reference) == expected
    assert len(expected) == 16 + 48 * 3


def test_bytes_and_back(reference: Reference) -> None:
    assert reference_from_bytes(reference_to_bytes(reference)) == reference


@pytest.mark.parametrize("size", [0, 8, 15, 16, 16 + 48, 16 + 48 * 3 - 1])
def test_cut_bytes_do_not_decode(reference: Reference, size: int) -> None:
    with pytest.raises(CodecError, match="16 \\+ 48 n bytes"):
        reference_from_bytes(reference_to_bytes(reference)[:size])


def test_bytes_left_over_do_not_decode(reference: Reference) -> None:
    with pytest.raises(CodecError, match="16 \\+ 48 n bytes"):
        reference_from_bytes(reference_to_bytes(reference) + b"\0")


@pytest.mark.parametrize("n", [0, 1, 2, 4, 65, 1 << 60])
def test_another_number_of_assets_does_not_decode(reference: Reference, n: int) -> None:
    data = reference_to_bytes(reference)
    with pytest.raises(CodecError, match="n from 2 to 64"):
        reference_from_bytes(data[:8] + n.to_bytes(8, "little") + data[16:])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"plo": lambda r: (r.plo[0], r.pbar[1] + 1, r.plo[2])}, "reference[1]"),
        ({"phi": lambda r: (r.phi[0], r.pbar[1] - 1, r.phi[2])}, "reference[1]"),
        ({"plo": lambda r: (r.plo[0], r.plo[1], 0)}, "reference[2]"),
        ({"pbar": lambda r: (ONE - 1, *r.pbar[1:]), "plo": lambda r: (1, *r.plo[1:])},
         "reference[0]"),
        ({"phi": lambda r: (ONE + 1, *r.phi[1:])}, "reference[0]"),
        ({"plo": lambda r: (ONE - 1, *r.plo[1:])}, "reference[0]"),
    ],
)  # fmt: skip
def test_prices_outside_their_own_bands_do_not_decode(
    reference: Reference, changes: dict[str, object], field: str
) -> None:
    wrong = replace(reference, **{name: of(reference) for name, of in changes.items()})
    with pytest.raises(CodecError) as caught:
        reference_from_bytes(reference_to_bytes(wrong))
    assert caught.value.field == field


def test_the_hash_is_over_the_section(reference: Reference) -> None:
    tagged = b"cfx.ref.v1".ljust(16, b"\0") + reference_to_bytes(reference)
    assert reference_hash(reference) == sha256(tagged).digest()
    later = replace(reference, as_of_s=reference.as_of_s + 1)
    assert reference_hash(later) != reference_hash(reference)


def test_the_hash_of_this_vector_never_changes(reference: Reference) -> None:
    assert (
        reference_hash(reference).hex()
        == "f5ba4584d900fbcd3462d29eac62358eff41a78fa7e5a957354b2b4437bfa66c"
    )
