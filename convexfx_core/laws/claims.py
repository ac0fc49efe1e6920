"""What a cleared batch claims, and what the laws answer when every claim holds.

Claims come from a stranger: a witness or a result file. The certificate holds the numbers that the
laws computed on the way, so that nobody computes them twice or takes them from the claims. Letters:
``docs/glossary.md``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexfx_core.settlement.proposal import Ration


@dataclass(frozen=True, slots=True)
class ClearingClaims:
    """Claims about the orders of a ``ClearingCase``, by their positions.

    Attributes
    ----------
    prices : n prices, numeraire base units per base unit, scale 2^64.
    paid : u64[K] base units of the pay asset.
    received, fee : u64[K] base units of the receive asset.
    overflow : n signed values in numeraire base units.
    inventory_after : n inventories in base units, accrued fees not among them.
    ration : omega and all K demanded amounts; None when no bound binds.
    rejected : i64[R] positions, strictly increasing.
    reject_kinds : u8[R] of :class:`convexfx_core.settlement.proposal.RejectKind`.
    """

    prices: tuple[int, ...]
    paid: NDArray[np.uint64]
    received: NDArray[np.uint64]
    fee: NDArray[np.uint64]
    overflow: tuple[int, ...]
    inventory_after: tuple[int, ...]
    ration: Ration | None
    rejected: NDArray[np.int64]
    reject_kinds: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the laws computed on the way; every number derived, none taken from the claims.

    Attributes
    ----------
    gap : upper bound of what any other outcome could gain, numeraire base units, rounded up.
    inventory_risk, price_tracking, fill_incentive : objective, numeraire base units.
    residual : n signed differences LOG - u_hat of the price rule, scale 2^64.
    tau : n tolerances of the price rule, scale 2^64.
    fills : number of orders with paid > 0.
    flow_in, flow_out : n sums of paid, and of received + fee, base units.
    fees : n sums of fee, base units.
    """

    gap: int
    inventory_risk: int
    price_tracking: int
    fill_incentive: int
    residual: tuple[int, ...]
    tau: tuple[int, ...]
    fills: int
    flow_in: tuple[int, ...]
    flow_out: tuple[int, ...]
    fees: tuple[int, ...]

    @property
    def total(self) -> int:
        """Sum of the three objective terms, numeraire base units."""
        return self.inventory_risk + self.price_tracking + self.fill_incentive
