"""The integer clearing problem, on which the float side proposes and the laws check.

It holds what a clearing depends on and nothing else: no vaults, no signatures, no nonces. So the
same case can be made from a sealed epoch, from a witness, or from a file of ``convexfx clear``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexfx_core.market.params import Params
from convexfx_core.market.reference import Reference


@dataclass(frozen=True, slots=True)
class ClearingCase:
    """Everything that a clearing depends on.

    Attributes
    ----------
    params : risk, fees, bounds, targets (integers).
    reference : reference prices and bands (integers).
    inventory : n pool inventories in base units (balance minus accrued fees).
    orders : structured array of :data:`convexfx_core.orders.row.ORDER_DTYPE`, kind 1 only, any
        sequence; result positions refer to it.
    """

    params: Params
    reference: Reference
    inventory: tuple[int, ...]
    orders: NDArray[np.void]
