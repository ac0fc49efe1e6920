"""Machine code shared by settlement and laws: rows of the rate table, limits of order rows."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.order_words import (
    EXPONENT_SHIFT,
    LIMIT_KIND_SHIFT,
    LIMIT_M,
    LIMITED,
    ONE,
    SHORT,
    TAIL,
)
from convexfx_core.rates import RateTable
from convexfx_core.units import LIMIT_UNREACHABLE
from convexfx_core.wide_numba import compiled

U64: Final = np.uint64
SHIFT, GROSS, NET, MARKET, CUT = range(5)
LINE: Final = 8
"""Words of one table row: a line of the cache."""
UNREACHABLE: Final = U64(LIMIT_UNREACHABLE)
LAST_SHIFT: Final = 63


def pair_rows(rates: RateTable, cut: NDArray[np.uint64] | None = None) -> NDArray[np.uint64]:
    """u64[n * n, 8]: S, R, Rn, market limit and cut of every valid pair in one row."""
    table = np.zeros((len(rates.valid), LINE), dtype=U64)
    columns = [rates.shift, rates.gross, rates.net, rates.market]
    for place, column in enumerate(columns if cut is None else [*columns, cut]):
        table[rates.valid, place] = column[rates.valid].astype(U64)
    return table


@compiled
def limit_rate(
    words: NDArray[np.uint64], k: int, table: NDArray[np.uint64], pair: int
) -> np.uint64:
    """Least net rate l of order row ``k`` at its pair's row of the table."""
    tail, market, mantissa = words[k, TAIL], table[pair, MARKET], words[k, LIMIT_M] - ONE
    distance = int(np.int16((tail >> EXPONENT_SHIFT) & SHORT)) - int(table[pair, SHIFT])
    limit = (mantissa >> U64(min(max(distance, 0), LAST_SHIFT))) + ONE
    limit = UNREACHABLE if distance < 0 else limit
    return limit if tail >> LIMIT_KIND_SHIFT == LIMITED else market
