"""L6: inventory after = inventory before + paid in - received and fees out, exactly.

Nothing appears and nothing vanishes. Fees stay in the pool's vault, but leave the inventory that
prices are made from. Source: ``docs/invariants.md``, L6.
"""

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.order_facts import ClaimedClearing
from convexfx_core.laws.totals import Totals


def breach(clearing: ClaimedClearing, totals: Totals, asset: int) -> Breach | None:
    """Return the breach for ``asset``, base units, if there is one."""
    before, claimed = clearing.case.inventory[asset], clearing.claims.inventory_after[asset]
    after = before + totals.flow_in[asset] - totals.flow_out[asset]
    return Breach(claimed, after) if claimed != after else None
