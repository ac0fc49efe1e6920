"""What the laws see of a chunk of orders at once: the columnar twin of ``facts``."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from convexfx_core.laws.facts import Tables
from convexfx_core.rates import RateTable, limit_rates
from convexfx_core.wide import CHUNK, Shifts, multiply_shift, split_shifts

U64: TypeAlias = NDArray[np.uint64]
Mask: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PairColumns:
    """Tables of all pairs, flat at pay * n + receive: rates, shifts and cuts of the ration."""

    rates: RateTable
    shifts: Shifts
    cut: U64


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a column of pay amounts receives: net and gross, and the bits of gross from 64 on."""

    net: U64
    gross: U64
    beyond: U64


@dataclass(frozen=True, slots=True)
class Columns:
    """At most ``wide.CHUNK`` orders with their claims; see :class:`facts.OrderFacts`.

    ``wanted`` and ``filled`` say what ``want`` and ``paid`` receive; without rationing they are
    one object. ``idle`` are the rows in the money whose want leaves some of the budget, neither
    dust nor rejected.
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
    idle: Rows


def pair_columns(tables: Tables) -> PairColumns:
    """Flat tables for :func:`columns`."""
    n = tables.case.params.n
    cut = np.zeros(n * n, dtype=np.uint64)
    for (pay, receive), h in tables.cuts.items():
        cut[pay * n + receive] = h
    return PairColumns(tables.rates, split_shifts(tables.rates.shift), cut)


def columns(tables: Tables, pairs: PairColumns, start: int) -> Columns:
    """Orders from position ``start`` on, at most one chunk of them."""
    rows, claims = slice(start, start + CHUNK), tables.claims
    orders, paid = tables.case.orders[rows], claims.paid[rows]
    pay, receive = orders["pay"].astype(np.intp), orders["receive"].astype(np.intp)
    pair = pay * tables.case.params.n + receive
    shifts = pairs.shifts.take(pair)
    net, gross = pairs.rates.net.take(pair), pairs.rates.gross.take(pair)
    limit = limit_rates(orders, pair, pairs.rates)
    filled = wanted = _amounts(paid, net, gross, shifts)
    want, budget = paid, np.ascontiguousarray(orders["budget"])
    if claims.ration is not None:
        want = claims.ration.demanded[rows]
        wanted = _amounts(want, net, gross, shifts)
    idle = np.flatnonzero((want < budget) & (net > limit))
    idle = idle[_kept(claims.rejected, start, idle)]
    worth = multiply_shift(budget[idle], net[idle], shifts.take(idle))
    return Columns(
        pay=pay,
        receive=receive,
        pair=pair,
        shifts=shifts,
        budget=budget,
        min_fill=orders["min_fill"],
        net_rate=net,
        limit=limit,
        want=want,
        paid=paid,
        received=claims.received[rows],
        fee=claims.fee[rows],
        wanted=wanted,
        filled=filled,
        cut=pairs.cut.take(pair) if claims.ration is not None else None,
        idle=idle[(worth[0] > 0) | (worth[1] > 0)],
    )


def _amounts(paid: U64, net: U64, gross: U64, shifts: Shifts) -> Amounts:
    low, _ = multiply_shift(paid, net, shifts)
    return Amounts(low, *multiply_shift(paid, gross, shifts))


def _kept(rejected: NDArray[np.int64], start: int, rows: Rows) -> Mask:
    """Which of ``rows``, counted from ``start``, are not among the rejected positions."""
    if not rejected.size:
        return np.ones(rows.size, dtype=np.bool_)
    at = np.minimum(np.searchsorted(rejected, rows + start), rejected.size - 1)
    kept: Mask = rejected[at] != rows + start
    return kept
