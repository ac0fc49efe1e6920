"""L17: who pays receives something."""

import numpy as np

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.claims import ClearingClaims


def first_breach(claims: ClearingClaims) -> tuple[int, Breach] | None:
    """Return the first position of ``paid > 0`` with ``received = 0``, and its breach."""
    rows = np.flatnonzero((claims.received == 0) & (claims.paid > 0))
    return (int(rows[0]), Breach(0, 1)) if rows.size else None
