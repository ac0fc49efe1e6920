"""Amounts and prices as the decimal strings that people read; nobody else formats them.

The protocol counts in integers: base units, and prices of base units at scale 2^64. People read
units. Every place that shows a number (result files, receipts, API, command line, orchestrator)
calls one of these functions, so that the same number is the same text everywhere. No text has an
exponent: ``1E-7`` is no decimal string that a wallet or a spreadsheet must understand.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from convexfx_core.units import PRICE_SHIFT

EXACT: Final = Context(prec=120)
"""Wide enough that no price and no amount is ever rounded in it."""
PRICE_DIGITS: Final = 12
"""Significant digits of a price that is shown; six more than a quoted FX rate has."""


def plain(number: Decimal) -> str:
    """Shortest text of a number, exact and without an exponent; zero is ``0``."""
    text = format(number.normalize(EXACT), "f")
    return "0" if text == "-0" else text


def rounded(number: Decimal, digits: int = PRICE_DIGITS) -> str:
    """:func:`plain` of a number rounded to ``digits`` significant digits, ties to even."""
    return plain(Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(number))


def amount_text(atoms: int, decimals: int) -> str:
    """Signed base units as units, with exactly ``decimals`` digits after the point."""
    digits = str(abs(atoms)).rjust(decimals + 1, "0")
    sign, cut = "-" if atoms < 0 else "", len(digits) - decimals
    return f"{sign}{digits[:cut]}.{digits[cut:]}" if decimals else sign + digits


def unit_price(price: int, decimals: int, numeraire_decimals: int) -> Decimal:
    """Numeraire units for one unit of an asset, exact.

    Parameters
    ----------
    price : numeraire base units for one base unit, times 2^64.
    decimals, numeraire_decimals : digits after the point of the asset and of the numeraire.
    """
    exact = EXACT.divide(Decimal(price), Decimal(1 << PRICE_SHIFT))
    return exact.scaleb(decimals - numeraire_decimals, EXACT)


def price_text(price: int, decimals: int, numeraire_decimals: int) -> str:
    """:func:`unit_price` to 12 significant digits."""
    return rounded(unit_price(price, decimals, numeraire_decimals))
