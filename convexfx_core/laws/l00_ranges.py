"""L0, the part on the clearing: ranges of orders, prices and claims, so that nothing overflows.

The index of a violation is the number of the section of the witness that holds the value.
Parameters and reference vector are taken as their codecs left them.
"""

from typing import Final

import numpy as np

from convexfx_core.case import KIND_ORDER, ClearingCase
from convexfx_core.errors import ClearingRefused, LawViolated
from convexfx_core.laws.claims import ClearingClaims
from convexfx_core.laws.order_ranges import orders_in_range
from convexfx_core.limits import ORDERS_MAX, VALUE_MAX
from convexfx_core.proposal import RejectKind
from convexfx_core.rates import RateTable, rate_table
from convexfx_core.wide import CHUNK

REFERENCE, ORDERS, PRICES, FILLS, INVENTORY, RATION, REJECTS, AMOUNTS = 3, 5, 6, 7, 8, 9, 10, 11
BAND_SHIFT: Final = 5
"""Bands are narrower than 1/32 of the price: eight terms of the logarithm are exact enough."""
PRICE_BITS: Final = 128
OMEGA_MAX: Final = (1 << 63) - 1


def check_ranges(case: ClearingCase, claims: ClearingClaims) -> RateTable:
    """Rates of the claimed prices, if every value is in range.

    Raises
    ------
    LawViolated : law 0 and the first section with a value out of range.
    """
    _check_band(case)
    _check_orders(case)
    rates = _rates(case, claims)
    count = len(case.orders)
    _expect(len(claims.paid) == count, FILLS, len(claims.paid), f"{count} fills")
    _check_inventory(case, claims)
    _check_ration(case, claims)
    _check_rejects(claims, count)
    for name, column in (("received", claims.received), ("fee", claims.fee)):
        _expect(len(column) == count, AMOUNTS, len(column), f"{count} amounts {name}")
    return rates


def _check_band(case: ClearingCase) -> None:
    reference = case.reference
    for pbar, low, high in zip(reference.pbar, reference.plo, reference.phi, strict=True):
        width = max(pbar - low, high - pbar)
        _expect(width << BAND_SHIFT <= pbar, REFERENCE, width, f"at most {pbar >> BAND_SHIFT}")


def _check_orders(case: ClearingCase) -> None:
    count, n = len(case.orders), case.params.n
    _expect(count <= ORDERS_MAX, ORDERS, count, f"at most {ORDERS_MAX} orders")
    for start in range(0, count, CHUNK):
        rows = case.orders[start : start + CHUNK]
        good = orders_in_range(rows, n) & (rows["kind"] == KIND_ORDER)
        if not good.all():
            _expect(False, ORDERS, f"order {start + int(np.argmin(good))}", "a well-formed order")


def _rates(case: ClearingCase, claims: ClearingClaims) -> RateTable:
    n, prices = case.params.n, claims.prices
    _expect(len(prices) == n, PRICES, len(prices), f"{n} prices")
    for price in prices:
        _expect(0 < price < 1 << PRICE_BITS, PRICES, price, "a price from 1 to 2^128 - 1")
    try:
        return rate_table(case, prices)
    except ClearingRefused as error:
        raise LawViolated(0, PRICES, f"{error.field}: {error.observed}", error.expected) from error


def _check_inventory(case: ClearingCase, claims: ClearingClaims) -> None:
    n = case.params.n
    for name, column in (("overflow", claims.overflow), ("after", claims.inventory_after)):
        _expect(len(column) == n, INVENTORY, len(column), f"{n} inventories {name}")
    for value in claims.overflow:
        _expect(abs(value) <= VALUE_MAX, INVENTORY, value, "an overflow below 2^80")


def _check_ration(case: ClearingCase, claims: ClearingClaims) -> None:
    if claims.ration is None:
        return
    omega, demanded = claims.ration.omega, claims.ration.demanded
    _expect(len(omega) == case.params.n, RATION, len(omega), f"{case.params.n} omegas")
    for value in omega:
        _expect(-OMEGA_MAX - 1 <= value <= OMEGA_MAX, RATION, value, "a signed 64-bit omega")
    count = len(case.orders)
    _expect(len(demanded) == count, RATION, len(demanded), f"{count} demanded amounts")


def _check_rejects(claims: ClearingClaims, count: int) -> None:
    positions, kinds = claims.rejected, claims.reject_kinds
    _expect(len(positions) == len(kinds), REJECTS, len(kinds), f"{len(positions)} kinds")
    if not len(positions):
        return
    inside = int(positions[0]) >= 0 and int(positions[-1]) < count
    rising = bool((positions[1:] > positions[:-1]).all())
    _expect(inside and rising, REJECTS, "positions", f"strictly increasing below {count}")
    known = np.isin(kinds, [kind.value for kind in RejectKind]).all()
    _expect(bool(known), REJECTS, "kinds", "1 or 2")


def _expect(holds: bool, section: int, observed: object, bound: object) -> None:
    if not holds:
        raise LawViolated(0, section, observed, bound)
