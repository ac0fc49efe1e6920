"""L8: overflow is claimed only where the price stands at the edge that the flow pushes it to.

Demand that no price inside the band can balance is served at the band's edge; the overflow O is its
value. Anywhere else it would excuse any price, since L9 takes it out of the inventory. Source:
``docs/invariants.md``, L8. Letters: ``docs/glossary.md``.
"""

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.order_facts import ClaimedClearing


def breach(clearing: ClaimedClearing, asset: int) -> Breach | None:
    """Return the breach, if it is one: O < 0 only at Phi, O > 0 only at Plo, numeraire 0."""
    overflow, price = clearing.claims.overflow[asset], clearing.claims.prices[asset]
    if overflow and asset == 0:
        return Breach(overflow, 0)
    reference = clearing.case.reference
    edge = reference.phi[asset] if overflow < 0 else reference.plo[asset]
    return Breach(price, edge) if overflow and price != edge else None
