"""Texts that only a result file has: logarithms, basis points, fractions of a budget.

Amounts and prices are shown as everywhere (``market/decimal_text.py``). These texts are compared
letter by letter by ``convexfx verify``, so each has a fixed step and a fixed direction of rounding.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from convexfx_core.market.decimal_text import EXACT, plain
from convexfx_core.units import LOG_SHIFT

LOG_STEP: Final = Decimal("1e-10")
BPS_STEP: Final = Decimal("1e-9")
BPS: Final = 10_000
FRACTION_STEP: Final = Decimal("1e-9")
ERROR_DIGITS: Final = Context(prec=3, rounding=ROUND_CEILING)


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
