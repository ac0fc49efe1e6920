"""Demand curves of the directed pairs: how much is in the money at which price.

The price of a pair is s = u_receive - u_pay (bps): what its orders pay away from the reference.
An order is in the money while s is below its limit, so demand falls as s rises. The solver needs
three views of the same orders, from coarse to exact: a histogram of all of them
(:func:`histogram_curve`), the exact levels inside a window around a price (:func:`levels_in`), and
continuous curves through the middles of these levels (:func:`level_curve`). Newton's method walks
on the continuous ones; the exact search (``active_set``) works on the levels themselves.
Letters: ``docs/glossary.md``.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from convexfx_core.clearing.problem import F64, I64, Demand, Market, Mask

PERTURBATION_BPS: Final = 1e-8
"""Limits of pair p are lowered by (0.25 .. 1.25) times this. Limits that are consistent around a
cycle of pairs would pin dependent prices and make the system singular: with other amounts for each
pair they no longer are. It also keeps a partly filled order strictly inside its limit when prices
are rounded."""
HALF_LEVEL_BPS: Final = 0.25
"""Half width of the ramp by which a smooth curve leaves its first and last level."""
GOLDEN: Final = 0.6180339887498949
"""Fractional parts of its multiples are spread evenly, and no two pairs have the same."""
BINS: Final = 128
"""Bins of the histogram of limits: it has to find a neighbourhood only."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Exact demand inside a window, by directed pair in increasing order of index.

    Attributes
    ----------
    pair, pay, receive : i64[P] pairs with any volume.
    base : f64[P] volume above the window, $M.
    limit : f64[L] limits, decreasing inside a pair; bps.
    level : f64[L] the same, perturbed.
    volume : f64[L] $M.
    prefix : f64[L + 1] sums of volume.
    first, last : i64[P] range of levels of a pair.
    """

    pair: I64
    pay: I64
    receive: I64
    base: F64
    limit: F64
    level: F64
    volume: F64
    prefix: F64
    first: I64
    last: I64

    def filled(self, count: I64) -> F64:
        """Volume f64[P] when levels before ``count`` are full, $M."""
        out: F64 = self.base + self.prefix[count] - self.prefix[self.first]
        return out


class Curve(Protocol):
    """A continuous decreasing demand for every pair of ``pay`` and ``receive``."""

    @property
    def pay(self) -> I64:
        """Index of the paid asset, i64[P]."""

    @property
    def receive(self) -> I64:
        """Index of the received asset, i64[P]."""

    def evaluate(self, price: F64) -> tuple[F64, F64]:
        """Volume ($M) and minus its slope ($M per bps) at the pair prices ``price`` (bps)."""


@dataclass(frozen=True, slots=True)
class BinnedCurve:
    """Piecewise linear through the edges of equal bins over [-cap, cap].

    ``above`` f64[P, BINS + 1]: volume above each edge, increasing edges; ``base`` f64[P].
    """

    pay: I64
    receive: I64
    pair: I64
    base: F64
    above: F64
    cap: float
    has_orders: Mask

    def evaluate(self, price: F64) -> tuple[F64, F64]:
        """See :class:`Curve`."""
        width = 2.0 * self.cap / BINS
        # Just below BINS: a price at the upper end belongs to the last bin.
        place = np.clip((price + self.cap) / width, 0.0, BINS - 1e-9)
        bin_ = place.astype(np.int64)
        edge = np.arange(len(price)) * (BINS + 1) + bin_
        flat = self.above.ravel()
        left, right = flat[edge], flat[edge + 1]
        volume = self.base + left + (right - left) * (place - bin_)
        return volume, (left - right) / width


@dataclass(frozen=True, slots=True)
class KnotCurve:
    """Piecewise linear through knots that differ by pair.

    ``key`` increases over all knots (pair rank times ``span`` minus the knot's price), so that one
    binary search serves all pairs. A pair of m knots has m + 1 segments: after i knots in all, the
    segment of pair p is ``i + p``. It passes through (``x``, ``y``) with minus ``slope``.
    """

    pay: I64
    receive: I64
    key: F64
    rank: I64
    span: float
    x: F64
    y: F64
    slope: F64

    def evaluate(self, price: F64) -> tuple[F64, F64]:
        """See :class:`Curve`."""
        segment = self.key.searchsorted(self.rank * self.span - price) + self.rank
        slope = self.slope[segment]
        return self.y[segment] + slope * (self.x[segment] - price), slope


def perturbation_bps(pair: I64) -> F64:
    """How much the limits of each pair are lowered, a function of the pair's index alone."""
    out: F64 = PERTURBATION_BPS * (0.25 + np.modf(GOLDEN * (pair + 1))[0])
    return out


def histogram_curve(market: Market, volume: F64, base: F64) -> BinnedCurve:
    """Curve of all orders from their histogram.

    Parameters
    ----------
    volume : f64[n*n, BINS] size by directed pair and bin of the limit over [-cap, cap).
    base : f64[n*n] size of the orders at or above cap.
    """
    n = market.n
    binned: Mask = np.asarray(volume.any(axis=1))
    pair = np.flatnonzero(binned | (base > 0))
    above = np.zeros((len(pair), BINS + 1))
    above[:, :BINS] = np.cumsum(volume[pair][:, ::-1], axis=1)[:, ::-1]
    value = market.unit_value[pair // n]
    return BinnedCurve(
        pay=pair // n,
        receive=pair % n,
        pair=pair,
        base=base[pair] * value,
        above=above * value[:, None],
        cap=market.cap,
        has_orders=binned[pair],
    )


def levels_in(market: Market, demand: Demand, chosen: I64, base: F64) -> Levels:
    """Levels of the orders ``chosen`` (positions) over ``base`` (f64[n*n] size above them)."""
    n = market.n
    pair, limit = demand.pair[chosen], demand.limit[chosen]
    by_limit = (-limit).argsort()
    kind = np.uint16 if n <= 256 else np.int64
    # Sort by limit, then stably by pair. Keys of 16 bits make numpy take the radix sort.
    order = by_limit[pair[by_limit].astype(kind).argsort(kind="stable")]
    pair, limit = pair[order], limit[order]
    fresh = np.ones(len(pair), dtype=bool)  # where a level begins: orders of one limit share it
    fresh[1:] = (limit[1:] != limit[:-1]) | (pair[1:] != pair[:-1])
    start = fresh.nonzero()[0]
    size = demand.size[chosen][order]
    size = np.add.reduceat(size, start) if len(start) else size
    limit, pair = limit[start], pair[start]
    active = base > 0
    active[pair] = True
    pairs = active.nonzero()[0]
    count = np.bincount(pair, minlength=n * n)[pairs]
    last = count.cumsum()
    value = market.unit_value[pairs // n]
    volume = size * value.repeat(count)
    return Levels(
        pair=pairs,
        pay=pairs // n,
        receive=pairs % n,
        base=base[pairs] * value,
        limit=limit,
        level=limit - perturbation_bps(pairs).repeat(count),
        volume=volume,
        prefix=np.concatenate(([0.0], volume.cumsum())),
        first=last - count,
        last=last,
    )


def level_curve(levels: Levels, cap: float) -> KnotCurve:
    """Continuous curve through the middle of every level, with short ramps at both ends."""
    pairs = len(levels.pair)
    rank = np.arange(pairs)
    count = levels.last - levels.first
    knots = np.where(count > 0, count + 2, 0)  # the middles, and the far end of each ramp
    end = knots.cumsum()
    begin = end - knots
    some = count.nonzero()[0]
    first, last = levels.first[some], levels.last[some]
    inner = np.arange(len(levels.level)) + (begin - levels.first + 1).repeat(count)
    x, y = np.empty(end[-1] if pairs else 0), np.zeros(end[-1] if pairs else 0)
    start = levels.prefix[:-1] - levels.prefix[levels.first].repeat(count)
    x[inner], y[inner] = levels.level, start + 0.5 * levels.volume
    x[begin[some]] = levels.level[first] + HALF_LEVEL_BPS
    x[end[some] - 1] = levels.level[last - 1] - HALF_LEVEL_BPS
    y[end[some] - 1] = levels.prefix[last] - levels.prefix[first]
    y += levels.base.repeat(knots)
    # Knots and prices lie within cap + HALF_LEVEL_BPS of zero: keys of two pairs never mix.
    span = 8.0 * cap + 8.0 * HALF_LEVEL_BPS
    key = np.asarray(rank.repeat(knots) * span - x, dtype=np.float64)
    return _segments(levels, rank, knots, begin, key, span, x, y)


def _segments(
    levels: Levels, rank: I64, knots: I64, begin: I64, key: F64, span: float, x: F64, y: F64
) -> KnotCurve:
    """Lines between the knots: flat before the first and behind the last knot of each pair."""
    pairs, total = len(rank), len(x)
    sx, sy, slope = np.zeros(total + pairs), np.zeros(total + pairs), np.zeros(total + pairs)
    head = begin + rank
    sy[head] = levels.base
    after = np.arange(total) + rank.repeat(knots) + 1
    sx[after], sy[after] = x, y
    inside = np.ones(total, dtype=bool)
    inside[begin[knots > 0] + knots[knots > 0] - 1] = False
    left = inside.nonzero()[0]
    run = np.maximum(x[left] - x[left + 1], 1e-12)  # two levels a rounding apart: no division by 0
    slope[after[left]] = (y[left + 1] - y[left]) / run
    return KnotCurve(levels.pay, levels.receive, key, rank, span, sx, sy, slope)


def full_levels(levels: Levels, price: F64, cap: float) -> I64:
    """Index i64[P] of the first level that is not strictly above the pair's price (bps)."""
    rank = np.arange(len(price))
    span = 8.0 * cap
    key = rank.repeat(levels.last - levels.first) * span - levels.level
    count = np.minimum(np.maximum(key.searchsorted(rank * span - price), levels.first), levels.last)
    # Adding the rank rounds the keys, which can misplace a level by one: compare the levels.
    padded = np.append(levels.level, 0.0)
    count += (count < levels.last) & (padded[np.minimum(count, len(key))] > price)
    count -= (count > levels.first) & (padded[count - 1] <= price)
    return count
