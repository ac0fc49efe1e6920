"""The order laws as machine code: one pass over the order rows, same findings as by columns.

Blocks of orders are scanned side by side on the threads of the caller (``order_flags_numba``), and
their sums, counts and first findings are put together here.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns import Spread
from convexfx_core.arithmetic.columns_numba import wide_totals
from convexfx_core.laws.order_facts import ClaimedClearing
from convexfx_core.laws.order_flags_numba import (
    BLOCK,
    FEES,
    IN,
    MALFORMED,
    OUT,
    PARTIALS,
    SPENDABLE,
    SURPLUS,
    UNSPENT,
    USED,
    WANT_IN,
    WANT_OUT,
    WANTS,
    scan,
)
from convexfx_core.laws.order_laws import RATION_LAW, OrderFindings
from convexfx_core.laws.totals import Totals
from convexfx_core.orders.row_words import order_words
from convexfx_core.settlement.order_tiles_numba import pair_rows


@dataclass(frozen=True, slots=True)
class _Scanned:
    """Of one block: sums u64[8, n, 2], counts i64[3, n * n], first positions by law, positions of
    the orders at the price, fills."""

    sums: NDArray[np.uint64]
    counts: NDArray[np.int64]
    first: NDArray[np.int64]
    at_price: NDArray[np.int64]
    fills: int


def by_machine_code(clearing: ClaimedClearing, spread: Spread = map) -> OrderFindings:
    """Hold every order to the order laws; see ``order_laws.by_columns``.

    ``spread`` maps over blocks of orders: ``map``, or that of a pool of threads, which then work
    side by side; the findings are the same.
    """
    n, claims, rates = clearing.case.params.n, clearing.claims, clearing.rates
    table = pair_rows(rates, clearing.cut)
    rationed = claims.ration is not None
    want = claims.ration.demanded if claims.ration is not None else claims.paid
    given = (claims.paid, want, claims.received, claims.fee)
    amounts = [np.ascontiguousarray(column, dtype=np.uint64) for column in given]
    words = order_words(clearing.case.orders)

    def work(start: int) -> _Scanned:
        found = _Scanned(
            np.zeros((8, n, 2), dtype=np.uint64),
            np.zeros((3, n * n), dtype=np.int64),
            np.full(RATION_LAW + 1, -1, dtype=np.int64),
            np.empty(BLOCK, dtype=np.int64),
            0,
        )
        rows = slice(start, start + BLOCK)
        block = [column[rows] for column in (words, *amounts)]
        ends = np.searchsorted(claims.rejected, (start, start + BLOCK))
        rejected = np.append(claims.rejected[ends[0] : ends[1]] - start, BLOCK)
        parts = (found.sums, found.counts, found.first, found.at_price)
        fills, near = scan(*block, rejected, table, n, rationed, *parts)
        found.first[found.first >= 0] += start
        return replace(found, at_price=found.at_price[:near] + start, fills=int(fills))

    starts = range(0, max(len(words), 1), BLOCK)
    return _findings(list(spread(work, starts)), n, rationed)


def _findings(blocks: list[_Scanned], n: int, rationed: bool) -> OrderFindings:
    """Findings of all blocks together; the first block that breaches a law has the first."""
    counts = sum((block.counts for block in blocks), np.zeros((3, n * n), dtype=np.int64))
    firsts = [
        {law: int(at) for law, at in enumerate(block.first) if at >= 0}
        for block in reversed(blocks)
    ]
    first = {law: at for block in firsts for law, at in block.items()}
    malformed = first.pop(MALFORMED, None)
    return OrderFindings(
        totals=_totals(blocks, counts, rationed),
        first=first,
        used=counts[USED] > 0,
        malformed=malformed,
        at_price=np.concatenate([block.at_price for block in blocks]),
    )


def _totals(blocks: list[_Scanned], counts: NDArray[np.int64], rationed: bool) -> Totals:
    columns = wide_totals([block.sums for block in blocks])
    wanted = (WANT_IN, WANT_OUT) if rationed else (IN, OUT)
    return Totals(
        flow_in=columns[IN],
        flow_out=columns[OUT],
        fees=columns[FEES],
        want_in=columns[wanted[0]],
        want_out=columns[wanted[1]],
        budget=columns[SPENDABLE],
        idle=columns[UNSPENT],
        surplus=columns[SURPLUS],
        wants=tuple(counts[WANTS].tolist()),
        partials=tuple(counts[PARTIALS].tolist()),
        fills=sum(block.fills for block in blocks),
    )
