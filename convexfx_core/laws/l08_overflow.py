"""L8: flow beyond the band is claimed only where the price stands at the edge that it pushes on."""

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.order_facts import Tables


def breach(tables: Tables, asset: int) -> Breach | None:
    """Return the breach, if it is one: O < 0 only at Phi, O > 0 only at Plo, numeraire 0."""
    overflow, price = tables.claims.overflow[asset], tables.claims.prices[asset]
    if overflow and asset == 0:
        return Breach(overflow, 0)
    reference = tables.case.reference
    edge = reference.phi[asset] if overflow < 0 else reference.plo[asset]
    return Breach(price, edge) if overflow and price != edge else None
