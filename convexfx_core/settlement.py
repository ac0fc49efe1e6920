"""Integer settlement of a proposal: rates, amounts received, fees, flows (exact, columnar)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexfx_core.case import ClearingCase
from convexfx_core.errors import ClearingCode, ClearingRefused
from convexfx_core.limits import AMOUNT_MAX, BALANCE_MAX
from convexfx_core.proposal import Proposal
from convexfx_core.rates import RateTable, limit_rates, rate_table
from convexfx_core.wide import CHUNK, Sums, multiply_shift, split_shifts


@dataclass(frozen=True, slots=True)
class Settlement:
    """Everything that follows from prices and paid amounts by the floor rules.

    Attributes
    ----------
    shift : i64[n, n] shifts S; 0 where no order trades the pair.
    rate, net_rate : u64[n, n] R and Rn at scale 2^S, pay asset by row; 0 where unused.
    limit_rate : u64[K] least net rate l of every order, scale 2^S of its pair.
    received, fee : u64[K] base units of the receive asset.
    flow_in, flow_out : n sums of paid, and of received + fee, base units.
    fees : n sums of fee, base units.
    inventory_after : n inventories in base units.
    """

    shift: NDArray[np.int64]
    rate: NDArray[np.uint64]
    net_rate: NDArray[np.uint64]
    limit_rate: NDArray[np.uint64]
    received: NDArray[np.uint64]
    fee: NDArray[np.uint64]
    flow_in: tuple[int, ...]
    flow_out: tuple[int, ...]
    fees: tuple[int, ...]
    inventory_after: tuple[int, ...]


def settle(case: ClearingCase, proposal: Proposal) -> Settlement:
    """Settle ``proposal`` on ``case`` by the floor rules of ``docs/spec.md`` section 7.

    received = (paid Rn) >> S, fee = ((paid R) >> S) - received, exact for paid < 2^62.

    Raises
    ------
    ClearingRefused : ``VALUE_RANGE`` where a rate or an amount leaves its range.
    """
    n, count = case.params.n, len(case.orders)
    if len(proposal.paid) != count or (count and int(proposal.paid.max()) > AMOUNT_MAX):
        raise ClearingRefused(ClearingCode.VALUE_RANGE, "paid", f"{count} amounts below 2^62")
    table = rate_table(case, proposal.prices)
    limit, received, fee = (np.empty(count, dtype=np.uint64) for _ in range(3))
    ins, outs, fees = Sums(n), Sums(n), Sums(n)
    for start in range(0, count, CHUNK):
        rows = slice(start, start + CHUNK)
        orders, paid = case.orders[rows], proposal.paid[rows]
        pay, receive = orders["pay"].astype(np.intp), orders["receive"].astype(np.intp)
        pair = pay * n + receive
        limit[rows] = limit_rates(orders, pair, table)
        received[rows], gross = amounts(paid, pair, table)
        np.subtract(gross, received[rows], out=fee[rows])
        ins.add(pay, paid)
        outs.add(receive, gross)
        fees.add(receive, fee[rows])
    flow_in, flow_out = ins.totals(), outs.totals()
    square = (n, n)
    after = zip(case.inventory, flow_in, flow_out, strict=True)
    return Settlement(
        table.shift.reshape(square),
        table.gross.reshape(square),
        table.net.reshape(square),
        limit,
        received,
        fee,
        flow_in,
        flow_out,
        fees.totals(),
        tuple(q + more - less for q, more, less in after),
    )


def amounts(
    paid: NDArray[np.uint64], pair: NDArray[np.intp], table: RateTable
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Net and gross amounts received for ``paid`` (u64[K] < 2^62), base units.

    Raises
    ------
    ClearingRefused : ``VALUE_RANGE`` where a gross amount reaches 2^63.
    """
    shifts = split_shifts(table.shift.take(pair))
    net, _ = multiply_shift(paid, table.net.take(pair), shifts)
    gross, beyond = multiply_shift(paid, table.gross.take(pair), shifts)
    if beyond.any() or (gross > np.uint64(BALANCE_MAX)).any():
        raise ClearingRefused(ClearingCode.VALUE_RANGE, "received", "amounts below 2^63")
    return net, gross
