"""L2: no order trades beyond its limit, fee included, without any tolerance.

This is where a limit is enforced. Rn is the net rate at the clearing prices, l the least one that
the order accepts (``docs/glossary.md``). It is asked of every order that wants anything, paid or
rationed away: an order out of the money may not move a price either. Source:
``docs/invariants.md``, L2.
"""

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.columns import Columns, Mask
from convexfx_core.laws.order_facts import OrderFacts


def breach(order: OrderFacts) -> Breach | None:
    """Return the breach of ``want > 0 implies Rn >= l``, if it is one."""
    if order.want > 0 and order.rate.net < order.limit:
        return Breach(order.rate.net, order.limit)
    return None


def breached(rows: Columns) -> Mask:
    """Rows that breach it."""
    return (rows.net_rate < rows.limit) & (rows.want > 0)
