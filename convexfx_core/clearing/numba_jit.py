"""How the compiled kernels are compiled."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code, made on first use and cached on disk; strict floats."""
    return numba.njit(cache=True)(function)
