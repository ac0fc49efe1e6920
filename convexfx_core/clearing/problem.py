"""From integers to the arrays of the float side.

:func:`pose` is the first step of a clearing: it reads the order rows once and makes a
:class:`Market` (everything but the orders) and a :class:`Demand` (the orders as columns).

Values are in millions of the numeraire at reference prices ("$M"). Prices are log deviations u
from the reference in basis points. A directed pair (i pays, j is received) has the index
``i * n + j``. Sizes are whole quanta whose sums a double holds exactly, so a sum does not depend
on the sequence of the orders. Formulation: ``docs/clearing.md``. Letters: ``docs/glossary.md``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns import multiply_shift, split_shifts
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.rates import every_rate, limit_rates
from convexfx_core.units import MILLION_EXPONENT, PPM, RISK_SHIFT

F64: TypeAlias = NDArray[np.float64]
I64: TypeAlias = NDArray[np.int64]
U64: TypeAlias = NDArray[np.uint64]
Mask: TypeAlias = NDArray[np.bool_]

BPS: Final = 1e-4
"""One basis point as a number."""
NO_LIMIT: Final = 1e-250
"""Rate that a market order asks for, in place of zero: its limit stays finite and is beyond every
band. Rates of prices that fit 128 bits are far above it."""
ALWAYS: Final = 1e7
"""Limit (bps) of an order that the worst prices inside the bands still fill: beyond every band."""
NEVER: Final = -np.inf
"""Limit of an order that takes no part."""
_EDGE_BPS: Final = 1e-3
"""Half width of the zone around a band's edge in which limits are compared as integers."""
_MANTISSA_BITS: Final = 53
"""Integers below 2^53 are exact in a double, and so are their sums below it."""
INVERSE_POWER: Final = np.ldexp(
    1.0, -np.clip(np.arange(1 << 16).astype(np.uint16).view(np.int16).astype(np.int64), -999, 999)
)
"""2^-e by the sixteen bits of a limit's exponent e. Lawful exponents are in [-192, 255]; the clip
only keeps the other entries of the table finite."""
U16: Final = np.uint64(0xFFFF)
BLOCK: Final = 1 << 14
"""Rows worked on at once: 128 KiB for each column of temporaries, which a core's cache holds."""
_ROW_WORDS, WORD_BUDGET, WORD_LIMIT, WORD_MIN_FILL, WORD_TAIL = 10, 5, 6, 7, 9
"""64-bit words of an order row; the last holds pay, receive, limit exponent and kinds."""


def grouped_sum(group: I64, weight: F64, groups: int) -> F64:
    """Sum of the weights of each group, f64[groups]."""
    return cast(F64, np.bincount(group, weight, groups))


def largest(values: F64) -> float:
    """Largest absolute value; 0 where there is none.

    It calls the ufunc itself: ``np.max`` takes longer to start than a small batch to reduce.
    """
    return float(np.maximum.reduce(np.abs(values), axis=None, initial=0.0))


def blocks(count: int) -> Iterator[slice]:
    """Slices of rows whose temporaries stay in the cache."""
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))


@dataclass(frozen=True, slots=True)
class Market:
    """Everything but the orders.

    Attributes
    ----------
    impact : (n, n) Gamma_eff, bps per $M, symmetric PSD, numeraire row and column zero.
    gap : (n,) inventory minus target, $M.
    band : (n,) largest absolute deviation, bps; 0 for the numeraire.
    unit_value : (n,) $M for one unit of an order's size, by pay asset.
    """

    impact: F64
    gap: F64
    band: F64
    unit_value: F64

    @property
    def n(self) -> int:
        """Number of assets."""
        return len(self.gap)

    @property
    def cap(self) -> float:
        """A limit at or above it (bps) is in the money at every price inside the bands.

        A pair's price is a difference of two deviations, hence twice the widest band. The margins
        cover rounding, and the 1.25e-8 bps by which limits are lowered (``curves``).
        """
        return 2.0 * float(self.band.max()) * (1.0 + 1e-9) + 1e-6


@dataclass(frozen=True, slots=True)
class Demand:
    """The orders, columnar.

    Attributes
    ----------
    pair : i64[K] directed pair index.
    limit : f64[K] all-in limit relative to the reference rate, bps; that of a market order is
        beyond every band.
    size : f64[K] in units of ``Market.unit_value``; integer-valued and summing exactly when it
        comes from a :class:`ClearingCase`.
    """

    pair: I64
    limit: F64
    size: F64

    def without(self, dead: Mask | I64) -> "Demand":
        """The same orders with those selected by ``dead`` taking no part."""
        limit = self.limit.copy()
        limit[dead] = NEVER
        return replace(self, limit=limit)


def value_per_unit(case: ClearingCase) -> F64:
    """$M for one base unit of each asset, (n,)."""
    million = 10.0 ** (MILLION_EXPONENT + case.params.decimals[0])
    return np.array([p / 2.0**64 / million for p in case.reference.pbar])


def market_of(case: ClearingCase, quantum: F64) -> Market:
    """Market of a case; ``quantum`` (n,) base units of each asset for one unit of size."""
    params, reference = case.params, case.reference
    million = 10 ** (MILLION_EXPONENT + params.decimals[0])
    scale = 1e4 * float(million)
    impact = np.array([[scale * (g / 2**RISK_SHIFT) for g in row] for row in params.risk])
    held = zip(case.inventory, params.target, reference.pbar, strict=True)
    gap = np.array([(q - t) * p / (million << 64) for q, t, p in held])
    band = np.array(params.band, dtype=np.float64) * 1e-6
    band[0] = 0.0
    return Market(impact, gap, band, value_per_unit(case) * quantum)


@dataclass(frozen=True, slots=True)
class Problem:
    """A case with its float view.

    Attributes
    ----------
    case : the integers.
    market, demand : the same in floats.
    quantum : (n,) base units of the pay asset for one unit of an order's size.
    budget, min_fill : u64[K] base units of the pay asset.
    """

    case: ClearingCase
    market: Market
    demand: Demand
    quantum: F64
    budget: U64
    min_fill: U64


@dataclass(frozen=True, slots=True)
class Columns:
    """What the solver reads of the orders: directed pair, limit in bps, base units.

    ``coarse`` f64[n]: sums of ``budget >> coarse_shift(K)`` by pay asset, exact.
    """

    pair: I64
    limit: F64
    budget: U64
    min_fill: U64
    coarse: F64


RowReader: TypeAlias = Callable[[U64, F64, int], Columns]
"""Columns of rows, given as words u64[K, 10], the net reference rates f64[n*n], and n."""


def read_rows(words: U64, net: F64, n: int) -> Columns:
    """Columns of order rows.

    Limits are all in: fee included, relative to the net reference rate. An order must also receive
    at least one base unit; this is a limit on the rate as well, and a market order has no other.
    Source: ``docs/spec.md`` section 7, "limit of an order".
    """
    count, steps = len(words), coarse_shift(len(words))
    pair, limit = np.empty(count, dtype=np.int64), np.empty(count)
    budget, coarse = np.empty(count, dtype=np.uint64), np.zeros(n)
    for some in blocks(count):
        block = words[some]
        tail = block[:, WORD_TAIL].copy()
        pay = tail & U16
        budget[some] = block[:, WORD_BUDGET]
        size = budget[some].view(np.int64)
        coarse += grouped_sum(pay.view(np.int64), (size >> steps).astype(np.float64), n)
        own = pay * np.uint64(n) + ((tail >> np.uint64(16)) & U16)
        pair[some] = own
        exponent = (tail >> np.uint64(32)) & U16
        asked = block[:, WORD_LIMIT].view(np.int64).astype(np.float64)
        asked *= INVERSE_POWER.take(exponent.view(np.int64))
        np.maximum(asked, NO_LIMIT, out=asked)
        rate = net.take(own.view(np.int64))
        np.divide(rate, asked, out=asked)
        rate *= size  # base units received for the whole budget: one is the least
        np.minimum(rate, asked, out=limit[some])
    np.log(limit, out=limit)
    limit *= 1e4
    return Columns(pair, limit, budget, words[:, WORD_MIN_FILL], coarse)


def pose(case: ClearingCase, read: RowReader = read_rows) -> Problem:
    """Float view of a case. Cost: one pass over the rows, a few over the columns."""
    n = case.params.n
    price = np.array(case.reference.pbar, dtype=np.float64)
    keep = (PPM - np.array(case.params.fee_ppm, dtype=np.float64)) / PPM
    net = (price[:, None] / price[None, :] * keep).ravel()
    words = np.ascontiguousarray(case.orders).view(np.dtype("<u8")).reshape(-1, _ROW_WORDS)
    columns = read(words, net, n)
    size, quantum = quantised_sizes(columns.budget, columns.pair, columns.coarse)
    market = market_of(case, quantum)
    columns.limit[always_in(case, market, columns)] = ALWAYS
    demand = Demand(columns.pair, columns.limit, size)
    return Problem(case, market, demand, quantum, columns.budget, columns.min_fill)


def always_in(case: ClearingCase, market: Market, columns: Columns) -> I64:
    """Positions of the orders whose limit is met, exactly, by the worst rate inside the bands.

    With a level of its own at the band's edge such an order would be filled in part or not at all
    there, and L4 asks for the whole of it. Only orders near the edge have to be looked at. One that
    is dust at the edge keeps its level.
    """
    limit, reference = columns.limit, case.reference
    unit = np.array([2e4 / float(price) for price in reference.plo])
    edge = (market.band[:, None] + market.band).ravel()
    width = _EDGE_BPS + (unit[:, None] + unit).ravel()
    near: I64 = np.flatnonzero((limit >= (edge - width).min()) & (limit <= (edge + width).max()))
    pair = columns.pair[near]
    near = near[np.abs(limit[near] - edge[pair]) <= width[pair]]
    if not len(near):
        return near
    table, pair = every_rate(case, reference.pbar), columns.pair[near]
    worst, shifts = table.worst[pair], split_shifts(table.shift.clip(0)).take(pair)
    low, high = multiply_shift(columns.budget[near], worst, shifts)
    met = limit_rates(case.orders[near], pair, table) <= worst
    found: I64 = near[met & ((low > 0) | (high > 0))]
    return found


def coarse_shift(count: int) -> int:
    """Bits to drop of each of ``count`` budgets (below 2^62) so that a double holds their sum."""
    return count.bit_length() + 62 - _MANTISSA_BITS


def quantised_sizes(budget: U64, pair: I64, coarse: F64) -> tuple[F64, F64]:
    """Sizes f64[K] whose sums by pay asset are exact, and their quantum (n,) in base units.

    The quantum is one base unit unless the budgets of the asset may sum to 2^53 or more, by their
    coarse sums (see :class:`Columns`). Source: ``docs/spec.md`` section 7, "size".
    """
    n, count, steps = len(coarse), len(budget), coarse_shift(len(budget))
    # Each of the coarse budgets lost less than one step: ``count`` of them make an upper bound.
    bits = [((int(s) + count) << steps).bit_length() for s in coarse.tolist()]
    shift = np.array([max(0, b - _MANTISSA_BITS) for b in bits])
    size = budget.view(np.int64).astype(np.float64)
    if shift.any():
        size *= np.ldexp(1.0, -shift)[pair // n]
        size = np.maximum(np.rint(size), 1.0)  # no order vanishes
    return size, np.ldexp(1.0, shift)
