"""L4: an order that is clearly in must demand its whole budget, unless it is dust or rejected.

Without it a prover could leave out whom he likes. Clearly in is an order whose limit no price
inside the bands can break (l <= Rm), and one that the price beats by more than 2^-38 of the limit.
Nearer than that an order is "at the price" and may be filled in part. Without the first half an
order that accepts the worst rate would be optional just where it counts, at the band's edge.
Source: ``docs/invariants.md``, L4. Letters: ``docs/glossary.md``.
"""

import numpy as np

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.columns import Columns, Mask
from convexfx_core.laws.order_facts import OrderFacts


def breach(order: OrderFacts) -> Breach | None:
    """Return the breach of ``want < budget implies not clearly in``, if it is one."""
    if order.denied:
        return Breach(order.want, order.budget)
    return None


def breached(rows: Columns) -> Mask:
    """Rows that breach it."""
    mask = np.zeros(len(rows.paid), dtype=np.bool_)
    mask[rows.denied] = True
    return mask
