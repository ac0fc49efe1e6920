"""L1: nobody pays more than the budget, nor more than the amount wanted before rationing.

The signature covers the budget; one unit more was never agreed to. ``want`` is the demanded amount.
Source: ``docs/invariants.md``, L1.
"""

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.columns import Columns, Mask
from convexfx_core.laws.order_facts import OrderFacts


def breach(order: OrderFacts) -> Breach | None:
    """Return the breach of ``paid <= want <= budget``, if it is one."""
    if order.want > order.budget:
        return Breach(order.want, order.budget)
    return Breach(order.paid, order.want) if order.paid > order.want else None


def breached(rows: Columns) -> Mask:
    """Rows that breach it."""
    over = rows.want > rows.budget
    return over if rows.cut is None else over | (rows.paid > rows.want)
