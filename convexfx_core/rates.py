"""Rates of directed pairs, one by one and as tables (``docs/spec.md`` section 7: S, R, Rn, l)."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convexfx_core.case import LIMIT_MARKET, ClearingCase
from convexfx_core.errors import ClearingCode, ClearingRefused
from convexfx_core.limits import RATE_SHIFT_MAX
from convexfx_core.units import LIMIT_UNREACHABLE, gross_rate, net_rate, rate_shift
from convexfx_core.wide import CHUNK

RATE_MIN: Final = 1 << 60
RATE_MAX: Final = (1 << 63) - 1


class PairRate(NamedTuple):
    """Rates of one directed pair at scale 2^shift.

    ``gross`` R, ``net`` Rn, ``market`` the protective limit of a market order.
    """

    shift: int
    gross: int
    net: int
    market: int

    def in_range(self) -> bool:
        """Whether 64-bit rates and 128-bit products hold this pair."""
        return 0 <= self.shift <= RATE_SHIFT_MAX and RATE_MIN <= self.gross <= RATE_MAX


def pair_rate(case: ClearingCase, prices: tuple[int, ...], pay: int, receive: int) -> PairRate:
    """Rates of ``pay`` against ``receive`` at ``prices`` (n, scale 2^64, each >= 1).

    A shift outside [0, 126] yields rates of zero; see :meth:`PairRate.in_range`.
    """
    reference, fee = case.reference, case.params.fee_ppm[pay][receive]
    shift = rate_shift(reference.pbar[pay], reference.pbar[receive])
    if not 0 <= shift <= RATE_SHIFT_MAX:
        return PairRate(shift, 0, 0, 0)
    gross = gross_rate(prices[pay], prices[receive], shift)
    worst = gross_rate(reference.plo[pay], reference.phi[receive], shift)
    return PairRate(shift, gross, net_rate(gross, fee), net_rate(worst, fee))


def used_pairs(case: ClearingCase) -> list[tuple[int, int]]:
    """Directed pairs (pay, receive) of the orders, increasing."""
    n, pay, receive = case.params.n, case.orders["pay"], case.orders["receive"]
    used = np.zeros(n * n, dtype=np.bool_)
    for start in range(0, len(pay), CHUNK):
        rows = slice(start, start + CHUNK)
        used[pay[rows].astype(np.intp) * n + receive[rows]] = True
    return [divmod(int(pair), n) for pair in np.flatnonzero(used)]


@dataclass(frozen=True, slots=True)
class RateTable:
    """Rates of all used pairs, flat at pay * n + receive; zero where no order trades.

    Attributes
    ----------
    shift : i64[n * n] shifts S.
    gross, net, market : u64[n * n] rates at scale 2^S.
    by_pair : the same as Python integers, by (pay, receive), increasing.
    """

    shift: NDArray[np.int64]
    gross: NDArray[np.uint64]
    net: NDArray[np.uint64]
    market: NDArray[np.uint64]
    by_pair: dict[tuple[int, int], PairRate]


def rate_table(case: ClearingCase, prices: tuple[int, ...]) -> RateTable:
    """Rates of every pair that the orders use.

    Raises
    ------
    ClearingRefused : ``VALUE_RANGE`` where a used pair leaves the range of 64-bit rates.
    """
    n, by_pair = case.params.n, dict[tuple[int, int], PairRate]()
    for pay, receive in used_pairs(case):
        rate = pair_rate(case, prices, pay, receive)
        if not rate.in_range():
            raise ClearingRefused(
                ClearingCode.VALUE_RANGE,
                f"rate of pair {pay}/{receive}",
                "shift in [0, 126] and rate in [2^60, 2^63)",
                f"shift {rate.shift}, rate {rate.gross}",
            )
        by_pair[pay, receive] = rate
    at = [pay * n + receive for pay, receive in by_pair]
    shift = np.zeros(n * n, dtype=np.int64)
    shift[at] = [rate.shift for rate in by_pair.values()]
    gross, net, market = (np.zeros(n * n, dtype=np.uint64) for _ in range(3))
    for column, name in ((gross, "gross"), (net, "net"), (market, "market")):
        column[at] = np.array([getattr(rate, name) for rate in by_pair.values()], dtype=np.uint64)
    return RateTable(shift, gross, net, market, by_pair)


def limit_rates(
    orders: NDArray[np.void], pair: NDArray[np.intp], table: RateTable
) -> NDArray[np.uint64]:
    """Least net rate l of every order, u64, scale 2^S of its ``pair``; columnar twin of ``units``.

    ``ceil(m / 2^s) = ((m - 1) >> s) + 1`` for m >= 1, which is 1 from s = 63 on.
    """
    distance = orders["limit_e"] - table.shift.take(pair)
    mantissa = orders["limit_m"] - np.uint64(1)
    rate = (mantissa >> np.clip(distance, 0, 63).astype(np.uint64)) + np.uint64(1)
    np.putmask(rate, distance < 0, np.uint64(LIMIT_UNREACHABLE))
    market = orders["limit_kind"] == LIMIT_MARKET
    np.copyto(rate, table.market.take(pair), where=market)
    return rate
