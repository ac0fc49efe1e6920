"""The limit that a receipt names is the least one of its digits that fills."""

from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convexfx_core.errors import RejectedOrder
from convexfx_core.orders.terms import limit_from_ratio
from convexfx_core.settlement.fill_reasons import LIMIT_DIGITS, filling_limit
from convexfx_core.units import limit_rate

RATES = st.integers(1 << 60, (1 << 63) - 1)
DIGITS = st.integers(0, 9)


def rate_of(limit: Decimal, shift: int, d_pay: int, d_receive: int) -> int:
    """Least net rate that an order with this limit accepts."""
    try:
        exponent, mantissa = limit_from_ratio(limit, d_pay, d_receive)
    except RejectedOrder:
        assume(False)
        raise
    return limit_rate(mantissa, exponent, shift)


@settings(max_examples=300, deadline=None)
@given(RATES, st.integers(0, 126), DIGITS, DIGITS)
def test_it_fills_and_one_digit_less_does_not(
    net: int, shift: int, d_pay: int, d_receive: int
) -> None:
    limit = filling_limit(net, shift, d_pay, d_receive)
    assert len(limit.as_tuple().digits) <= LIMIT_DIGITS
    assert rate_of(limit, shift, d_pay, d_receive) <= net
    lower = limit - Decimal(1).scaleb(limit.adjusted() - LIMIT_DIGITS + 1)
    assert rate_of(lower, shift, d_pay, d_receive) > net
