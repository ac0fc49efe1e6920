"""The laws that look at one order at a time: one by one, by columns, or compiled.

L1 to L5 and the part of L10 on orders need nothing but an order and the prices, so they are run in
one pass, which also adds up what the laws about assets need (``totals``). ``certify`` calls it. The
three engines have the same findings.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns import (
    CHUNK,
    COMPILED_ORDERS_MIN,
    Spread,
    compilable,
    split_shifts,
)
from convexfx_core.laws import (
    l01_budget,
    l02_limit,
    l03_amounts,
    l04_filled,
    l05_min_fill,
    l10_ration,
)
from convexfx_core.laws.breach import Breach
from convexfx_core.laws.columns import Columns, Mask, columns
from convexfx_core.laws.engine import Engine, is_scalar
from convexfx_core.laws.order_facts import ClaimedClearing, OrderFacts, order_facts
from convexfx_core.laws.order_ranges import order_in_range
from convexfx_core.laws.totals import RunningTotals, Totals, totals_of
from convexfx_core.orders.row import KIND_ORDER
from convexfx_core.orders.row_words import order_words, read_words


@dataclass(frozen=True, slots=True)
class OrderLaw:
    """One law in its two forms."""

    breach: Callable[[OrderFacts], Breach | None]
    breached: Callable[[Columns], Mask]


ORDER_LAWS: Final = {
    1: OrderLaw(l01_budget.breach, l01_budget.breached),
    2: OrderLaw(l02_limit.breach, l02_limit.breached),
    3: OrderLaw(l03_amounts.breach, l03_amounts.breached),
    4: OrderLaw(l04_filled.breach, l04_filled.breached),
    5: OrderLaw(l05_min_fill.breach, l05_min_fill.breached),
    10: OrderLaw(l10_ration.breach, l10_ration.breached),
}
RATION_LAW: Final = 10
COMPILED: Final = "convexfx_core.laws.order_laws_numba"


@dataclass(frozen=True, slots=True)
class OrderFindings:
    """What all orders together are found to be.

    Attributes
    ----------
    totals : sums over all orders.
    first : first position that breaches each law, by law.
    used : bool[n * n] pairs that orders trade.
    malformed : first order row that is not well formed; then nothing else means anything.
    at_price : i64, positions of the orders at the price (``order_facts.OrderFacts.at_price``).
    """

    totals: Totals
    first: dict[int, int]
    used: Mask
    malformed: int | None = None
    at_price: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))


def inspect_orders(
    clearing: ClaimedClearing, engine: Engine, spread: Spread = map
) -> OrderFindings:
    """Hold every order to the order laws; ``spread`` maps over blocks on the compiled engine."""
    count = len(clearing.case.orders)
    if is_scalar(engine, count):
        return by_rows(clearing)
    if engine == "compiled" or (engine == "auto" and count >= COMPILED_ORDERS_MIN and compilable()):
        findings: OrderFindings = import_module(COMPILED).by_machine_code(clearing, spread)
        return findings
    return by_columns(clearing)


def by_rows(clearing: ClaimedClearing) -> OrderFindings:
    """One order at a time, in plain Python integers."""
    n, rows = clearing.case.params.n, clearing.case.orders
    used, first = np.zeros(n * n, dtype=np.bool_), dict[int, int]()
    for position, row in enumerate(rows):
        if not order_in_range(row, n) or row["kind"] != KIND_ORDER:
            return OrderFindings(totals_of(n, []), first, used, position)
        used[int(row["pay"]) * n + int(row["receive"])] = True
    orders = [order_facts(clearing, k) for k in range(len(rows))]
    for number, law in _laws_for(clearing).items():
        for position, order in enumerate(orders):
            if law.breach(order) is not None:
                first[number] = position
                break
    at_price = [position for position, order in enumerate(orders) if order.at_price]
    found = np.array(at_price, dtype=np.int64)
    return OrderFindings(totals_of(n, orders), first, used, at_price=found)


def by_columns(clearing: ClaimedClearing) -> OrderFindings:
    """A chunk at a time, by columns."""
    n, laws = clearing.case.params.n, _laws_for(clearing)
    first, at_price = dict[int, int](), list[NDArray[np.int64]]()
    running = RunningTotals(n, clearing.claims.ration is not None)
    shifts = split_shifts(np.where(clearing.rates.valid, clearing.rates.shift, 0))
    words = order_words(clearing.case.orders)
    for start in range(0, len(words), CHUNK):
        orders = read_words(words[start : start + CHUNK])
        good = orders.well_formed(n)
        if not good.all():
            at = start + int(np.argmin(good))
            return OrderFindings(running.totals(), first, running.used, at)
        rows = columns(clearing, orders, shifts, start)
        running.add(rows)
        at_price.append(rows.at_price + start)
        for number, law in laws.items():
            mask = law.breached(rows)
            if number not in first and mask.any():
                first[number] = start + int(np.argmax(mask))
    near = np.concatenate([np.empty(0, dtype=np.int64), *at_price])
    return OrderFindings(running.totals(), first, running.used, at_price=near)


def _laws_for(clearing: ClaimedClearing) -> dict[int, OrderLaw]:
    rationed = clearing.claims.ration is not None
    return {number: law for number, law in ORDER_LAWS.items() if rationed or number != RATION_LAW}
