"""Settlement as machine code: one pass over the order rows, same numbers as by columns.

It serves large batches where numba is installed. Blocks of orders run side by side on the threads
of the caller; their sums are exact, so the sequence of the blocks does not matter.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns import Spread
from convexfx_core.arithmetic.columns_numba import (
    ZERO,
    add_wide,
    compiled,
    multiply_shift,
    wide_totals,
)
from convexfx_core.limits import BALANCE_MAX
from convexfx_core.orders.row_words import RECEIVE_SHIFT, SHORT, order_words
from convexfx_core.settlement.amounts import SettledAmounts
from convexfx_core.settlement.order_tiles_numba import (
    GROSSES,
    NETS,
    SHIFTS,
    TAILS,
    TILE,
    TILE_ROWS,
    WIDTH,
    load_tile,
    pair_rows,
)
from convexfx_core.settlement.rates import RateTable

U64: Final = np.uint64
BALANCE_TOP: Final = U64(BALANCE_MAX)
IN, OUT, FEES = range(3)
BLOCK: Final = 1 << 17
"""Orders of one piece of work: about a millisecond."""


def by_machine_code(
    orders: NDArray[np.void],
    paid: NDArray[np.uint64],
    rates: RateTable,
    n: int,
    spread: Spread = map,
) -> SettledAmounts:
    """Amounts and flows, as by columns; ``spread`` maps over blocks of orders."""
    count, words = len(orders), order_words(orders)
    received, fee = (np.empty(count, dtype=U64) for _ in range(2))
    amounts, table = np.ascontiguousarray(paid, dtype=U64), pair_rows(rates)

    used = np.zeros(n * n, dtype=np.bool_)

    def work(start: int) -> tuple[bool, NDArray[np.uint64]]:
        rows, sums = slice(start, start + BLOCK), np.zeros((3, n, 2), dtype=U64)
        columns = (words[rows], amounts[rows], received[rows], fee[rows])
        return bool(_settle(*columns, table, n, used, sums)), sums

    done = list(spread(work, range(0, max(count, 1), BLOCK)))
    flow_in, flow_out, fees = wide_totals([sums for _, sums in done])
    fits = all(fits for fits, _ in done)
    return SettledAmounts(received, fee, flow_in, flow_out, fees, used, fits)


@compiled
def _settle(
    words: NDArray[np.uint64],
    paid: NDArray[np.uint64],
    received: NDArray[np.uint64],
    fee: NDArray[np.uint64],
    table: NDArray[np.uint64],
    n: int,
    used: NDArray[np.bool_],
    sums: NDArray[np.uint64],
) -> bool:
    """Fill the columns; whether every order names assets and every gross amount fits a balance.

    ``used`` is shared by all blocks: they only ever write True into it.
    """
    fits = True
    tile, gross = np.empty((TILE_ROWS, WIDTH), dtype=U64), np.empty(TILE, dtype=U64)
    for start in range(0, len(words), TILE):
        end = min(start + TILE, len(words))
        if load_tile(words[start:end], table, n, tile) < end - start:
            return False
        own = (paid[start:end], received[start:end], fee[start:end])
        fits &= _settle_tile(tile, *own, gross)
        _add_flows(tile[TAILS], paid[start:end], gross, fee[start:end], n, used, sums)
    return fits


@compiled
def _settle_tile(
    tile: NDArray[np.uint64],
    paid: NDArray[np.uint64],
    received: NDArray[np.uint64],
    fee: NDArray[np.uint64],
    gross: NDArray[np.uint64],
) -> bool:
    """Amounts of a tile; whether all fit. No branch, so that it becomes vector code."""
    shifts, grosses, nets = tile[SHIFTS], tile[GROSSES], tile[NETS]
    over = ZERO
    for k in range(len(paid)):
        received[k], _ = multiply_shift(paid[k], nets[k], shifts[k])
        gross[k], beyond = multiply_shift(paid[k], grosses[k], shifts[k])
        fee[k] = gross[k] - received[k]
        over |= beyond | U64(gross[k] > BALANCE_TOP)
    return bool(over == ZERO)


@compiled
def _add_flows(
    tails: NDArray[np.uint64],
    paid: NDArray[np.uint64],
    gross: NDArray[np.uint64],
    fee: NDArray[np.uint64],
    n: int,
    used: NDArray[np.bool_],
    sums: NDArray[np.uint64],
) -> None:
    """Add a tile to the used pairs and to the sums by asset."""
    for k in range(len(paid)):
        i, j = tails[k] & SHORT, (tails[k] >> RECEIVE_SHIFT) & SHORT
        used[i * U64(n) + j] = True
        add_wide(sums, IN, i, paid[k], ZERO)
        add_wide(sums, OUT, j, gross[k], ZERO)
        add_wide(sums, FEES, j, fee[k], ZERO)
