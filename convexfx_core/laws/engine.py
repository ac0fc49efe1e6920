"""How a law is computed: row by row, as it is written down, or by columns, for size.

Every law stands twice: for one row in plain Python integers, which reads like its definition, and
for all rows at once in numpy, which is fast. The engine says which of them answers. Tests hold them
to the same verdict, so it is a question of speed and never of the result.
"""

from typing import Final, Literal, TypeAlias

Engine: TypeAlias = Literal["auto", "scalar", "columnar", "compiled"]
"""``auto`` takes ``scalar`` up to :data:`SCALAR_ORDERS_MAX` orders and ``columnar`` above.

``compiled`` is ``columnar`` with the order laws as machine code (needs numba); ``auto`` takes it
for many orders where numba is installed.
"""

SCALAR_ORDERS_MAX: Final = 256
"""Up to here plain Python is quick enough."""


def is_scalar(engine: Engine, orders: int) -> bool:
    """Whether the scalar engine is taken for so many orders."""
    return engine == "scalar" or (engine == "auto" and orders <= SCALAR_ORDERS_MAX)
