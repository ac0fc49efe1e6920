"""Exact sums over the orders, which the laws about assets stand on.

L6, L9, L10 and the gap are about assets, not orders. Each way of running the order laws adds these
sums up in the same pass. They are exact: Python integers, or columns in two halves. Source:
``docs/spec.md`` section 7. Letters: ``docs/glossary.md``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from convexfx_core.arithmetic.columns import Sums, multiply_shift
from convexfx_core.laws.columns import Columns, Mask
from convexfx_core.laws.order_facts import OrderFacts


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums in base units by asset (n), counts by pair (n * n, at pay * n + receive).

    Attributes
    ----------
    flow_in, flow_out, fees : paid by pay asset; received + fee, and fee, by receive asset.
    want_in, want_out : the same flows if everybody filled what is wanted.
    budget : budgets by pay asset.
    idle : budget - want by pay asset, of orders in the money that are neither dust nor rejected.
    surplus : received less what the limit asks for ``paid``, by receive asset.
    wants, partials : orders with want > 0; orders with 0 < want < budget.
    fills : orders with paid > 0.
    """

    flow_in: tuple[int, ...]
    flow_out: tuple[int, ...]
    fees: tuple[int, ...]
    want_in: tuple[int, ...]
    want_out: tuple[int, ...]
    budget: tuple[int, ...]
    idle: tuple[int, ...]
    surplus: tuple[int, ...]
    wants: tuple[int, ...]
    partials: tuple[int, ...]
    fills: int


def totals_of(n: int, orders: Iterable[OrderFacts]) -> Totals:
    """Totals one order at a time."""
    ins, outs, fees, want_in, want_out, budget, idle, surplus = ([0] * n for _ in range(8))
    wants, partials, fills = [0] * (n * n), [0] * (n * n), 0
    for order in orders:
        i, j, pair = order.pay, order.receive, order.pay * n + order.receive
        ins[i] += order.paid
        outs[j] += order.gross(order.paid)
        fees[j] += order.gross(order.paid) - order.net(order.paid)
        want_in[i] += order.want
        want_out[j] += order.gross(order.want)
        budget[i] += order.budget
        idle[i] += order.budget - order.want if order.idle else 0
        surplus[j] += order.net(order.paid) - ((order.paid * order.limit) >> order.rate.shift)
        wants[pair] += order.want > 0
        partials[pair] += 0 < order.want < order.budget
        fills += order.paid > 0
    return Totals(
        flow_in=tuple(ins),
        flow_out=tuple(outs),
        fees=tuple(fees),
        want_in=tuple(want_in),
        want_out=tuple(want_out),
        budget=tuple(budget),
        idle=tuple(idle),
        surplus=tuple(surplus),
        wants=tuple(wants),
        partials=tuple(partials),
        fills=fills,
    )


class RunningTotals:
    """Totals a chunk at a time; fees and surplus mean something once L2 and L3 hold."""

    def __init__(self, n: int, rationed: bool) -> None:
        self.rationed = rationed
        self._in, self._out, self._fees, self._surplus = (Sums(n) for _ in range(4))
        self._budget, self._idle, self._want_in = (Sums(n) for _ in range(3))
        self._want_out, self._want_beyond = Sums(n), Sums(n)
        self._orders = np.zeros((n * n, 2), dtype=np.int64)
        self._partials = np.zeros(n * n, dtype=np.int64)
        self._fills = 0

    def add(self, rows: Columns) -> None:
        """Add a chunk."""
        filled = rows.filled
        self._in.add(rows.pay, rows.paid)
        self._out.add(rows.receive, filled.gross)
        self._fees.add(rows.receive, filled.gross - filled.net)
        asked, _ = multiply_shift(rows.paid, rows.limit, rows.shifts)
        self._surplus.add(rows.receive, filled.net - asked)
        self._budget.add(rows.pay, rows.budget)
        self._fills += int(np.count_nonzero(rows.paid))
        if self.rationed:
            self._want_in.add(rows.pay, rows.want)
            self._want_out.add(rows.receive, rows.wanted.gross)
            self._want_beyond.add(rows.receive, rows.wanted.beyond)
        self._idle.add(rows.pay[rows.idle], rows.budget[rows.idle] - rows.want[rows.idle])
        wants = rows.want > 0
        partials = np.flatnonzero(wants & rows.left)
        place = rows.pair * 2
        place += wants
        counts = np.bincount(place, minlength=self._orders.size)
        self._orders += counts.reshape(self._orders.shape)
        self._partials += np.bincount(rows.pair[partials], minlength=len(self._partials))

    @property
    def used(self) -> Mask:
        """Pairs with any order, bool[n * n]."""
        return np.asarray(self._orders.any(axis=1))

    def totals(self) -> Totals:
        """The sums so far."""
        flow_in, flow_out = self._in.totals(), self._out.totals()
        return Totals(
            flow_in=flow_in,
            flow_out=flow_out,
            fees=self._fees.totals(),
            want_in=self._want_in.totals() if self.rationed else flow_in,
            want_out=self._want_flow() if self.rationed else flow_out,
            budget=self._budget.totals(),
            idle=self._idle.totals(),
            surplus=self._surplus.totals(),
            wants=tuple(self._orders[:, 1].tolist()),
            partials=tuple(self._partials.tolist()),
            fills=self._fills,
        )

    def _want_flow(self) -> tuple[int, ...]:
        """Gross amounts wanted, which 64 bits need not hold."""
        halves = zip(self._want_out.totals(), self._want_beyond.totals(), strict=True)
        return tuple(low + (high << 64) for low, high in halves)
