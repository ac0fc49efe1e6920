"""L7: prices stay inside their bands, and the numeraire costs one.

However large the flow, no price P leaves the band [Plo, Phi] around the reference that everybody
saw before the epoch. Source: ``docs/invariants.md``, L7. Letters: ``docs/glossary.md``.
"""

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.order_facts import ClaimedClearing


def breach(clearing: ClaimedClearing, asset: int) -> Breach | None:
    """Return the breach of ``Plo <= P <= Phi``, if it is one; the numeraire's band is a point."""
    price, reference = clearing.claims.prices[asset], clearing.case.reference
    low, high = reference.plo[asset], reference.phi[asset]
    if price < low:
        return Breach(price, low)
    return Breach(price, high) if price > high else None
