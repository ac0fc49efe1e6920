"""Machine code that reads order rows a tile at a time, as columns that stay in the cache.

Vector code cannot work on rows 80 bytes apart without gathering word by word, which takes longer
than all arithmetic on columns. A tile is copied first, with the rates of each order's pair.
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
SHIFT, GROSS, NET, MARKET, CUT = range(5)
LINE: Final = 8
"""Words of one table row: a line of the cache."""
TILE: Final = 1024
WIDTH: Final = TILE + 40
"""Words from one column of a tile to the next; no power of two, or they share few cache lines."""
TAILS, BUDGETS, MANTISSAS, MIN_FILLS, SHIFTS, GROSSES, NETS, MARKETS, CUTS, TOUCH = range(10)
TILE_ROWS: Final = 10
NO_KIND: Final = U64(0xFF << 48)
"""Bits that make the kind of a row one that no row has."""
UNREACHABLE: Final = U64(LIMIT_UNREACHABLE)
SIGN: Final = U64(0x8000)


def pair_rows(rates: RateTable, cut: NDArray[np.uint64] | None = None) -> NDArray[np.uint64]:
    """u64[n * n, 8]: S, R, Rn, market limit and cut of every valid pair in one row."""
    table = np.zeros((len(rates.valid), LINE), dtype=U64)
    columns = [rates.shift, rates.gross, rates.net, rates.market]
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
    """Copy at most ``TILE`` rows into ``tile`` u64[TILE_ROWS, WIDTH]; how many come before the
    first that names no asset. A nonce out of range shows as a kind that no row has.

    To leave the loop there also keeps it from being turned into slow gathers.
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
        tile[NETS, k], tile[MARKETS, k] = table[pair, NET], table[pair, MARKET]
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
    tail: np.uint64, mantissa: np.uint64, shift: np.uint64, market: np.uint64
) -> np.uint64:
    """Least net rate l of an order of these words at scale 2^shift, shift in [0, 126].

    The exponent's sixteen bits and the shift are compared with 2^15 added to both.
    """
    lifted = (((tail >> EXPONENT_SHIFT) & SHORT) + SIGN) & SHORT
    base = shift + SIGN
    distance = lifted - base
    distance = distance if distance < LAST else LAST
    limit = ((mantissa - ONE) >> distance) + ONE
    limit = UNREACHABLE if lifted < base else limit
    return limit if tail >> LIMIT_KIND_SHIFT == LIMITED else market
