"""Integer settlement of a proposal: rates, amounts received, fees, flows (exact, columnar).

Prices and payments come from the proposal; all else follows by floor rules, and both floors favour
the pool. It runs before the laws, which recompute the same amounts from the other side (L3, L6).
Source: ``docs/spec.md`` section 7. Letters: ``docs/glossary.md``.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns import (
    CHUNK,
    COMPILED_ORDERS_MIN,
    Spread,
    Sums,
    compilable,
    multiply_shift,
    split_shifts,
)
from convexfx_core.errors import ClearingCode, ClearingRefused
from convexfx_core.limits import AMOUNT_MAX, BALANCE_MAX
from convexfx_core.orders.row_words import RECEIVE_SHIFT, SHORT, TAIL, order_words, read_words
from convexfx_core.settlement.amounts import SettledAmounts
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.rates import RateTable, every_rate, limit_rates, refuse_invalid

COMPILED: Final = "convexfx_core.settlement.settle_numba"


@dataclass(frozen=True, slots=True)
class Settlement:
    """Everything that follows from prices and paid amounts by the floor rules.

    Attributes
    ----------
    shift : i64[n, n] shifts S; 0 where no order trades the pair.
    rate, net_rate : u64[n, n] R and Rn at scale 2^S, pay asset by row; 0 where unused.
    received, fee : u64[K] base units of the receive asset.
    flow_in, flow_out : n sums of paid, and of received + fee, base units.
    fees : n sums of fee, base units.
    inventory_after : n inventories in base units.
    orders, rates : the order rows, and the rates of all pairs.
    """

    shift: NDArray[np.int64]
    rate: NDArray[np.uint64]
    net_rate: NDArray[np.uint64]
    received: NDArray[np.uint64]
    fee: NDArray[np.uint64]
    flow_in: tuple[int, ...]
    flow_out: tuple[int, ...]
    fees: tuple[int, ...]
    inventory_after: tuple[int, ...]
    orders: NDArray[np.void]
    rates: RateTable

    @property
    def limit_rate(self) -> NDArray[np.uint64]:
        """u64[K] least net rate l of every order, scale 2^S of its pair; worked out when asked."""
        words = order_words(self.orders)
        return limit_rates(self.orders, read_words(words).pair(len(self.flow_in)), self.rates)


def settle(
    case: ClearingCase,
    proposal: Proposal,
    kernels: Literal["auto", "numpy", "numba"] = "auto",
    spread: Spread = map,
) -> Settlement:
    """Settle ``proposal`` on ``case`` by the floor rules of ``docs/spec.md`` section 7.

    received = (paid Rn) >> S, fee = ((paid R) >> S) - received, exact for paid < 2^62.

    Parameters
    ----------
    case, proposal : positions of the latter are those of the former.
    kernels : ``auto`` is numba for many orders where it is installed; the numbers are the same.
    spread : ``map``, or the ``map`` of a pool of threads, for the compiled engine.

    Raises
    ------
    ClearingRefused : ``VALUE_RANGE`` where a rate or an amount leaves its range.
    """
    n, count, paid = case.params.n, len(case.orders), proposal.paid
    if len(paid) != count or (count and int(paid.max()) > AMOUNT_MAX):
        raise ClearingRefused(ClearingCode.VALUE_RANGE, "paid", f"{count} amounts below 2^62")
    table = every_rate(case, proposal.prices)
    if kernels == "numba" or (kernels == "auto" and count >= COMPILED_ORDERS_MIN and compilable()):
        found = import_module(COMPILED).by_machine_code(case.orders, paid, table, n, spread)
    else:
        found = by_columns(case.orders, paid, table, n)
    for pair in np.flatnonzero(found.used & ~table.valid).tolist():
        refuse_invalid(table, case, proposal.prices, *divmod(pair, n))
    if not found.fits:
        raise ClearingRefused(ClearingCode.VALUE_RANGE, "received", "amounts below 2^63")
    after = zip(case.inventory, found.flow_in, found.flow_out, strict=True)
    return Settlement(
        shift=np.where(found.used, table.shift, 0).reshape(n, n),
        rate=np.where(found.used, table.gross, np.uint64(0)).reshape(n, n),
        net_rate=np.where(found.used, table.net, np.uint64(0)).reshape(n, n),
        received=found.received,
        fee=found.fee,
        flow_in=found.flow_in,
        flow_out=found.flow_out,
        fees=found.fees,
        inventory_after=tuple(q + more - less for q, more, less in after),
        orders=case.orders,
        rates=table,
    )


def by_columns(
    orders: NDArray[np.void], paid: NDArray[np.uint64], rates: RateTable, n: int
) -> SettledAmounts:
    """Amounts and flows of K orders; ``rates`` of all pairs."""
    received, fee = (np.empty(len(orders), dtype=np.uint64) for _ in range(2))
    ins, outs, fees = Sums(n), Sums(n), Sums(n)
    used, fits = np.zeros(n * n, dtype=np.bool_), True
    words, shifts = order_words(orders), split_shifts(np.where(rates.valid, rates.shift, 0))
    for start in range(0, len(words), CHUNK):
        rows = slice(start, start + CHUNK)
        own, tail = paid[rows], words[rows, TAIL].copy()
        pay, receive = tail & SHORT, (tail >> RECEIVE_SHIFT) & SHORT
        pair = (pay * np.uint64(n) + receive).view(np.intp)
        steps = shifts.take(pair)
        used[pair] = True
        received[rows], _ = multiply_shift(own, rates.net.take(pair), steps)
        gross, beyond = multiply_shift(own, rates.gross.take(pair), steps)
        fits &= bool(gross.max() <= BALANCE_MAX and not beyond.any())
        np.subtract(gross, received[rows], out=fee[rows])
        ins.add(pay.view(np.intp), own)
        outs.add(receive.view(np.intp), gross)
        fees.add(receive.view(np.intp), fee[rows])
    totals = ins.totals(), outs.totals(), fees.totals()
    return SettledAmounts(received, fee, *totals, used, bool(fits))
