"""Exact inventory changes of integer fills, by columns.

Products of two 64-bit integers have 128 bits; here they are built from 32-bit halves, since numpy
has no wider integer. Rationing and the corrections of the price rule need these sums to the unit:
a double holds 53 bits, flows have up to 86.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from convexfx_core.clearing.problem import I64, U64
from convexfx_core.settlement.clearing_input import ClearingCase

_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_LAST: Final = np.uint64(63)
_WORD: Final = np.uint64(64)
_CHUNK: Final = 1 << 20
"""This many 32-bit halves sum to at most 2^52, which a double holds exactly."""


@dataclass(frozen=True, slots=True)
class Flows:
    """What fills do to the pool.

    Attributes
    ----------
    into, out : n sums of paid, and of gross received amounts; base units.
    """

    into: tuple[int, ...]
    out: tuple[int, ...]

    def after(self, case: ClearingCase) -> list[int]:
        """Inventories after the fills, base units."""
        moved = zip(case.inventory, self.into, self.out, strict=True)
        return [q + more - less for q, more, less in moved]


def multiply_shift(left: U64, right: U64, shift: U64 | np.uint64) -> U64:
    """floor(left * right / 2^shift) for 0 <= shift < 128 where the result is below 2^64."""
    a, b, c, d = left >> _HALF, left & _LOW, right >> _HALF, right & _LOW
    low = b * d
    cross = a * d
    middle = (low >> _HALF) + (cross & _LOW) + b * c
    high = a * c + (cross >> _HALF) + (middle >> _HALF)
    low = (middle << _HALF) | (low & _LOW)
    # 64 - s in two steps, 63 - s and 1, so that no word is shifted by 64.
    near = np.minimum(shift, _LAST)
    far = np.maximum(shift, _WORD) - _WORD
    carried = high << (_LAST - near) << np.uint64(1)
    out: U64 = np.where(shift < _WORD, (low >> near) | carried, high >> far)
    return out


def grouped_total(group: I64, amount: U64, groups: int) -> list[int]:
    """Exact sums of the amounts of each group."""
    total = [0] * groups
    for start in range(0, len(amount), _CHUNK):
        some, part = group[start : start + _CHUNK], amount[start : start + _CHUNK]
        high = np.bincount(some, (part >> _HALF).astype(np.float64), minlength=groups)
        low = np.bincount(some, (part & _LOW).astype(np.float64), minlength=groups)
        for index in range(groups):
            total[index] += (int(high[index]) << 32) + int(low[index])
    return total


def flows_of(n: int, pair: I64, paid: U64, gross: U64, shift: I64) -> Flows:
    """Flows of fills.

    Parameters
    ----------
    pair, paid : directed pair index and base units of each fill; zeros are allowed.
    gross, shift : tables over n*n pairs: rate R and its shift S.
    """
    filled = np.flatnonzero(paid)
    pair, paid = pair[filled], paid[filled]
    received = multiply_shift(paid, gross[pair], shift[pair].astype(np.uint64))
    pay, receive = pair // n, pair % n
    return Flows(tuple(grouped_total(pay, paid, n)), tuple(grouped_total(receive, received, n)))
