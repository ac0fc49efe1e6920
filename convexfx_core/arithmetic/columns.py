"""Columns of 64-bit integers: products exact to 128 bits by 32-bit halves, exact sums."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

HALF: Final = np.uint64(32)
LOW: Final = np.uint64(0xFFFF_FFFF)
CHUNK: Final = 16_384
"""Rows worked on at once: the call of an operation costs little beside its work, and temporaries
stay in the cache."""
COMPILED_ORDERS_MIN: Final = 50_000
"""Below, loading compiled code takes longer than numpy."""
NARROW: Final = 2.0**52
"""A sum in doubles that ends below this was exact at every step, for nothing in it is negative;
2^10 chunks of such sums fit 63 bits."""

Spread: TypeAlias = Callable[[Callable[[int], Any], Iterable[int]], Iterable[Any]]
"""A ``map``: the builtin one, or that of a pool of threads which the caller owns."""


def compilable() -> bool:
    """Whether numba is installed, for the twins of columnar code in machine code."""
    return find_spec("numba") is not None


@dataclass(frozen=True, slots=True)
class Shifts:
    """One right shift S in [0, 126] a row, split so that no 64-bit shift loses bits.

    Attributes
    ----------
    left, right, whole : u64[K], max(64 - S, 0), max(S - 64, 0) and S.
    """

    left: NDArray[np.uint64]
    right: NDArray[np.uint64]
    whole: NDArray[np.uint64]

    def take(self, rows: NDArray[np.intp]) -> "Shifts":
        """The shifts of table rows ``rows``."""
        return Shifts(self.left.take(rows), self.right.take(rows), self.whole.take(rows))


def split_shifts(shift: NDArray[np.int64]) -> Shifts:
    """Shifts of a table column, each in [0, 126]."""
    left = np.maximum(64 - shift, 0).astype(np.uint64)
    right = np.maximum(shift - 64, 0).astype(np.uint64)
    return Shifts(left, right, shift.astype(np.uint64))


def multiply_shift(
    a: NDArray[np.uint64], b: NDArray[np.uint64], shifts: Shifts
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """``(a * b) >> S`` by rows: its low 64 bits and its bits from 64 on.

    Parameters
    ----------
    a : u64[K] below 2^62; b : u64[K] below 2^63 (the middle sum then fits 64 bits).
    """
    return multiply_halves(a, a & LOW, a >> HALF, b, shifts)


def multiply_halves(
    a: NDArray[np.uint64],
    a_low: NDArray[np.uint64],
    a_high: NDArray[np.uint64],
    b: NDArray[np.uint64],
    shifts: Shifts,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """As :func:`multiply_shift`, with both halves of ``a`` given."""
    b_low, b_high = b & LOW, b >> HALF
    middle = a_low * b_high
    middle += a_high * b_low
    np.multiply(a_low, b_low, out=b_low)
    b_low >>= HALF
    middle += b_low
    middle >>= HALF
    high = np.multiply(a_high, b_high, out=b_high)
    high += middle
    low = a * b
    low >>= shifts.whole
    result = high << shifts.left
    result >>= shifts.right
    result |= low
    high >>= shifts.whole
    return result, high


class Sums:
    """Exact sums of u64 columns by row number, over up to 2^24 rows given in chunks."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._low = np.zeros(size, dtype=np.int64)
        self._high = np.zeros(size, dtype=np.int64)

    def add(self, rows: NDArray[np.intp], values: NDArray[np.uint64]) -> None:
        """Add ``values`` to the sums at ``rows`` in [0, size); at most :data:`CHUNK` rows.

        In doubles where these hold the sums, else by halves.
        """
        whole = np.bincount(rows, values, self.size)
        if whole.max(initial=0.0) < NARROW:
            self._low += whole.astype(np.int64)
            return
        self._low += np.bincount(rows, values & LOW, self.size).astype(np.int64)
        self._high += np.bincount(rows, values >> HALF, self.size).astype(np.int64)

    def totals(self) -> tuple[int, ...]:
        """The sums as Python integers."""
        pairs = zip(self._low.tolist(), self._high.tolist(), strict=True)
        return tuple(low + (high << 32) for low, high in pairs)
