"""How the compiled kernels of the clearing are compiled.

Fast-math stays off: it lets the compiler reorder sums, and then the compiled and the numpy kernels
would take different steps.
"""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code: compiled on first use, cached on disk, with strict floats."""
    return numba.njit(cache=True)(function)
