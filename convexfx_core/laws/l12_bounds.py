"""L12: the inventory after the epoch is inside its bounds, or no further out than before.

The pool's risk limits hold to the unit. A pool that opens outside a bound must still be able to
trade, so its opening inventory always fits. Source: ``docs/invariants.md``, L12.
"""

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.order_facts import ClaimedClearing
from convexfx_core.laws.slack import bounds


def breach(clearing: ClaimedClearing, asset: int) -> Breach | None:
    """Return the breach of ``min(q_min, q) <= q' <= max(q_max, q)``, if it is one."""
    after, (low, high) = clearing.claims.inventory_after[asset], bounds(clearing, asset)
    if after < low:
        return Breach(after, low)
    return Breach(after, high) if after > high else None
