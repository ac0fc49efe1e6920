"""What the laws see of a chunk of orders at once: the columnar twin of ``order_facts``.

The plain form of a law reads one :class:`OrderFacts`; the columnar form reads :class:`Columns`, the
same facts of up to 16,384 orders as arrays. Letters: ``docs/glossary.md``.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns import (
    CHUNK,
    HALF,
    LOW,
    Shifts,
    multiply_halves,
    multiply_shift,
)
from convexfx_core.laws.order_facts import ClaimedClearing
from convexfx_core.orders.row_words import OrderWords
from convexfx_core.settlement.rates import limits_of
from convexfx_core.units import LIMIT_SLACK_SHIFT

U64: TypeAlias = NDArray[np.uint64]
Mask: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]
SLACK: Final = np.uint64(LIMIT_SLACK_SHIFT)


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a column of pay amounts receives: net and gross, and the bits of gross from 64 on.

    A lawful gross amount is below 2^63 (L3); demanded amounts have no such law and may be wider.
    """

    net: U64
    gross: U64
    beyond: U64


@dataclass(frozen=True, slots=True)
class Columns:
    """At most ``CHUNK`` orders with their claims; see ``order_facts.OrderFacts``.

    ``wanted`` and ``filled`` say what ``want`` and ``paid`` receive; without rationing they are one
    object. ``left`` marks the orders that want less than their budget. ``idle`` are the rows among
    them that are in the money (Rn > l), neither dust nor rejected; ``denied`` those that are
    clearly in, neither dust nor rejected, which breach L4. ``at_price`` are all rows with l <= Rn
    that are not clearly in, neither dust nor rejected, which L20 is about.
    """

    pay: Rows
    receive: Rows
    pair: Rows
    shifts: Shifts
    budget: U64
    min_fill: U64
    net_rate: U64
    limit: U64
    want: U64
    paid: U64
    received: U64
    fee: U64
    wanted: Amounts
    filled: Amounts
    cut: U64 | None
    left: Mask
    idle: Rows
    denied: Rows
    at_price: Rows


def columns(clearing: ClaimedClearing, orders: OrderWords, shifts: Shifts, start: int) -> Columns:
    """A chunk of well-formed orders that begins at position ``start``; ``shifts`` by pair."""
    rows, claims, rates = slice(start, start + CHUNK), clearing.claims, clearing.rates
    paid, pair = claims.paid[rows], orders.pair(clearing.case.params.n)
    own = shifts.take(pair)
    net, gross = rates.net.take(pair), rates.gross.take(pair)
    worst = rates.worst.take(pair)
    limit = limits_of(orders, own.whole, worst)
    filled = wanted = _amounts(paid, net, gross, own)
    want, budget = paid, orders.budget
    if claims.ration is not None:
        want = claims.ration.demanded[rows]
        wanted = _amounts(want, net, gross, own)
    left = want < budget
    always = limit <= worst
    # Where l > Rn the difference wraps, to far more than any slack.
    near = (net - limit <= limit >> SLACK) & ~always
    open_ = np.flatnonzero(near | left & ((net > limit) | always))
    open_ = open_[_kept(claims.rejected, start, open_)]
    worth = multiply_shift(budget[open_], net[open_], own.take(open_))
    open_ = open_[(worth[0] > 0) | (worth[1] > 0)]
    at_price = near[open_]
    left_open = left[open_]
    return Columns(
        pay=orders.pay.view(np.intp),
        receive=orders.receive.view(np.intp),
        pair=pair,
        shifts=own,
        budget=budget,
        min_fill=orders.min_fill,
        net_rate=net,
        limit=limit,
        want=want,
        paid=paid,
        received=claims.received[rows],
        fee=claims.fee[rows],
        wanted=wanted,
        filled=filled,
        cut=clearing.cut.take(pair) if claims.ration is not None else None,
        left=left,
        idle=open_[left_open & (net[open_] > limit[open_])],
        denied=open_[left_open & ~at_price],
        at_price=open_[at_price],
    )


def _amounts(paid: U64, net: U64, gross: U64, shifts: Shifts) -> Amounts:
    low, high = paid & LOW, paid >> HALF
    received, _ = multiply_halves(paid, low, high, net, shifts)
    return Amounts(received, *multiply_halves(paid, low, high, gross, shifts))


def _kept(rejected: NDArray[np.int64], start: int, rows: Rows) -> Mask:
    """Which of ``rows``, counted from ``start``, are not among the rejected positions."""
    if not rejected.size:
        return np.ones(rows.size, dtype=np.bool_)
    at = np.minimum(np.searchsorted(rejected, rows + start), rejected.size - 1)
    kept: Mask = rejected[at] != rows + start
    return kept
