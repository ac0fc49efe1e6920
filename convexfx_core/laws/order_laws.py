"""The laws that look at one order at a time, over all orders: one by one, or by columns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from convexfx_core.laws import (
    l01_budget,
    l02_limit,
    l03_amounts,
    l04_filled,
    l05_min_fill,
    l10_ration,
)
from convexfx_core.laws.breach import Breach
from convexfx_core.laws.columns import Columns, Mask, columns, pair_columns
from convexfx_core.laws.facts import OrderFacts, Tables, order_facts
from convexfx_core.laws.path import Path, is_scalar
from convexfx_core.laws.totals import RunningTotals, Totals, totals_of
from convexfx_core.wide import CHUNK


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


@dataclass(slots=True)
class OrderFindings:
    """First position that breaches each law, and the totals of all orders."""

    totals: Totals
    first: dict[int, int] = field(default_factory=dict)


def inspect_orders(tables: Tables, path: Path) -> OrderFindings:
    """Hold every order to the order laws."""
    scalar = is_scalar(path, len(tables.case.orders))
    return by_rows(tables) if scalar else by_columns(tables)


def by_rows(tables: Tables) -> OrderFindings:
    """One order at a time, in plain Python integers."""
    laws, first = _laws_for(tables), {}
    orders = [order_facts(tables, k) for k in range(len(tables.case.orders))]
    for number, law in laws.items():
        for position, order in enumerate(orders):
            if law.breach(order) is not None:
                first[number] = position
                break
    return OrderFindings(totals_of(tables.case.params.n, orders), first)


def by_columns(tables: Tables) -> OrderFindings:
    """A chunk at a time, by columns."""
    laws, first = _laws_for(tables), dict[int, int]()
    running = RunningTotals(tables.case.params.n, tables.claims.ration is not None)
    pairs = pair_columns(tables)
    for start in range(0, len(tables.case.orders), CHUNK):
        rows = columns(tables, pairs, start)
        running.add(rows)
        for number, law in laws.items():
            mask = law.breached(rows)
            if number not in first and mask.any():
                first[number] = start + int(np.argmax(mask))
    return OrderFindings(running.totals(), first)


def _laws_for(tables: Tables) -> dict[int, OrderLaw]:
    rationed = tables.claims.ration is not None
    return {number: law for number, law in ORDER_LAWS.items() if rationed or number != RATION_LAW}
