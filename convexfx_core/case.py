"""The integer clearing problem: what the float side proposes on and what the laws check against."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.params import Params
from convexfx_core.reference import Reference

ORDER_DTYPE: Final = np.dtype(
    [
        ("owner", ">u8", (4,)),
        ("nonce", "<u8"),
        ("budget", "<u8"),
        ("limit_m", "<u8"),
        ("min_fill", "<u8"),
        ("valid_until", "<u8"),
        ("pay", "<u2"),
        ("receive", "<u2"),
        ("limit_e", "<i2"),
        ("kind", "u1"),
        ("limit_kind", "u1"),
    ]
)
"""Order row of ``docs/spec.md`` section 3, 80 bytes; owner as four big-endian words that sort as bytes."""

KIND_ORDER: Final = 1
KIND_CANCEL: Final = 2
LIMIT_MARKET: Final = 0
LIMIT_LIMIT: Final = 1
NO_ASSET: Final = 65_535


@dataclass(frozen=True, slots=True)
class ClearingCase:
    """Everything that a clearing depends on.

    Attributes
    ----------
    params : risk, fees, bounds, targets (integers).
    reference : reference prices and bands (integers).
    inventory : n pool inventories in base units (balance minus accrued fees).
    orders : structured array of :data:`ORDER_DTYPE`, kind 1 only, any sequence; result positions refer to it.
    """

    params: Params
    reference: Reference
    inventory: tuple[int, ...]
    orders: NDArray[np.void]
