"""Typed integers and the few fixed-point rules that everybody shares.

A price, a rate and an amount are all integers; the types keep them apart, and the scales say where
the point stands. The rules here are the norm: columnar twins elsewhere are tested against them.
Every division and shift rounds toward minus infinity unless its name says otherwise. Source:
``docs/spec.md`` section 7. Letters: ``docs/glossary.md``.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Final, NewType

PriceQ64 = NewType("PriceQ64", int)
"""Numeraire base units per base unit of an asset, times 2^64."""
RateQ = NewType("RateQ", int)
"""Received base units per paid base unit, times 2^S of the directed pair."""
LogQ64 = NewType("LogQ64", int)
"""Natural logarithm of a price ratio, times 2^64."""

PRICE_SHIFT: Final = 64
"""Prices are at scale 2^64."""
LOG_SHIFT: Final = 64
"""So are log prices."""
RISK_SHIFT: Final = 112
"""Scale of G: log price for one base unit is tiny, and its entries keep up to 80 bits."""
RATION_SHIFT: Final = 40
"""Scale of omega, rho and h."""
LIMIT_SLACK_SHIFT: Final = 38
"""2^-38 of a limit (4e-8 bps) is the distance at which an order stands "at the price" (L4)."""
PPM: Final = 1_000_000
MILLION_EXPONENT: Final = 6
"""Risk and depth are quoted per million (10^6) units of the numeraire."""
LIMIT_UNREACHABLE: Final = (1 << 64) - 1
"""Above every rate: an order with it never trades."""

DECIMAL: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Sixty digits: far more than any integer made from it has, and the same on every machine."""


def ceil_div(numerator: int, denominator: int) -> int:
    """Least integer not below ``numerator / denominator`` (``denominator`` > 0)."""
    return -(-numerator // denominator)


def round_half_even(value: Decimal) -> int:
    """Nearest integer, ties to even."""
    return int(value.to_integral_value(rounding=ROUND_HALF_EVEN, context=DECIMAL))


def round_down(value: Decimal) -> int:
    """Greatest integer not above ``value``."""
    return int(value.to_integral_value(rounding=ROUND_FLOOR, context=DECIMAL))


def round_up(value: Decimal) -> int:
    """Least integer not below ``value``."""
    return int(value.to_integral_value(rounding=ROUND_CEILING, context=DECIMAL))


def rate_shift(pbar_pay: int, pbar_receive: int) -> int:
    """Shift S of a directed pair: 62 - e with pbar_pay / pbar_receive in [2^(e-1), 2^e).

    It puts the reference rate at [2^61, 2^62): as many digits as 64 bits hold, with room for bands.
    """
    exponent = pbar_pay.bit_length() - pbar_receive.bit_length()
    if exponent >= 0:
        below = pbar_pay < pbar_receive << exponent
    else:
        below = pbar_pay << -exponent < pbar_receive
    return 62 - (exponent if below else exponent + 1)


def gross_rate(price_pay: int, price_receive: int, shift: int) -> RateQ:
    """Gross rate R of a directed pair at scale 2^shift."""
    return RateQ((price_pay << shift) // price_receive)


def net_rate(gross: int, fee_ppm: int) -> RateQ:
    """Net rate Rn = floor(R (10^6 - fee) / 10^6), same scale as ``gross``."""
    return RateQ(gross * (PPM - fee_ppm) // PPM)


def limit_rate(mantissa: int, exponent: int, shift: int) -> int:
    """Least net rate that a limit (m, e) accepts at scale 2^shift; unreachable is 2^64 - 1."""
    # ceil(m / 2^s) with s = e - S. For s < 0 it has more than 63 bits, more than any rate; from
    # s = 63 on m / 2^s is at most 1, since m is below 2^63.
    distance = exponent - shift
    if distance < 0:
        return LIMIT_UNREACHABLE
    if distance >= 63:
        return 1
    return ceil_div(mantissa, 1 << distance)


def partial_fill_shift(decimals: int) -> int:
    """Log2 of the grain of partial fills of an asset with ``decimals`` digits, base units.

    2^(5 d / 3) is about the square root of 10^d: 1,024 base units at six decimals, 0.001024 units.
    """
    return 5 * decimals // 3


def log_ratio(price: int, reference: int) -> LogQ64:
    """ln(price / reference) at scale 2^64: eight terms, each product floored.

    Source: ``docs/spec.md`` section 7, LOG; error below 2.5e-15 at 300 bps.
    """
    distance = ((price - reference) << LOG_SHIFT) // reference
    power, total = distance, 0
    for term in range(1, 9):
        total += power // term if term % 2 else -(power // term)
        power = (power * distance) >> LOG_SHIFT
    return LogQ64(total)
