"""L17: who pays receives something.

The floor rule of L3 would let a payment of a few units be taken for nothing. Source:
``docs/invariants.md``, L17.
"""

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.claims import ClearingClaims


def first_breach(claims: ClearingClaims) -> tuple[int, Breach] | None:
    """Return the first position of ``paid > 0`` with ``received = 0``, and its breach."""
    nothing = (claims.received == 0) & (claims.paid > 0)
    return (int(nothing.argmax()), Breach(0, 1)) if nothing.any() else None
