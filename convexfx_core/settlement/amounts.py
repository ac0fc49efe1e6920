"""What settlement finds for the orders of a case, before it is put together.

A type of its own, because two ways lead to it: by columns (``settle``) and by machine code
(``settle_numba``).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class SettledAmounts(NamedTuple):
    """Columns u64[K] by order, and n sums by asset in base units.

    ``received`` and ``fee`` are in the receive asset. ``flow_in`` sums what is paid, ``flow_out``
    received + fee, ``fees`` the fee. ``used`` bool[n * n] marks the pairs that orders trade.
    ``fits`` says whether every gross amount stays below 2^63.
    """

    received: NDArray[np.uint64]
    fee: NDArray[np.uint64]
    flow_in: tuple[int, ...]
    flow_out: tuple[int, ...]
    fees: tuple[int, ...]
    used: NDArray[np.bool_]
    fits: bool
