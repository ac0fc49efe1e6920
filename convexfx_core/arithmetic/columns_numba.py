"""Machine code for exact products and sums of 64-bit integers; the twin of ``columns``.

It serves large batches where numba is installed; the numbers are the same. Every number is an
unsigned 64-bit one: mixed with a signed one, numba would make both a double. The cache on disk does
not see changes of this file for functions elsewhere: touch those files after a change here.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

HALF: Final = np.uint64(32)
LOW: Final = np.uint64(0xFFFF_FFFF)
WORD: Final = np.uint64(64)
LAST: Final = np.uint64(63)
ZERO: Final = np.uint64(0)
ONE: Final = np.uint64(1)


def compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code, made on first use and cached on disk.

    It releases the interpreter's lock, so that blocks of orders run on several threads.
    """
    return numba.njit(cache=True, nogil=True)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """As :func:`compiled`, put into its callers before they are optimised: a call that LLVM
    leaves in place keeps a loop from becoming vector code."""
    return numba.njit(cache=True, nogil=True, inline="always")(function)


@inlined
def multiply_shift(a: np.uint64, b: np.uint64, shift: np.uint64) -> tuple[np.uint64, np.uint64]:
    """``(a * b) >> shift``: its low 64 bits and those above; a < 2^62, b < 2^63, shift <= 126."""
    a_low, a_high, b_low, b_high = a & LOW, a >> HALF, b & LOW, b >> HALF
    middle = a_low * b_high + a_high * b_low + ((a_low * b_low) >> HALF)
    high = a_high * b_high + (middle >> HALF)
    # Machine code takes a shift modulo 64: what comes across is shifted by 63 - s and then by 1.
    step = shift & LAST
    across = ((high << ONE) << (LAST - step)) | ((a * b) >> step)
    return (high >> step, ZERO) if shift >= WORD else (across, high >> step)


@compiled
def add_wide(
    sums: NDArray[np.uint64], column: int, row: np.uint64, low: np.uint64, high: np.uint64
) -> None:
    """Add a 128-bit number to ``sums[column, row]`` (u64[:, :, 2], low half first)."""
    total = sums[column, row, 0] + low
    sums[column, row, 1] += high + (ONE if total < low else ZERO)
    sums[column, row, 0] = total


def wide_totals(blocks: Sequence[NDArray[np.uint64]]) -> list[tuple[int, ...]]:
    """Sums of :func:`add_wide`, u64[C, n, 2] of each block, over all blocks (at least one).

    Returns
    -------
    C rows of n Python integers.
    """
    sums = np.array(blocks)
    # By 32-bit halves, whose sum over blocks fits 64 bits: 2^32 blocks would be needed to wrap it.
    halves = np.stack((sums & LOW, sums >> HALF), axis=-1).sum(axis=0)
    by_column: list[list[list[list[int]]]] = halves.tolist()
    return [
        tuple(a + (b << 32) + (c << 64) + (d << 96) for (a, b), (c, d) in column)
        for column in by_column
    ]
