"""From integers to the arrays of the float side.

Units of the float side: values in millions of the numeraire at reference prices ("$M"), prices as
log deviation from the reference in basis points. A directed pair (i pays, j is received) has the
index ``i * n + j``. Formulation: ``docs/spec.md`` section Clearing; perturbation and quantised
sizes are what makes every sum exact and therefore independent of the sequence of the orders.
"""

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convexfx_core.case import LIMIT_LIMIT, ClearingCase
from convexfx_core.units import MILLION_EXPONENT, PPM, RISK_SHIFT

F64: TypeAlias = NDArray[np.float64]
I64: TypeAlias = NDArray[np.int64]
U64: TypeAlias = NDArray[np.uint64]
Mask: TypeAlias = NDArray[np.bool_]

BPS: Final = 1e-4
"""One basis point as a number."""
NEVER: Final = -np.inf
"""Limit of an order that takes no part."""
_MANTISSA_BITS: Final = 53
_POWERS_OF_TWO: Final = np.ldexp(1.0, np.arange(-1022, 1023))


def grouped_sum(group: I64, weight: F64, groups: int) -> F64:
    """Sum of the weights of each group, f64[groups]."""
    return np.asarray(np.bincount(group, weight, minlength=groups), dtype=np.float64)


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
        """A limit at or above it (bps) is in the money at every price inside the bands."""
        return 2.0 * float(self.band.max()) * (1.0 + 1e-9) + 1e-6


@dataclass(frozen=True, slots=True)
class Demand:
    """The orders, columnar.

    Attributes
    ----------
    pair : i64[K] directed pair index.
    limit : f64[K] all-in limit relative to the reference rate, bps; +inf is a market order.
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
    """

    case: ClearingCase
    market: Market
    demand: Demand
    quantum: F64


def pose(case: ClearingCase) -> Problem:
    """Float view of a case. Cost: a few passes over the orders, columnar."""
    orders, n = case.orders, case.params.n
    pay = orders["pay"].astype(np.int64)
    pair = pay * n + orders["receive"].astype(np.int64)
    budget = np.ascontiguousarray(orders["budget"])
    size, quantum = quantised_sizes(budget, pay, n)
    demand = Demand(pair, limits_bps(case, pair, budget), size)
    return Problem(case, market_of(case, quantum), demand, quantum)


def quantised_sizes(budget: U64, pay: I64, n: int) -> tuple[F64, F64]:
    """Sizes f64[K] whose sums by pay asset are exact, and their quantum (n,) in base units.

    The quantum is one base unit unless the budgets of the asset may sum to 2^53 or more.
    """
    coarse = len(budget).bit_length() + 62 - _MANTISSA_BITS
    high = (budget >> np.uint64(coarse)).astype(np.float64)
    sums = grouped_sum(pay, high, n)
    counts = np.bincount(pay, minlength=n)
    bits = [((int(s) + int(c)) << coarse).bit_length() for s, c in zip(sums, counts, strict=True)]
    shift = np.array([max(0, b - _MANTISSA_BITS) for b in bits], dtype=np.uint64)
    quantum = np.ldexp(1.0, shift.astype(np.int64))
    if not shift.any():
        return budget.astype(np.float64), quantum
    by_order = shift[pay]
    half = (np.uint64(1) << by_order) >> np.uint64(1)
    return np.maximum((budget + half) >> by_order, np.uint64(1)).astype(np.float64), quantum


def limits_bps(case: ClearingCase, pair: I64, budget: U64) -> F64:
    """All-in limits f64[K] relative to the reference rate net of the fee, bps.

    To receive at least one base unit is a limit on the rate as well: it holds where it is tighter.
    """
    orders, reference = case.orders, case.reference
    price = np.array(reference.pbar, dtype=np.float64)
    keep = (PPM - np.array(case.params.fee_ppm, dtype=np.float64)) / PPM
    net = (price[:, None] / price[None, :] * keep).ravel()
    least = orders["limit_m"].astype(np.float64)
    least *= _POWERS_OF_TWO[1022 - orders["limit_e"].astype(np.int64)]
    limited = orders["limit_kind"] == LIMIT_LIMIT
    least[~limited] = 1.0
    net_by_order = net[pair]
    limit: F64 = np.log(net_by_order / least) * 1e4
    limit[~limited] = np.inf
    tiny = np.flatnonzero(budget < 2.0 / net.min())
    one_unit = np.log(net_by_order[tiny] * budget[tiny]) * 1e4
    limit[tiny] = np.minimum(limit[tiny], one_unit)
    return limit
