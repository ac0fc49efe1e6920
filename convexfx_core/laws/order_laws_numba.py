"""The order laws as machine code: one pass over the order rows, same findings as by columns."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.laws.facts import RATION_ONE, Tables
from convexfx_core.laws.order_laws import RATION_LAW, OrderFindings, Spread
from convexfx_core.laws.totals import Totals
from convexfx_core.limits import BALANCE_MAX
from convexfx_core.order_rates_numba import CUT, GROSS, NET, SHIFT, limit_rate, pair_rows
from convexfx_core.order_words import (
    BUDGET,
    BUDGET_TOP,
    BYTE,
    EXPONENT_OFFSET,
    EXPONENT_ROOM,
    EXPONENT_SHIFT,
    KIND_SHIFT,
    LIMIT_KIND_SHIFT,
    LIMIT_M,
    LIMITED,
    MANTISSA_LOW,
    MANTISSA_ROOM,
    MIN_FILL,
    NONCE,
    NONCE_TOP,
    ONE,
    ORDERED,
    RECEIVE_SHIFT,
    SHORT,
    TAIL,
    order_words,
)
from convexfx_core.units import LIMIT_SLACK_SHIFT, RATION_SHIFT
from convexfx_core.wide_numba import add_wide, compiled, multiply_shift, wide_totals

U64: Final = np.uint64
ZERO: Final = U64(0)
IN, OUT, FEES, WANT_IN, WANT_OUT, BUDGETS, IDLE, SURPLUS = range(8)
USED, WANTS, PARTIALS = range(3)
BLOCK: Final = 1 << 17
"""Orders of one piece of work: about two milliseconds."""
MALFORMED: Final = 0
"""Place in the list of first positions, beside the numbers of laws."""
BALANCE_TOP, WHOLE = U64(BALANCE_MAX), U64(RATION_ONE)
SLACK_SHIFT, CUT_SHIFT = U64(LIMIT_SLACK_SHIFT), U64(RATION_SHIFT)


@dataclass(frozen=True, slots=True)
class _Scanned:
    """Sums u64[8, n, 2], counts i64[3, n * n], first positions by law, fills of one block."""

    sums: NDArray[np.uint64]
    counts: NDArray[np.int64]
    first: NDArray[np.int64]
    fills: int


def by_machine_code(tables: Tables, spread: Spread = map) -> OrderFindings:
    """Hold every order to the order laws; see ``order_laws.by_columns``.

    ``spread`` maps over blocks of orders: ``map``, or that of a pool of threads, which then work
    side by side; the findings are the same.
    """
    n, claims, rates = tables.case.params.n, tables.claims, tables.rates
    table = pair_rows(rates, tables.cut)
    rationed = claims.ration is not None
    want = claims.ration.demanded if claims.ration is not None else claims.paid
    given = (claims.paid, want, claims.received, claims.fee)
    amounts = [np.ascontiguousarray(column, dtype=U64) for column in given]
    words = order_words(tables.case.orders)

    def scan(start: int) -> _Scanned:
        found = _Scanned(
            np.zeros((8, n, 2), dtype=U64),
            np.zeros((3, n * n), dtype=np.int64),
            np.full(RATION_LAW + 1, -1, dtype=np.int64),
            0,
        )
        rows = slice(start, start + BLOCK)
        block = [column[rows] for column in (words, *amounts)]
        ends = np.searchsorted(claims.rejected, (start, start + BLOCK))
        rejected = np.append(claims.rejected[ends[0] : ends[1]] - start, BLOCK)
        parts = (found.sums, found.counts, found.first)
        fills = _scan(*block, rejected, table, n, rationed, *parts)
        found.first[found.first >= 0] += start
        return replace(found, fills=int(fills))

    return _findings(list(spread(scan, range(0, len(words), BLOCK))), n, rationed)


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
        totals=_totals(blocks, counts, n, rationed),
        first=first,
        used=counts[USED] > 0,
        malformed=malformed,
    )


def _totals(blocks: list[_Scanned], counts: NDArray[np.int64], n: int, rationed: bool) -> Totals:
    columns = [[0] * n for _ in range(8)]
    for block in blocks:
        for column, sums in zip(columns, block.sums, strict=True):
            column[:] = [a + b for a, b in zip(column, wide_totals(sums), strict=True)]
    wanted = (WANT_IN, WANT_OUT) if rationed else (IN, OUT)
    return Totals(
        flow_in=tuple(columns[IN]),
        flow_out=tuple(columns[OUT]),
        fees=tuple(columns[FEES]),
        want_in=tuple(columns[wanted[0]]),
        want_out=tuple(columns[wanted[1]]),
        budget=tuple(columns[BUDGETS]),
        idle=tuple(columns[IDLE]),
        surplus=tuple(columns[SURPLUS]),
        wants=tuple(counts[WANTS].tolist()),
        partials=tuple(counts[PARTIALS].tolist()),
        fills=sum(block.fills for block in blocks),
    )


@compiled
def _well_formed(words: NDArray[np.uint64], k: int, n: int) -> bool:
    """Whether a row is; ``&`` instead of ``and``, since half of these branches are a coin's."""
    tail, budget, mantissa = words[k, TAIL], words[k, BUDGET], words[k, LIMIT_M]
    pay, receive = tail & SHORT, (tail >> RECEIVE_SHIFT) & SHORT
    kind, bits = tail >> LIMIT_KIND_SHIFT, (tail >> EXPONENT_SHIFT) & SHORT
    limited = (kind == LIMITED) & (mantissa - MANTISSA_LOW <= MANTISSA_ROOM)
    limited &= (bits + EXPONENT_OFFSET) & SHORT <= EXPONENT_ROOM
    market = (kind == ZERO) & (mantissa | bits == ZERO)
    good = (pay < U64(n)) & (receive < U64(n)) & (pay != receive) & (limited | market)
    good &= ((tail >> KIND_SHIFT) & BYTE == ORDERED) & (words[k, NONCE] - ONE < NONCE_TOP)
    return bool(good & (budget - ONE < BUDGET_TOP) & (words[k, MIN_FILL] <= budget))


@compiled
def _mark(first: NDArray[np.int64], law: int, position: int) -> None:
    if first[law] < 0:
        first[law] = position


@compiled
def _kept(want: np.uint64, table: NDArray[np.uint64], pair: int) -> np.uint64:
    """What is left of ``want`` after the cut of the pair, 0 where that receives nothing."""
    kept, _ = multiply_shift(want, WHOLE - table[pair, CUT], CUT_SHIFT)
    net, beyond = multiply_shift(kept, table[pair, NET], table[pair, SHIFT])
    return kept if net | beyond else ZERO


@compiled
def _is_idle(
    want: np.uint64, budget: np.uint64, limit: np.uint64, table: NDArray[np.uint64], pair: int
) -> bool:
    if (want >= budget) | (table[pair, NET] <= limit):
        return False
    net, beyond = multiply_shift(budget, table[pair, NET], table[pair, SHIFT])
    return bool(net | beyond)


@compiled
def _add_wanted(
    want: np.uint64,
    table: NDArray[np.uint64],
    pair: int,
    i: int,
    j: int,
    sums: NDArray[np.uint64],
) -> bool:
    """Add the flow wanted; whether it receives anything."""
    gross, beyond = multiply_shift(want, table[pair, GROSS], table[pair, SHIFT])
    add_wide(sums, WANT_IN, i, want, ZERO)
    add_wide(sums, WANT_OUT, j, gross, beyond)
    net, above = multiply_shift(want, table[pair, NET], table[pair, SHIFT])
    return bool(net | above)


@compiled
def _scan(
    words: NDArray[np.uint64],
    paid: NDArray[np.uint64],
    want: NDArray[np.uint64],
    received: NDArray[np.uint64],
    fee: NDArray[np.uint64],
    rejected: NDArray[np.int64],
    table: NDArray[np.uint64],
    n: int,
    rationed: bool,
    sums: NDArray[np.uint64],
    counts: NDArray[np.int64],
    first: NDArray[np.int64],
) -> int:
    """Judge every order of a block and add it to the sums; the number of fills."""
    fills, r = 0, 0
    for k in range(len(words)):
        if not _well_formed(words, k, n):
            first[MALFORMED] = k
            return fills
        i, j = int(words[k, TAIL] & SHORT), int((words[k, TAIL] >> RECEIVE_SHIFT) & SHORT)
        pair, t, w, budget = i * n + j, paid[k], want[k], words[k, BUDGET]
        limit = limit_rate(words, k, table, pair)
        counts[USED, pair] = 1
        counts[WANTS, pair] += w > ZERO
        counts[PARTIALS, pair] += (w > ZERO) & (w < budget)
        add_wide(sums, BUDGETS, i, budget, ZERO)
        if (w > budget) | (t > w):
            _mark(first, 1, k)
        if (w > ZERO) & (table[pair, NET] < limit):
            _mark(first, 2, k)
        if ((t > ZERO) & (t < words[k, MIN_FILL])) | ((w > ZERO) & (w < words[k, MIN_FILL])):
            _mark(first, 5, k)
        fills += t > ZERO
        net, _ = multiply_shift(t, table[pair, NET], table[pair, SHIFT])
        gross, beyond = multiply_shift(t, table[pair, GROSS], table[pair, SHIFT])
        asked, _ = multiply_shift(t, limit, table[pair, SHIFT])
        add_wide(sums, IN, i, t, ZERO)
        add_wide(sums, OUT, j, gross, ZERO)
        add_wide(sums, FEES, j, gross - net, ZERO)
        add_wide(sums, SURPLUS, j, net - asked, ZERO)
        wrong = (received[k] != net) | (fee[k] != gross - net)
        if wrong | (gross > BALANCE_TOP) | (beyond > ZERO):
            _mark(first, 3, k)
        while rejected[r] < k:
            r += 1
        if rejected[r] != k and _is_idle(w, budget, limit, table, pair):
            add_wide(sums, IDLE, i, budget - w, ZERO)
            if table[pair, NET] - limit > limit >> SLACK_SHIFT:
                _mark(first, 4, k)
        if rationed:
            receives = _add_wanted(w, table, pair, i, j, sums)
            if (w > ZERO and not receives) or t != _kept(w, table, pair):
                _mark(first, RATION_LAW, k)
    return fills
