"""L0, the part on the clearing: ranges of orders, prices and claims, so that nothing overflows.

``certify`` asks here first. A witness has passed ``l00_decode`` by then; a result file has not. The
index of a violation is the number of the witness section that would hold the value. Parameters and
reference vector are taken as their codecs left them.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns import CHUNK
from convexfx_core.errors import ClearingRefused, LawViolated
from convexfx_core.laws.claims import ClearingClaims
from convexfx_core.limits import ORDERS_MAX, VALUE_MAX
from convexfx_core.orders.row_words import order_words, read_words
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import RejectKind
from convexfx_core.settlement.rates import RateTable, refuse_invalid

REFERENCE, ORDERS, PRICES, FILLS, INVENTORY, RATION, REJECTS, AMOUNTS = 3, 5, 6, 7, 8, 9, 10, 11
"""Sections of the witness, ``docs/spec.md`` section 4."""
BAND_SHIFT: Final = 5
"""Bands are narrower than 1/32 of the price: eight terms of the logarithm are exact enough."""
PRICE_BITS: Final = 128
OMEGA_MAX: Final = (1 << 63) - 1


def check_reference(case: ClearingCase) -> None:
    """Raise :class:`LawViolated` for a band too wide for the logarithm, or too many orders."""
    reference = case.reference
    for pbar, low, high in zip(reference.pbar, reference.plo, reference.phi, strict=True):
        width = max(pbar - low, high - pbar)
        _expect(width << BAND_SHIFT <= pbar, REFERENCE, width, f"at most {pbar >> BAND_SHIFT}")
    count = len(case.orders)
    _expect(count <= ORDERS_MAX, ORDERS, count, f"at most {ORDERS_MAX} orders")


def check_orders(malformed: int | None) -> None:
    """Raise for the first order row that is not well formed, if one was found."""
    _expect(malformed is None, ORDERS, f"order {malformed}", "a well-formed order")


def first_malformed(case: ClearingCase) -> int | None:
    """Position of the first order row that is not well formed."""
    n, count, words = case.params.n, len(case.orders), order_words(case.orders)
    for start in range(0, count, CHUNK):
        good = read_words(words[start : start + CHUNK]).well_formed(n)
        if not good.all():
            return start + int(np.argmin(good))
    return None


def check_rates(
    case: ClearingCase, claims: ClearingClaims, rates: RateTable, used: NDArray[np.bool_]
) -> None:
    """Raise for the first used pair whose rates are out of range."""
    for pair in np.flatnonzero(used & ~rates.valid):
        try:
            refuse_invalid(rates, case, claims.prices, *divmod(int(pair), case.params.n))
        except ClearingRefused as error:
            seen = f"{error.field}: {error.observed}"
            raise LawViolated(0, PRICES, seen, error.expected) from error


def check_claims(case: ClearingCase, claims: ClearingClaims) -> None:
    """Raise for the first claim of another shape or out of range, prices first."""
    n, prices, count = case.params.n, claims.prices, len(case.orders)
    _expect(len(prices) == n, PRICES, len(prices), f"{n} prices")
    for price in prices:
        _expect(0 < price < 1 << PRICE_BITS, PRICES, price, "a price from 1 to 2^128 - 1")
    _expect(len(claims.paid) == count, FILLS, len(claims.paid), f"{count} fills")
    _check_inventory(case, claims)
    _check_ration(case, claims)
    _check_rejects(claims, count)
    for name, column in (("received", claims.received), ("fee", claims.fee)):
        _expect(len(column) == count, AMOUNTS, len(column), f"{count} amounts {name}")


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
