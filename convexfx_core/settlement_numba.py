"""Settlement as machine code: one pass over the order rows, same numbers as by columns."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.limits import BALANCE_MAX
from convexfx_core.order_rates_numba import GROSS, NET, SHIFT, limit_rate, pair_rows
from convexfx_core.order_words import RECEIVE_SHIFT, SHORT, TAIL, order_words
from convexfx_core.rates import RateTable
from convexfx_core.settled_amounts import SettledAmounts
from convexfx_core.wide_numba import add_wide, compiled, multiply_shift, wide_totals

ZERO: Final = np.uint64(0)
BALANCE_TOP: Final = np.uint64(BALANCE_MAX)
IN, OUT, FEES = range(3)


def by_machine_code(
    orders: NDArray[np.void], paid: NDArray[np.uint64], rates: RateTable, n: int
) -> SettledAmounts | None:
    """Amounts, limits and flows; None where a gross amount reaches 2^63."""
    count = len(orders)
    limit, received, fee = (np.empty(count, dtype=np.uint64) for _ in range(3))
    sums = np.zeros((3, n, 2), dtype=np.uint64)
    amounts = np.ascontiguousarray(paid, dtype=np.uint64)
    fits = _settle(order_words(orders), amounts, pair_rows(rates), n, limit, received, fee, sums)
    if not fits:
        return None
    return SettledAmounts(limit, received, fee, *(wide_totals(column) for column in sums))


@compiled
def _settle(
    words: NDArray[np.uint64],
    paid: NDArray[np.uint64],
    table: NDArray[np.uint64],
    n: int,
    limit: NDArray[np.uint64],
    received: NDArray[np.uint64],
    fee: NDArray[np.uint64],
    sums: NDArray[np.uint64],
) -> bool:
    """Fill the columns; whether every gross amount fits a balance."""
    fits = True
    for k in range(len(words)):
        tail, t = words[k, TAIL], paid[k]
        i, j = int(tail & SHORT), int((tail >> RECEIVE_SHIFT) & SHORT)
        pair = i * n + j
        limit[k] = limit_rate(words, k, table, pair)
        net, _ = multiply_shift(t, table[pair, NET], table[pair, SHIFT])
        gross, beyond = multiply_shift(t, table[pair, GROSS], table[pair, SHIFT])
        fits &= (gross <= BALANCE_TOP) & (beyond == ZERO)
        received[k] = net
        fee[k] = gross - net
        add_wide(sums, IN, i, t, ZERO)
        add_wide(sums, OUT, j, gross, ZERO)
        add_wide(sums, FEES, j, gross - net, ZERO)
    return fits
