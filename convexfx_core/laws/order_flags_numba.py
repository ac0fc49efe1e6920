"""The order laws as machine code, a tile at a time: every order gets flags, one bit a law.

It serves large batches. The checks have no branch, so that the compiler makes vector code of them;
only orders with flags are looked at one by one. Where an order breaks a law, later amounts of it
may wrap; they are not used, since the verdict is a violation then. ``order_laws_numba`` cuts a
batch into the blocks that it works on. Letters: ``docs/glossary.md``.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns_numba import (
    HALF,
    LOW,
    ZERO,
    add_wide,
    compiled,
    multiply_shift,
)
from convexfx_core.laws.order_facts import RATION_ONE
from convexfx_core.limits import BALANCE_MAX
from convexfx_core.orders.row_words import (
    BUDGET_TOP,
    BYTE,
    EXPONENT_OFFSET,
    EXPONENT_ROOM,
    EXPONENT_SHIFT,
    KIND_SHIFT,
    LIMIT_KIND_SHIFT,
    LIMITED,
    MANTISSA_LOW,
    MANTISSA_ROOM,
    ONE,
    ORDERED,
    RECEIVE_SHIFT,
    SHORT,
)
from convexfx_core.settlement.order_tiles_numba import (
    BUDGETS,
    CUTS,
    GROSSES,
    LINE,
    MANTISSAS,
    MIN_FILLS,
    NETS,
    SHIFTS,
    TAILS,
    TILE,
    TILE_ROWS,
    WIDTH,
    WORSTS,
    limit_rate,
    load_cuts,
    load_tile,
)
from convexfx_core.units import LIMIT_SLACK_SHIFT, RATION_SHIFT

U64: Final = np.uint64
IN, OUT, FEES, WANT_IN, WANT_OUT, SPENDABLE, UNSPENT, SURPLUS = range(8)
"""Columns of the sums; ``totals.Totals`` explains them (SPENDABLE is budget, UNSPENT is idle)."""
USED, WANTS, PARTIALS = range(3)
"""Columns of the counts by pair."""
MALFORMED: Final = 0
"""Flag, and place in the list of first positions, beside the numbers of laws."""
PARTIAL, IDLE, CLEAR, NEAR = (U64(bit) for bit in (6, 7, 8, 9))
"""Flags of no law: some but not all is wanted; some is left in the money; some is left of an order
that is clearly in, as L4 says; at the price, as L20 says, if not dust or rejected."""
LAW_1, LAW_2, LAW_3, LAW_4, LAW_5, LAW_10 = (U64(law) for law in (1, 2, 3, 4, 5, 10))
LAWS_SEEN: Final = U64(0b100_0010_1111)
"""Flags that are findings by themselves: MALFORMED and laws 1, 2, 3, 5, 10. L4 depends on the
rejections as well."""
FLAGS, GROSS, NET, ASKED, WANTED, BEYOND = range(6)
FOUND_ROWS: Final = 6
BALANCE_TOP, WHOLE = U64(BALANCE_MAX), U64(RATION_ONE)
BLOCK: Final = 1 << 17
"""Most orders of one call."""
NARROW: Final = U64(46)
"""Amounts below 2^46: the 2^17 of a block sum to less than 2^63, and need no carry."""
SLACK_SHIFT, CUT_SHIFT = U64(LIMIT_SLACK_SHIFT), U64(RATION_SHIFT)


@compiled
def scan(
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
    at_price: NDArray[np.int64],
) -> tuple[int, int]:
    """Judge every order of a block and add it to the sums.

    A block has at most ``BLOCK`` orders; ``rejected`` are positions in it and one beyond it.
    ``sums`` u64[8, n, 2], ``counts`` i64[3, n * n], ``first`` i64[11], -1 where nothing was found,
    and ``at_price`` i64[BLOCK], positions of orders at the price, are written. Returns the numbers
    of fills and of orders at the price.
    """
    near = 0
    fills, tile = 0, np.empty((TILE_ROWS, WIDTH), dtype=U64)
    found, narrow = np.zeros((FOUND_ROWS, WIDTH), dtype=U64), np.zeros((n, LINE), dtype=U64)
    seen = np.zeros(n * n, dtype=U64)
    for start in range(0, len(words), TILE):
        stop = min(start + TILE, len(words))
        end = start + load_tile(words[start:stop], table, n, tile)
        own = (paid[start:end], want[start:end])
        bits, flagged = _check(tile, *own, received[start:end], fee[start:end], found)
        if rationed:
            load_cuts(table, n, end - start, tile)
            _check_ration(tile, *own, found)
        if rationed or flagged != ZERO:
            parts = (sums, counts, first, at_price)
            near = _look_at_flagged(tile, own[1], found, start, rejected, n, *parts, near)
        if end < stop:
            _mark(first, ONE, end)
        if first[MALFORMED] >= 0:  # nothing else means anything then
            return fills, near
        fills += _count(tile[TAILS], *own, n, seen)
        if bits >> NARROW == ZERO:
            _add_narrow(tile, own[0], found, narrow)
        else:
            _add_up(tile, own[0], found, sums)
        if rationed:
            _add_wanted(tile[TAILS], own[1], found, sums)
    for pair in range(n * n):
        counts[USED, pair] += int(seen[pair] & LOW)
        counts[WANTS, pair] += int(seen[pair] >> HALF)
    for asset in range(n):
        for column in range(LINE):
            add_wide(sums, column, U64(asset), narrow[asset, column], ZERO)
    return fills, near


@compiled
def _check(
    tile: NDArray[np.uint64],
    paid: NDArray[np.uint64],
    want: NDArray[np.uint64],
    received: NDArray[np.uint64],
    fee: NDArray[np.uint64],
    found: NDArray[np.uint64],
) -> tuple[np.uint64, np.uint64]:
    """Writes flags and amounts of a tile into ``found``: malformed rows, and L1 to L5.

    Returns the bitwise or of all amounts (how wide they are), and of all flags.
    """
    flags, gross, net, asked = found[FLAGS], found[GROSS], found[NET], found[ASKED]
    tails, budgets, mantissas = tile[TAILS], tile[BUDGETS], tile[MANTISSAS]
    # A comparison as a number, shifted to its law's bit, instead of a branch.
    least, worsts = tile[MIN_FILLS], tile[WORSTS]
    shifts, grosses, nets = tile[SHIFTS], tile[GROSSES], tile[NETS]
    bits, flagged = ZERO, ZERO
    for k in range(len(want)):
        tail, mantissa, budget, w = tails[k], mantissas[k], budgets[k], want[k]
        t, shift, rate = paid[k], shifts[k], nets[k]
        kind, exponent = tail >> LIMIT_KIND_SHIFT, (tail >> EXPONENT_SHIFT) & SHORT
        # Ranges by one comparison: what is below the lower end wraps to a large number.
        odd = U64(mantissa - MANTISSA_LOW > MANTISSA_ROOM)
        odd |= U64((exponent + EXPONENT_OFFSET) & SHORT > EXPONENT_ROOM)
        odd = odd if kind == LIMITED else U64(mantissa | exponent | kind != ZERO)
        odd |= U64(tail & SHORT == (tail >> RECEIVE_SHIFT) & SHORT)
        odd |= U64((tail >> KIND_SHIFT) & BYTE != ORDERED)
        odd |= U64(budget - ONE >= BUDGET_TOP) | U64(least[k] > budget)
        limit = limit_rate(tail, mantissa, shift, worsts[k])
        some, left = U64(w > ZERO), U64(w < budget)
        inside = U64(rate > limit)
        # Where l > Rn the difference wraps, to far more than any slack.
        beside = U64(rate - limit <= limit >> SLACK_SHIFT) & U64(limit > worsts[k])
        clear = (inside | U64(limit <= worsts[k])) & ~beside
        odd |= U64(w > budget) << LAW_1 | (some & U64(rate < limit)) << LAW_2
        odd |= (some & U64(w < least[k])) << LAW_5 | (some & left) << PARTIAL
        odd |= (left & inside) << IDLE | (left & clear) << CLEAR | beside << NEAR
        got, _ = multiply_shift(t, rate, shift)
        taken, beyond = multiply_shift(t, grosses[k], shift)
        asked[k], _ = multiply_shift(t, limit, shift)
        wrong = (received[k] ^ got) | (fee[k] ^ (taken - got)) | beyond
        wrong = U64(wrong != ZERO) | U64(taken > BALANCE_TOP)
        small = U64(t > ZERO) & U64(t < least[k])
        odd |= wrong << LAW_3 | small << LAW_5 | U64(t > w) << LAW_1
        net[k], gross[k], flags[k] = got, taken, odd
        bits |= t | budget | taken
        flagged |= odd
    return bits, flagged


@compiled
def _check_ration(
    tile: NDArray[np.uint64],
    paid: NDArray[np.uint64],
    want: NDArray[np.uint64],
    found: NDArray[np.uint64],
) -> None:
    """Flags of the cut: what is paid is what it leaves, 0 where that receives nothing."""
    flags, wanted, above = found[FLAGS], found[WANTED], found[BEYOND]
    shifts, grosses, nets, cuts = tile[SHIFTS], tile[GROSSES], tile[NETS], tile[CUTS]
    for k in range(len(paid)):
        w = want[k]
        wanted[k], above[k] = multiply_shift(w, grosses[k], shifts[k])
        low, high = multiply_shift(w, nets[k], shifts[k])
        nothing = U64(w > ZERO) & U64(low | high == ZERO)
        kept, _ = multiply_shift(w, WHOLE - cuts[k], CUT_SHIFT)
        low, high = multiply_shift(kept, nets[k], shifts[k])
        kept = kept if low | high != ZERO else ZERO
        flags[k] |= (nothing | U64(paid[k] != kept)) << LAW_10


@compiled
def _look_at_flagged(
    tile: NDArray[np.uint64],
    want: NDArray[np.uint64],
    found: NDArray[np.uint64],
    start: int,
    rejected: NDArray[np.int64],
    n: int,
    sums: NDArray[np.uint64],
    counts: NDArray[np.int64],
    first: NDArray[np.int64],
    at_price: NDArray[np.int64],
    near: int,
) -> int:
    """Note the findings of flagged orders and count those that are filled in part.

    An order that is clearly in with something left breaks L4, unless it is rejected or dust. What
    an order in the money leaves is added to the unspent budgets. Positions of orders at the price
    are added to the ``near`` ones in ``at_price``; returns their new number.
    """
    flags, tails, budgets = found[FLAGS], tile[TAILS], tile[BUDGETS]
    r = np.searchsorted(rejected, start)
    for k in range(len(want)):
        if flags[k] == ZERO:
            continue
        _mark(first, flags[k] & LAWS_SEEN, start + k)
        i = tails[k] & SHORT
        pair = i * U64(n) + ((tails[k] >> RECEIVE_SHIFT) & SHORT)
        counts[PARTIALS, pair] += int((flags[k] >> PARTIAL) & ONE)
        while rejected[r] < start + k:
            r += 1
        asked = flags[k] >> IDLE | flags[k] >> CLEAR | flags[k] >> NEAR
        if asked & ONE and rejected[r] != start + k:
            low, high = multiply_shift(budgets[k], tile[NETS, k], tile[SHIFTS, k])
            if low | high != ZERO:
                if (flags[k] >> IDLE) & ONE:
                    add_wide(sums, UNSPENT, i, budgets[k] - want[k], ZERO)
                _mark(first, ((flags[k] >> CLEAR) & ONE) << LAW_4, start + k)
                if (flags[k] >> NEAR) & ONE:
                    at_price[near] = start + k
                    near += 1
    return near


@compiled
def _mark(first: NDArray[np.int64], flags: np.uint64, position: int) -> None:
    """Note ``position`` for each law in ``flags`` that has no earlier one."""
    for law in range(len(first)):
        if (flags >> U64(law)) & ONE and first[law] < 0:
            first[law] = position


@compiled
def _count(
    tails: NDArray[np.uint64],
    paid: NDArray[np.uint64],
    want: NDArray[np.uint64],
    n: int,
    seen: NDArray[np.uint64],
) -> int:
    """Count a tile's orders by pair. Returns its fills.

    ``seen`` u64[n * n] counts all orders in its low half, and in its high half those that want
    something.
    """
    fills = 0
    for k in range(len(paid)):
        pair = (tails[k] & SHORT) * U64(n) + ((tails[k] >> RECEIVE_SHIFT) & SHORT)
        seen[pair] += ONE | U64(want[k] > ZERO) << HALF
        fills += paid[k] > ZERO
    return fills


@compiled
def _add_narrow(
    tile: NDArray[np.uint64],
    paid: NDArray[np.uint64],
    found: NDArray[np.uint64],
    narrow: NDArray[np.uint64],
) -> None:
    """Add a tile of amounts that need no carry to ``narrow`` u64[n, LINE]."""
    tails, budgets = tile[TAILS], tile[BUDGETS]
    gross, net, asked = found[GROSS], found[NET], found[ASKED]
    for k in range(len(paid)):
        i, j = tails[k] & SHORT, (tails[k] >> RECEIVE_SHIFT) & SHORT
        narrow[i, IN] += paid[k]
        narrow[i, SPENDABLE] += budgets[k]
        narrow[j, OUT] += gross[k]
        narrow[j, FEES] += gross[k] - net[k]
        narrow[j, SURPLUS] += net[k] - asked[k]


@compiled
def _add_up(
    tile: NDArray[np.uint64],
    paid: NDArray[np.uint64],
    found: NDArray[np.uint64],
    sums: NDArray[np.uint64],
) -> None:
    """Add a tile of any amounts to the sums."""
    tails, budgets = tile[TAILS], tile[BUDGETS]
    gross, net, asked = found[GROSS], found[NET], found[ASKED]
    for k in range(len(paid)):
        i, j = tails[k] & SHORT, (tails[k] >> RECEIVE_SHIFT) & SHORT
        add_wide(sums, IN, i, paid[k], ZERO)
        add_wide(sums, SPENDABLE, i, budgets[k], ZERO)
        add_wide(sums, OUT, j, gross[k], ZERO)
        add_wide(sums, FEES, j, gross[k] - net[k], ZERO)
        add_wide(sums, SURPLUS, j, net[k] - asked[k], ZERO)


@compiled
def _add_wanted(
    tails: NDArray[np.uint64],
    want: NDArray[np.uint64],
    found: NDArray[np.uint64],
    sums: NDArray[np.uint64],
) -> None:
    wanted, above = found[WANTED], found[BEYOND]
    for k in range(len(want)):
        add_wide(sums, WANT_IN, tails[k] & SHORT, want[k], ZERO)
        add_wide(sums, WANT_OUT, (tails[k] >> RECEIVE_SHIFT) & SHORT, wanted[k], above[k])
