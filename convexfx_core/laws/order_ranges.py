"""Which order rows are well formed: part of L0, row by row and by columns.

Unlike ``row_words.well_formed`` it knows cancels too, since a witness lists them. Source:
``docs/spec.md`` section 3.
"""

import numpy as np
from numpy.typing import NDArray

from convexfx_core.limits import AMOUNT_MAX, LIMIT_EXPONENT_MAX, LIMIT_EXPONENT_MIN, NONCE_MAX
from convexfx_core.orders.row import (
    KIND_CANCEL,
    KIND_ORDER,
    LIMIT_LIMIT,
    LIMIT_MARKET,
    MANTISSA_MAX,
    MANTISSA_MIN,
    NO_ASSET,
)


def order_in_range(row: np.void, n: int) -> bool:
    """Whether one order row is well formed for n assets (``docs/spec.md`` section 3)."""
    if not 1 <= row["nonce"] <= NONCE_MAX or row["pay"] >= n:
        return False
    if row["kind"] == KIND_CANCEL:
        nothing = not (row["budget"] or row["min_fill"])
        return bool(nothing and row["receive"] == NO_ASSET and _market_in_range(row))
    if row["kind"] != KIND_ORDER or row["receive"] >= n or row["receive"] == row["pay"]:
        return False
    if not 1 <= row["budget"] <= AMOUNT_MAX or row["min_fill"] > row["budget"]:
        return False
    return _limit_in_range(row) if row["limit_kind"] == LIMIT_LIMIT else _market_in_range(row)


def _limit_in_range(row: np.void) -> bool:
    exponent = LIMIT_EXPONENT_MIN <= row["limit_e"] <= LIMIT_EXPONENT_MAX
    return bool(exponent and MANTISSA_MIN <= row["limit_m"] <= MANTISSA_MAX)


def _market_in_range(row: np.void) -> bool:
    return bool(row["limit_kind"] == LIMIT_MARKET and row["limit_m"] == 0 and row["limit_e"] == 0)


def orders_in_range(rows: NDArray[np.void], n: int) -> NDArray[np.bool_]:
    """Which of K order rows are well formed: the columnar twin of :func:`order_in_range`."""
    kind, budget, receive = rows["kind"], rows["budget"], rows["receive"]
    mantissa, exponent = rows["limit_m"], rows["limit_e"]
    limit = (rows["limit_kind"] == LIMIT_LIMIT) & (mantissa >= MANTISSA_MIN)
    limit &= (mantissa <= MANTISSA_MAX) & (exponent >= LIMIT_EXPONENT_MIN)
    limit &= exponent <= LIMIT_EXPONENT_MAX
    market = (rows["limit_kind"] == LIMIT_MARKET) & (mantissa == 0) & (exponent == 0)
    order = (kind == KIND_ORDER) & (receive < n) & (receive != rows["pay"]) & (limit | market)
    order &= (budget >= 1) & (budget <= AMOUNT_MAX) & (rows["min_fill"] <= budget)
    cancel = (kind == KIND_CANCEL) & (receive == NO_ASSET) & market
    cancel &= (budget == 0) & (rows["min_fill"] == 0)
    named = (rows["nonce"] >= 1) & (rows["nonce"] <= NONCE_MAX) & (rows["pay"] < n)
    return np.asarray(named & (order | cancel))
