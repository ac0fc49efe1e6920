"""A market small enough to read: a pool in a few currencies, and orders written by hand.

The core clears a ``ClearingCase``: parameters, reference prices, the pool's inventory, and one row
for each order, integers only. This file makes one from numbers that people write.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from convexfx_core.market.params import flat_fee, params_from_matrices
from convexfx_core.market.reference import reference_from_prices
from convexfx_core.orders.row import KIND_ORDER, LIMIT_LIMIT, ORDER_DTYPE
from convexfx_core.orders.terms import limit_from_ratio
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.units import log_ratio

DECIMALS: Final = 6
UNIT: Final = 10**DECIMALS
"""Base units of one dollar, one euro, one pound."""
ASSETS: Final = ("USD", "EUR", "GBP")
"""The numeraire stands first: every price counts in it."""
PRICES: Final = (Decimal(1), Decimal("1.10"), Decimal("1.25"))
HELD: Final = (100_000_000, 90_000_000, 80_000_000)
"""What the pool holds and wants to hold, in units of each asset."""
RISK: Final = (("0", "0", "0"), ("0", "0.432", "0.461"), ("0", "0.461", "0.768"))
"""Gamma: by how many bps the price of one asset moves for each million dollars of another that the
pool takes on. Volatile assets move more, and assets that move together move each other."""
BAND_BPS: Final = 50
"""No price leaves the reference by more."""


class Order(NamedTuple):
    """Pay ``budget`` units of ``pay``, receive ``receive``.

    ``limit`` is the most that is paid, units of ``pay`` for one unit of ``receive``; None: a market
    order, which takes any price inside the bands.
    """

    pay: str
    receive: str
    budget: Decimal
    limit: Decimal | None = None


def pool(assets: int = len(ASSETS), fee_ppm: int = 0, bound_percent: int = 20) -> ClearingCase:
    """A pool without orders, in the first ``assets`` of :data:`ASSETS`.

    No inventory may leave what the pool wants to hold by more than ``bound_percent``.
    """
    held = tuple(units * UNIT for units in HELD[:assets])
    params = params_from_matrices(
        decimals=(DECIMALS,) * assets,
        band_bps=[Decimal(BAND_BPS)] * assets,
        gamma=[[Decimal(risk) for risk in row[:assets]] for row in RISK[:assets]],
        depth=[Decimal(0)] * assets,
        fee_ppm=flat_fee(assets, fee_ppm),
        target=held,
        q_min=tuple(q * (100 - bound_percent) // 100 for q in held),
        q_max=tuple(q * (100 + bound_percent) // 100 for q in held),
    )
    reference = reference_from_prices(PRICES[:assets], 0, params)
    return ClearingCase(params, reference, held, np.zeros(0, ORDER_DTYPE))


def with_orders(case: ClearingCase, orders: Iterable[Order]) -> ClearingCase:
    """The same pool with these orders, one owner each."""
    found = list(orders)
    rows = np.zeros(len(found), ORDER_DTYPE)
    for row, (place, order) in zip(rows, enumerate(found), strict=True):
        row["owner"][3], row["nonce"], row["kind"] = place, 1, KIND_ORDER
        row["pay"], row["receive"] = ASSETS.index(order.pay), ASSETS.index(order.receive)
        row["budget"] = int(order.budget * UNIT)
        if order.limit is not None:
            row["limit_kind"] = LIMIT_LIMIT
            row["limit_e"], row["limit_m"] = limit_from_ratio(order.limit, DECIMALS, DECIMALS)
    return replace(case, orders=rows)


def deviation_bps(case: ClearingCase, prices: Iterable[int]) -> list[float]:
    """How far each price is from its reference, 1e-4 of the natural logarithm."""
    pairs = zip(prices, case.reference.pbar, strict=True)
    return [log_ratio(price, pbar) / 2**64 * 1e4 for price, pbar in pairs]
