"""L5: an order is filled at least to its minimum, or not at all.

"At least half or nothing" is part of what is signed. Source: ``docs/invariants.md``, L5.
"""

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.columns import Columns, Mask
from convexfx_core.laws.order_facts import OrderFacts


def breach(order: OrderFacts) -> Breach | None:
    """Return the breach of ``paid`` and ``want`` being 0 or at least ``min_fill``, if it is one."""
    for amount in (order.paid, order.want):
        if 0 < amount < order.min_fill:
            return Breach(amount, order.min_fill)
    return None


def breached(rows: Columns) -> Mask:
    """Rows that breach it."""
    short = (rows.paid < rows.min_fill) & (rows.paid > 0)
    if rows.cut is not None:
        short |= (rows.want < rows.min_fill) & (rows.want > 0)
    return short
