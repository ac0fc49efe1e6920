"""L4: an order in the money must demand its whole budget, unless it is dust or rejected.

Without it a prover could leave out whom he likes. "In the money" means by more than 2^-38 of the
limit; nearer than that an order is "at the price" and may be filled in part. Source:
``docs/invariants.md``, L4. Letters: ``docs/glossary.md``.
"""

from typing import Final

import numpy as np

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.columns import Columns, Mask
from convexfx_core.laws.order_facts import OrderFacts
from convexfx_core.units import LIMIT_SLACK_SHIFT

SLACK: Final = np.uint64(LIMIT_SLACK_SHIFT)


def breach(order: OrderFacts) -> Breach | None:
    """Return the breach of ``want < budget implies Rn - l <= l >> 38``, if it is one."""
    if order.idle and order.clearly_in:
        return Breach(order.want, order.budget)
    return None


def breached(rows: Columns) -> Mask:
    """Rows that breach it."""
    net, limit = rows.net_rate[rows.idle], rows.limit[rows.idle]
    mask = np.zeros(len(rows.paid), dtype=np.bool_)
    mask[rows.idle] = net - limit > limit >> SLACK
    return mask
