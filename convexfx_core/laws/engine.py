"""Which way a law is computed: row by row, as it is written down, or by columns, for size."""

from typing import Final, Literal, TypeAlias

Path: TypeAlias = Literal["auto", "scalar", "columnar", "compiled"]
"""``auto`` takes the scalar path up to :data:`SCALAR_ORDERS_MAX` orders; verdicts are equal.

``compiled`` is the columnar path with the order laws as machine code (needs numba); ``auto`` takes
it for many orders where numba is installed.
"""

SCALAR_ORDERS_MAX: Final = 256
"""Up to here plain Python is quick enough."""


def is_scalar(path: Path, orders: int) -> bool:
    """Whether the scalar path is taken for so many orders."""
    return path == "scalar" or (path == "auto" and orders <= SCALAR_ORDERS_MAX)
