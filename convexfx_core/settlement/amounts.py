"""What settlement finds for the orders of a case, before it is put together."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class SettledAmounts(NamedTuple):
    """Columns u64[K] by order, and n sums by asset in base units.

    ``received`` and ``fee`` in the receive asset; ``flow_in`` of what is
    paid, ``flow_out`` of received + fee, ``fees`` of the fee. ``used`` bool[n * n] pairs that
    orders trade; ``fits`` says whether every gross amount stays below 2^63.
    """

    received: NDArray[np.uint64]
    fee: NDArray[np.uint64]
    flow_in: tuple[int, ...]
    flow_out: tuple[int, ...]
    fees: tuple[int, ...]
    used: NDArray[np.bool_]
    fits: bool
