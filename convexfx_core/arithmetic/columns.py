"""Columns of 64-bit integers: products exact to 128 bits by 32-bit halves, exact sums.

Settlement and the laws compute received = (paid Rn) >> S for every order, without a rounding that
the rule does not name. A product is put together from four products of halves, each of which fits
64 bits; a sum is kept in two halves of its own.
"""

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
"""Below, to load compiled code takes longer than numpy takes for the work."""
NARROW: Final = 2.0**52
"""A sum in doubles that ends below this was exact at every step: no term is negative, and a double
holds integers up to 2^53. Sums of 2^10 such chunks, which is 2^24 rows, fit 63 bits."""

Spread: TypeAlias = Callable[[Callable[[int], Any], Iterable[int]], Iterable[Any]]
"""A ``map``: the builtin one, or that of a pool of threads which the caller owns."""


def compilable() -> bool:
    """Whether numba is installed, for the twins of columnar code in machine code."""
    return find_spec("numba") is not None


@dataclass(frozen=True, slots=True)
class Shifts:
    """One right shift S in [0, 126] a row, split so that no 64-bit shift loses bits.

    A 128-bit number ``high 2^64 + low`` shifted by S has the low word ``high << left >> right``
    with ``low >> S`` put in. numpy gives 0 for a shift of a word by 64 or more.

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
    a : u64[K] below 2^62; b : u64[K] below 2^63. The middle sum (2^63 + 2^62 + 2^32 at most) then
        fits 64 bits.
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
    # In place where a temporary is used up: this is the innermost work of the laws.
    middle = a_low * b_high
    middle += a_high * b_low
    np.multiply(a_low, b_low, out=b_low)
    b_low >>= HALF
    middle += b_low
    middle >>= HALF
    high = np.multiply(a_high, b_high, out=b_high)
    high += middle
    low = a * b  # wraps: the product modulo 2^64
    low >>= shifts.whole
    result = high << shifts.left
    result >>= shifts.right
    result |= low
    high >>= shifts.whole
    return result, high


def multiply_wide(
    a: NDArray[np.uint64], b: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """``a * b`` of any words, by rows or broadcast: its low 64 bits and its bits from 64 on."""
    a_low, a_high, b_low, b_high = a & LOW, a >> HALF, b & LOW, b >> HALF
    one, other = a_low * b_high, a_high * b_low
    # Three numbers below 2^32: the sum has room.
    carried = (a_low * b_low >> HALF) + (one & LOW) + (other & LOW) >> HALF
    return a * b, a_high * b_high + (one >> HALF) + (other >> HALF) + carried


class Sums:
    """Exact sums of u64 columns by row number, over up to 2^24 rows given in chunks."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._low = np.zeros(size, dtype=np.int64)
        self._high = np.zeros(size, dtype=np.int64)

    def add(self, rows: NDArray[np.intp], values: NDArray[np.uint64]) -> None:
        """Add ``values`` to the sums at ``rows`` in [0, size); at most :data:`CHUNK` rows.

        In doubles where these hold the sums, else by halves: ``bincount`` adds doubles only.
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
