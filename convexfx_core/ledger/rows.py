"""Rows of what an epoch changes: settlement rows and diff rows.

Both hold the same information. Settlement rows are hashed into the SDL; diff rows are what the
gateway is told. Source: ``docs/spec.md`` section 3.
"""

from typing import Final

import numpy as np

SETTLEMENT_DTYPE: Final = np.dtype([("paid", "<u8"), ("received", "<u8")])
DIFF_DTYPE: Final = np.dtype(
    [
        ("position", "<u4"),
        ("vault", "<u4"),
        ("asset", "<u4"),
        ("kind", "<u4"),
        ("amount", "<i8"),
        ("new_nonce", "<u8"),
    ]
)
DIFF_ALLOWANCE: Final = 1
DIFF_PAYOUT: Final = 2
