"""Integers as the decimal strings that a result file shows."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from convexfx_core.units import LOG_SHIFT, PRICE_SHIFT

EXACT: Final = Context(prec=120)
PRICE_DIGITS: Final = Context(prec=12, rounding=ROUND_HALF_EVEN)
LOG_STEP: Final = Decimal("1e-10")
BPS_STEP: Final = Decimal("1e-9")
BPS: Final = 10_000
FRACTION_STEP: Final = Decimal("1e-9")
ERROR_DIGITS: Final = Context(prec=3, rounding=ROUND_CEILING)


def plain(number: Decimal) -> str:
    """Shortest text without an exponent; zero is ``0``."""
    text = format(number.normalize(EXACT), "f")
    return "0" if text == "-0" else text


def amount_text(atoms: int, decimals: int) -> str:
    """Signed base units with exactly ``decimals`` digits after the point."""
    digits = str(abs(atoms)).rjust(decimals + 1, "0")
    sign, cut = "-" if atoms < 0 else "", len(digits) - decimals
    return f"{sign}{digits[:cut]}.{digits[cut:]}" if decimals else sign + digits


def unit_price(price: int, decimals: int, numeraire_decimals: int) -> Decimal:
    """Numeraire units for one unit of the asset, exact."""
    exact = EXACT.divide(Decimal(price), Decimal(1 << PRICE_SHIFT))
    return exact.scaleb(decimals - numeraire_decimals, EXACT)


def price_text(price: Decimal) -> str:
    """A price to twelve significant digits."""
    return plain(PRICE_DIGITS.plus(price))


def log_text(price: Decimal) -> str:
    """Natural logarithm of a price, ten digits after the point."""
    return plain(price.ln(EXACT).quantize(LOG_STEP, ROUND_HALF_EVEN, EXACT))


def bps_text(log: int) -> str:
    """A log price at scale 2^64 in basis points, nine digits after the point."""
    return plain(_bps(log).quantize(BPS_STEP, ROUND_HALF_EVEN, EXACT))


def error_text(log: int) -> str:
    """A size of a log price at scale 2^64 in basis points, three digits, rounded up."""
    return plain(ERROR_DIGITS.plus(_bps(log)))


def fraction_text(part: int, whole: int) -> str:
    """``part / whole``, nine digits after the point, rounded down."""
    exact = EXACT.divide(Decimal(part), Decimal(whole))
    return plain(exact.quantize(FRACTION_STEP, ROUND_FLOOR, EXACT))


def _bps(log: int) -> Decimal:
    return EXACT.divide(Decimal(log * BPS), Decimal(1 << LOG_SHIFT))
