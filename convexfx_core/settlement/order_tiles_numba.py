"""Machine code that reads order rows a tile at a time, as columns that stay in the cache.

Vector code cannot work on rows 80 bytes apart without gathering word by word, which takes longer
than all arithmetic on columns. So a tile is copied first, with the rates of each order's pair.
Settlement (``settle_numba``) and the order laws (``order_flags_numba``) read their orders this way.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns_numba import LAST, ZERO, compiled, inlined
from convexfx_core.orders.row_words import (
    BUDGET,
    EXPONENT_SHIFT,
    LIMIT_KIND_SHIFT,
    LIMIT_M,
    LIMITED,
    MIN_FILL,
    NONCE,
    NONCE_TOP,
    ONE,
    RECEIVE_SHIFT,
    SHORT,
    TAIL,
)
from convexfx_core.settlement.rates import RateTable
from convexfx_core.units import LIMIT_UNREACHABLE

U64: Final = np.uint64
SHIFT, GROSS, NET, WORST, CUT = range(5)
LINE: Final = 8
"""Words of one table row: 64 bytes, a line of the cache."""
TILE: Final = 1024
"""Rows of a tile: ten columns of them take 83 KiB, which a core's second-level cache holds."""
WIDTH: Final = TILE + 40
"""Words from one column of a tile to the next. At a power of two the same row of all columns would
fall on the same few cache lines."""
TAILS, BUDGETS, MANTISSAS, MIN_FILLS, SHIFTS, GROSSES, NETS, WORSTS, CUTS, TOUCH = range(10)
"""Columns of a tile. The last has one word, which keeps the compiler from dropping ``touch``."""
TILE_ROWS: Final = 10
NO_KIND: Final = U64(0xFF << 48)
"""Sets the byte of the kind to 0xFF, which the checks reject."""
UNREACHABLE: Final = U64(LIMIT_UNREACHABLE)
"""Least rate of a limit that no rate reaches."""
SIGN: Final = U64(0x8000)


def pair_rows(rates: RateTable, cut: NDArray[np.uint64] | None = None) -> NDArray[np.uint64]:
    """u64[n * n, 8]: S, R, Rn, Rm and cut of every valid pair in one row; else zeros."""
    table = np.zeros((len(rates.valid), LINE), dtype=U64)
    columns = [rates.shift, rates.gross, rates.net, rates.worst]
    for place, column in enumerate(columns if cut is None else [*columns, cut]):
        table[rates.valid, place] = column[rates.valid].astype(U64)
    return table


@compiled
def touch(words: NDArray[np.uint64]) -> np.uint64:
    """Sum of all words: an even pass fetches rows from memory twice as fast as a strided one."""
    total = ZERO
    for word in words.reshape(-1):
        total += word
    return total


@compiled
def load_tile(
    words: NDArray[np.uint64], table: NDArray[np.uint64], n: int, tile: NDArray[np.uint64]
) -> int:
    """Copy at most ``TILE`` rows into ``tile`` u64[TILE_ROWS, WIDTH].

    Returns how many rows were loaded; stops at the first with an unknown asset. A bad nonce sets
    kind 0xFF, which the checks reject. A loop that can end early is also not turned into gathers,
    which would be slow.
    """
    tile[TOUCH, 0] = touch(words)
    for k in range(len(words)):
        tail = words[k, TAIL]
        i, j = tail & SHORT, (tail >> RECEIVE_SHIFT) & SHORT
        if (i >= U64(n)) | (j >= U64(n)):
            return k
        pair = i * U64(n) + j
        tile[TAILS, k] = tail if words[k, NONCE] - ONE < NONCE_TOP else tail | NO_KIND
        tile[BUDGETS, k], tile[MIN_FILLS, k] = words[k, BUDGET], words[k, MIN_FILL]
        tile[MANTISSAS, k] = words[k, LIMIT_M]
        tile[SHIFTS, k], tile[GROSSES, k] = table[pair, SHIFT], table[pair, GROSS]
        tile[NETS, k], tile[WORSTS, k] = table[pair, NET], table[pair, WORST]
    return len(words)


@compiled
def load_cuts(table: NDArray[np.uint64], n: int, count: int, tile: NDArray[np.uint64]) -> None:
    """Add the cuts of the pairs of the first ``count`` rows."""
    tails, cuts = tile[TAILS], tile[CUTS]
    for k in range(count):
        i, j = tails[k] & SHORT, (tails[k] >> RECEIVE_SHIFT) & SHORT
        cuts[k] = table[i * U64(n) + j, CUT]


@inlined
def limit_rate(
    tail: np.uint64, mantissa: np.uint64, shift: np.uint64, worst: np.uint64
) -> np.uint64:
    """Least net rate l of an order of these words at scale 2^shift, shift in [0, 126].

    The exponent is signed, in sixteen bits: with 2^15 added to it and to the shift, both compare as
    unsigned numbers. ceil(m / 2^s) is ((m - 1) >> s) + 1, which is 1 from s = 63 on.
    """
    lifted = (((tail >> EXPONENT_SHIFT) & SHORT) + SIGN) & SHORT
    base = shift + SIGN
    distance = lifted - base
    distance = distance if distance < LAST else LAST
    limit = ((mantissa - ONE) >> distance) + ONE
    limit = UNREACHABLE if lifted < base else limit
    return limit if tail >> LIMIT_KIND_SHIFT == LIMITED else worst
