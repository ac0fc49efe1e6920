"""Order rows: the 80 bytes, and the numbers that stand in them.

A row is what is left of a signed order when signature and addresses are checked: everything that
the clearing and the laws need, at fixed places, so that a million of them are one array. Source:
``docs/spec.md`` section 3.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

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
"""Order row, 80 bytes; the owner as four big-endian words that sort as bytes."""

KIND_ORDER: Final = 1
KIND_CANCEL: Final = 2
KIND_PAYOUT: Final = 3
LIMIT_MARKET: Final = 0
LIMIT_LIMIT: Final = 1
NO_ASSET: Final = 65_535
MANTISSA_MIN: Final = 1 << 62
MANTISSA_MAX: Final = (1 << 63) - 1


def order_bytes(rows: NDArray[np.void]) -> bytes:
    """Bytes of order rows, 80 each."""
    return rows.astype(ORDER_DTYPE, copy=False).tobytes()
