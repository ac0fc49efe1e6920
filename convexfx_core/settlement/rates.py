"""Rates of directed pairs, one by one and as tables: S, R, Rn and l.

A rate says how many base units of one asset a base unit of the other buys at the clearing prices. R
is the gross rate, Rn the rate net of fee, l the least net rate that an order accepts; all three are
integers at scale 2^S, with S chosen so that R has 61 to 63 bits. Settlement, the laws and the
rounding of the float side read them here. Source: ``docs/spec.md`` section 7. Letters:
``docs/glossary.md``.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns import CHUNK
from convexfx_core.errors import ClearingCode, ClearingRefused
from convexfx_core.limits import RATE_SHIFT_MAX
from convexfx_core.orders.row_words import ONE, SHORT, OrderWords, order_words, read_words
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.units import LIMIT_UNREACHABLE, PPM, gross_rate, net_rate, rate_shift

SIGN, LAST = np.uint64(0x8000), np.uint64(63)
"""The sign bit of a 16-bit exponent, and the longest shift of a word."""
RATE_MIN: Final = 1 << 60
"""S puts Pbar_i / Pbar_j at [2^61, 2^62); bands narrower than 1/32 keep R in [2^60, 2^63)."""
RATE_MAX: Final = (1 << 63) - 1
Integers: TypeAlias = NDArray[np.object_]
"""Columns of Python integers: exact at any width, and quicker than a loop."""


class PairRate(NamedTuple):
    """Rates of one directed pair at scale 2^shift.

    ``gross`` R, ``net`` Rn, ``worst`` Rm: the net rate at the worst prices inside the bands, the
    limit of a market order.
    """

    shift: int
    gross: int
    net: int
    worst: int

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
    floor = gross_rate(reference.plo[pay], reference.phi[receive], shift)
    return PairRate(shift, gross, net_rate(gross, fee), net_rate(floor, fee))


@dataclass(frozen=True, slots=True)
class RateTable:
    """Rates of all pairs, flat at pay * n + receive; zero for pairs that are not ``valid``.

    Attributes
    ----------
    shift : i64[n * n] shifts S.
    gross, net, worst : u64[n * n] rates R, Rn and Rm at scale 2^S.
    valid : bool[n * n], pairs of two assets whose rates are in range.
    used : bool[n * n], pairs that the orders trade, where the table was asked for them.
    """

    shift: NDArray[np.int64]
    gross: NDArray[np.uint64]
    net: NDArray[np.uint64]
    worst: NDArray[np.uint64]
    valid: NDArray[np.bool_]
    used: NDArray[np.bool_]

    def at(self, pair: int) -> PairRate:
        """Rates of the pair with this flat index."""
        columns = (self.shift, self.gross, self.net, self.worst)
        return PairRate(*(int(column[pair]) for column in columns))


def used_pairs(case: ClearingCase) -> list[tuple[int, int]]:
    """Directed pairs (pay, receive) of the orders, increasing."""
    n, pay, receive = case.params.n, case.orders["pay"], case.orders["receive"]
    used = np.zeros(n * n, dtype=np.bool_)
    for start in range(0, len(pay), CHUNK):
        rows = slice(start, start + CHUNK)
        used[pay[rows].astype(np.intp) * n + receive[rows]] = True
    return [divmod(int(pair), n) for pair in np.flatnonzero(used)]


def rate_table(case: ClearingCase, prices: tuple[int, ...]) -> RateTable:
    """Rates of every pair, those that the orders use in range.

    Raises
    ------
    ClearingRefused : ``VALUE_RANGE`` where a used pair leaves the range of 64-bit rates.
    """
    table, pairs = every_rate(case, prices), used_pairs(case)
    for pay, receive in pairs:
        refuse_invalid(table, case, prices, pay, receive)
    table.used[[pay * case.params.n + receive for pay, receive in pairs]] = True
    return table


def refuse_invalid(
    table: RateTable, case: ClearingCase, prices: tuple[int, ...], pay: int, receive: int
) -> None:
    """Raise ``VALUE_RANGE`` with the numbers of a pair that the table calls invalid."""
    if table.valid[pay * case.params.n + receive]:
        return
    rate = pair_rate(case, prices, pay, receive)
    raise ClearingRefused(
        ClearingCode.VALUE_RANGE,
        f"rate of pair {pay}/{receive}",
        "shift in [0, 126] and rate in [2^60, 2^63)",
        f"shift {rate.shift}, rate {rate.gross}",
    )


def every_rate(case: ClearingCase, prices: tuple[int, ...]) -> RateTable:
    """Rates of every pair, used or not: the columnar twin of :func:`pair_rate`."""
    n, reference = case.params.n, case.reference
    shift = _shifts(reference.pbar)
    valid = (shift >= 0) & (shift <= RATE_SHIFT_MAX) & ~np.eye(n, dtype=np.bool_).reshape(-1)
    scale, keep = shift[valid].astype(object), _kept_ppm(case)[valid]
    gross = _crossed(prices, prices, valid, scale)
    floor = _crossed(reference.plo, reference.phi, valid, scale)
    fits = ((gross >= RATE_MIN) & (gross <= RATE_MAX)).astype(np.bool_)
    valid[valid] = fits
    keep, own, least = keep[fits], gross[fits].astype(np.uint64), floor[fits].astype(np.uint64)
    return RateTable(
        shift,
        _spread(own, valid),
        _spread(_net(own, keep), valid),
        _spread(_net(least, keep), valid),
        valid,
        np.zeros(n * n, dtype=np.bool_),
    )


def _net(rate: NDArray[np.uint64], keep: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """floor(rate keep / 10^6) of rates below 2^63, in 64 bits.

    The product itself has 83 bits; quotient and rest times ``keep`` (at most 10^6) fit.
    """
    whole, rest = np.divmod(rate, np.uint64(PPM))
    net: NDArray[np.uint64] = whole * keep + rest * keep // np.uint64(PPM)
    return net


def _spread(rates: NDArray[np.uint64], valid: NDArray[np.bool_]) -> NDArray[np.uint64]:
    column = np.zeros(len(valid), dtype=np.uint64)
    column[valid] = rates
    return column


def _shifts(pbar: tuple[int, ...]) -> NDArray[np.int64]:
    """S of all pairs: 62 - e, where e compares the bit lengths and then the leading bits."""
    bits = np.array([price.bit_length() for price in pbar], dtype=np.int64)
    # Prices may be wider than a word: compare their ranks once all are of one length.
    width = int(bits.max())
    leading = [price << (width - price.bit_length()) for price in pbar]
    places = {value: place for place, value in enumerate(sorted(set(leading)))}
    rank = np.array([places[value] for value in leading])
    above = rank[:, None] >= rank[None, :]
    shift: NDArray[np.int64] = 62 - (bits[:, None] - bits[None, :] + above).reshape(-1)
    return shift


def _kept_ppm(case: ClearingCase) -> NDArray[np.uint64]:
    return np.uint64(PPM) - np.array(case.params.fee_ppm, dtype=np.uint64).reshape(-1)


def _crossed(
    pays: tuple[int, ...], receives: tuple[int, ...], pairs: NDArray[np.bool_], scale: Integers
) -> Integers:
    """floor(pay price 2^S / receive price) of the chosen pairs."""
    n = len(pays)
    pay = np.repeat(np.array(pays, dtype=object), n)[pairs]
    receive = np.tile(np.array(receives, dtype=object), n)[pairs]
    crossed: Integers = (pay << scale) // receive
    return crossed


def limit_rates(
    orders: NDArray[np.void], pair: NDArray[np.intp], table: RateTable
) -> NDArray[np.uint64]:
    """Least net rate l of every order, u64, scale 2^S of its ``pair``."""
    rows, shift = read_words(order_words(orders)), table.shift.take(pair).astype(np.uint64)
    return limits_of(rows, shift, table.worst.take(pair))


def limits_of(
    rows: OrderWords, shift: NDArray[np.uint64], worst: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """As :func:`limit_rates`, with S (modulo 2^64) and Rm of each row's pair.

    Columnar twin of ``units.limit_rate``: ``ceil(m / 2^s) = ((m - 1) >> s) + 1`` for m >= 1, which
    is 1 from s = 63 on. The exponent's sixteen bits are compared with S with 2^15 added to both.
    """
    base = shift + SIGN
    steps = rows.exponent + SIGN
    steps &= SHORT
    beyond = steps < base
    steps -= base
    np.minimum(steps, LAST, out=steps)
    rate = rows.mantissa - ONE
    rate >>= steps
    rate += ONE
    if beyond.any():
        rate[beyond] = LIMIT_UNREACHABLE
    free = rows.limited.astype(np.uint64)  # 1 for a limit, which becomes 0; else all ones
    free -= ONE
    rate ^= (rate ^ worst) & free
    return rate
