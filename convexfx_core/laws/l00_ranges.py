"""L0, the part on the clearing: ranges of orders, prices and claims, so that nothing overflows.

The index of a violation is the number of the section of the witness that holds the value.
Parameters and reference vector are taken as their codecs left them.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.case import KIND_ORDER, LIMIT_LIMIT, LIMIT_MARKET, ClearingCase
from convexfx_core.errors import LawViolated
from convexfx_core.laws.claims import ClearingClaims
from convexfx_core.limits import (
    AMOUNT_MAX,
    LIMIT_EXPONENT_MAX,
    LIMIT_EXPONENT_MIN,
    ORDERS_MAX,
    VALUE_MAX,
)
from convexfx_core.order_row import MANTISSA_MAX, MANTISSA_MIN
from convexfx_core.proposal import RejectKind
from convexfx_core.rates import pair_rate, used_pairs

REFERENCE, ORDERS, PRICES, FILLS, INVENTORY, RATION, REJECTS, AMOUNTS = 3, 5, 6, 7, 8, 9, 10, 11
BAND_SHIFT: Final = 5
"""Bands are narrower than 1/32 of the price: eight terms of the logarithm are exact enough."""
PRICE_BITS: Final = 128
OMEGA_MAX: Final = (1 << 63) - 1


def check_ranges(case: ClearingCase, claims: ClearingClaims) -> None:
    """Raise :class:`LawViolated` with law 0 for the first section with a value out of range."""
    _check_band(case)
    _check_orders(case)
    _check_prices(case, claims)
    count = len(case.orders)
    _expect(len(claims.paid) == count, FILLS, len(claims.paid), f"{count} fills")
    _check_inventory(case, claims)
    _check_ration(case, claims)
    _check_rejects(claims, count)
    for name, column in (("received", claims.received), ("fee", claims.fee)):
        _expect(len(column) == count, AMOUNTS, len(column), f"{count} amounts {name}")


def valid_orders(orders: NDArray[np.void], n: int) -> NDArray[np.bool_]:
    """Which order rows (kind 1) are well formed, bool[K]: assets, budget, minimum, limit."""
    budget, mantissa = orders["budget"], orders["limit_m"]
    good = (orders["pay"] < n) & (orders["receive"] < n) & (orders["pay"] != orders["receive"])
    good &= (orders["kind"] == KIND_ORDER) & (orders["min_fill"] <= budget)
    good &= budget - np.uint64(1) < np.uint64(AMOUNT_MAX)
    exponent = orders["limit_e"]
    limit = (orders["limit_kind"] == LIMIT_LIMIT) & (mantissa >= np.uint64(MANTISSA_MIN))
    limit &= (mantissa <= np.uint64(MANTISSA_MAX)) & (exponent >= LIMIT_EXPONENT_MIN)
    limit &= exponent <= LIMIT_EXPONENT_MAX
    market = (orders["limit_kind"] == LIMIT_MARKET) & (mantissa == 0) & (exponent == 0)
    result: NDArray[np.bool_] = good & (limit | market)
    return result


def _check_band(case: ClearingCase) -> None:
    reference = case.reference
    for pbar, low, high in zip(reference.pbar, reference.plo, reference.phi, strict=True):
        width = max(pbar - low, high - pbar)
        _expect(width << BAND_SHIFT <= pbar, REFERENCE, width, f"at most {pbar >> BAND_SHIFT}")


def _check_orders(case: ClearingCase) -> None:
    count, n = len(case.orders), case.params.n
    _expect(count <= ORDERS_MAX, ORDERS, count, f"at most {ORDERS_MAX} orders")
    for start in range(0, count, 1 << 14):
        good = valid_orders(case.orders[start : start + (1 << 14)], n)
        if not good.all():
            _expect(False, ORDERS, f"order {start + int(np.argmin(good))}", "a well-formed order")


def _check_prices(case: ClearingCase, claims: ClearingClaims) -> None:
    n, prices = case.params.n, claims.prices
    _expect(len(prices) == n, PRICES, len(prices), f"{n} prices")
    for price in prices:
        _expect(0 < price < 1 << PRICE_BITS, PRICES, price, "a price from 1 to 2^128 - 1")
    for pay, receive in used_pairs(case):
        rate = pair_rate(case, prices, pay, receive)
        observed = f"pair {pay}/{receive}: shift {rate.shift}, rate {rate.gross}"
        _expect(rate.in_range(), PRICES, observed, "shift in [0, 126], rate in [2^60, 2^63)")


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
