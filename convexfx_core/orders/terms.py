"""Order terms: the 72 bytes that a wallet signs in ``auxiliary``.

An allowance says what may be taken; the terms say for what: the asset to receive, the limit as a
mantissa and an exponent, the minimum fill, the last epoch. Source: ``docs/spec.md`` section 2.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Self

from convexfx_core.encoding.canonical import Reader, Writer
from convexfx_core.errors import CodecError, RejectCode, RejectedOrder
from convexfx_core.limits import LIMIT_EXPONENT_MAX, LIMIT_EXPONENT_MIN
from convexfx_core.orders.row import (
    KIND_CANCEL,
    KIND_ORDER,
    KIND_PAYOUT,
    LIMIT_LIMIT,
    LIMIT_MARKET,
    MANTISSA_MAX,
    MANTISSA_MIN,
    NO_ASSET,
)
from convexfx_core.units import ceil_div

TERMS_VERSION: Final = 1
TERMS_BYTES: Final = 72
NO_ORDER: Final = bytes(32)
_RATIO_DIGITS_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order, cancel or payout says beyond delta's allowance.

    Attributes
    ----------
    kind : 1 order, 2 cancel, 3 payout.
    receive : registry index of the received asset; 65535 for cancel and payout.
    limit_kind : 0 market, 1 limit.
    limit_e, limit_m : least net rate m / 2^e, base units received per base unit paid; 0 for market.
    min_fill : base units of the pay asset, at most the budget.
    valid_until : last epoch that may clear the order; 0: only the epoch that seals it.
    pays : order id that a payout pays, else 32 zero bytes.
    """

    kind: int
    receive: int
    limit_kind: int = LIMIT_MARKET
    limit_e: int = 0
    limit_m: int = 0
    min_fill: int = 0
    valid_until: int = 0
    pays: bytes = NO_ORDER

    def to_bytes(self) -> bytes:
        """The 72 bytes; :class:`CodecError` if a field does not fit its width."""
        writer = Writer().u32(TERMS_VERSION)
        writer.u16(self.kind, "kind").u16(self.receive, "receive")
        writer.u16(self.limit_kind, "limit kind").i16(self.limit_e, "limit exponent").u32(0)
        writer.u64(self.limit_m, "limit mantissa").u64(self.min_fill, "min_fill")
        writer.u64(self.valid_until, "valid_until_epoch")
        return writer.fixed(self.pays, 32, "pays").getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode and check :meth:`check`; :class:`RejectedOrder` TERMS or LIMIT_RANGE otherwise."""
        if len(data) != TERMS_BYTES:
            raise _bad_terms("auxiliary", f"{TERMS_BYTES} bytes", len(data))
        reader = Reader(data, "terms")
        try:
            if (version := reader.u32("version")) != TERMS_VERSION:
                raise _bad_terms("terms version", str(TERMS_VERSION), version)
            kind, receive, limit_kind = reader.u16(), reader.u16(), reader.u16()
            limit_e = reader.i16()
            reader.zeros(4)
            limit_m, min_fill, valid_until = reader.u64(), reader.u64(), reader.u64()
            terms = cls(
                kind, receive, limit_kind, limit_e, limit_m, min_fill, valid_until, reader.fixed(32)
            )
        except CodecError as error:
            raise _bad_terms(error.field, error.expected, error.observed) from None
        terms.check()
        return terms

    def check(self) -> None:
        """Rules that need neither registry nor budget; TERMS or LIMIT_RANGE otherwise."""
        if self.kind not in (KIND_ORDER, KIND_CANCEL, KIND_PAYOUT):
            raise _bad_terms("kind", "1 order, 2 cancel or 3 payout", self.kind)
        if (self.kind == KIND_PAYOUT) != any(self.pays):
            raise _bad_terms("pays", "an order id exactly in a payout", self.pays.hex())
        if self.kind != KIND_ORDER:
            if self.receive != NO_ASSET or self.limit_kind or self.min_fill:
                raise _bad_terms("terms", "no receive asset, limit or min_fill", self.kind)
        elif self.limit_kind not in (LIMIT_MARKET, LIMIT_LIMIT):
            raise _bad_terms("limit kind", "0 market or 1 limit", self.limit_kind)
        if self.limit_kind == LIMIT_LIMIT:
            check_limit(self.limit_e, self.limit_m)
        elif self.limit_e or self.limit_m:
            raise _bad_terms("limit", "zero without a limit", (self.limit_e, self.limit_m))


def order_terms(
    receive: int,
    limit: tuple[int, int] | None,
    min_fill: int = 0,
    valid_until: int = 0,
) -> Terms:
    """Terms of an order; ``limit`` is (e, m), or None for a market order."""
    kind, (limit_e, limit_m) = (LIMIT_MARKET, (0, 0)) if limit is None else (LIMIT_LIMIT, limit)
    return Terms(KIND_ORDER, receive, kind, limit_e, limit_m, min_fill, valid_until)


def cancel_terms(valid_until: int = 0) -> Terms:
    """Terms of a cancel."""
    return Terms(KIND_CANCEL, NO_ASSET, valid_until=valid_until)


def payout_terms(order_id: bytes) -> Terms:
    """Terms of the pool's payout for ``order_id`` (32 bytes)."""
    return Terms(KIND_PAYOUT, NO_ASSET, pays=order_id)


def check_limit(limit_e: int, limit_m: int) -> None:
    """Refuse (LIMIT_RANGE) a mantissa outside [2^62, 2^63) or an exponent outside [-192, 255]."""
    if not MANTISSA_MIN <= limit_m <= MANTISSA_MAX:
        raise _bad_limit("a mantissa in [2^62, 2^63)", limit_m)
    if not LIMIT_EXPONENT_MIN <= limit_e <= LIMIT_EXPONENT_MAX:
        expected = f"an exponent in [{LIMIT_EXPONENT_MIN}, {LIMIT_EXPONENT_MAX}]"
        raise _bad_limit(expected, limit_e)


def limit_from_ratio(
    ratio: Decimal | Fraction, decimals_pay: int, decimals_receive: int
) -> tuple[int, int]:
    """Least (e, m) with ``m / 2^e >= 10^(d_receive - d_pay) / ratio``, exactly.

    Parameters
    ----------
    ratio : the most that the order pays, units of pay for one unit of receive, fee included.
    decimals_pay, decimals_receive : decimals of both assets.

    Raises
    ------
    RejectedOrder : LIMIT_RANGE for a ratio that is not positive or that no (e, m) expresses.
    """
    exact = _exact(ratio)
    least = Fraction(10) ** (decimals_receive - decimals_pay) / exact
    limit_e = 62 - _log2_floor(least)
    limit_m = _scaled_ceiling(least, limit_e)
    if limit_m > MANTISSA_MAX:
        limit_e, limit_m = limit_e - 1, MANTISSA_MIN
    check_limit(limit_e, limit_m)
    return limit_e, limit_m


def min_fill_atoms(fraction: Decimal | Fraction, budget: int) -> int:
    """``ceil(fraction * budget)``; MIN_FILL_RANGE unless ``fraction`` lies in [0, 1]."""
    small = isinstance(fraction, Decimal) and fraction.is_finite() and fraction.adjusted() < -100
    inside = fraction.is_finite() if isinstance(fraction, Decimal) else True
    if not inside or not 0 <= fraction <= 1:
        raise RejectedOrder(
            RejectCode.MIN_FILL_RANGE, "min_fill_fraction", "a number in [0, 1]", str(fraction)
        )
    if small:
        return int(bool(fraction) and budget > 0)
    exact = Fraction(fraction)
    return ceil_div(exact.numerator * budget, exact.denominator)


def _exact(ratio: Decimal | Fraction) -> Fraction:
    if isinstance(ratio, Decimal) and (
        not ratio.is_finite() or abs(ratio.adjusted()) > _RATIO_DIGITS_MAX
    ):
        raise _bad_limit("a positive ratio", str(ratio))
    exact = Fraction(ratio)
    if exact <= 0:
        raise _bad_limit("a positive ratio", str(ratio))
    return exact


def _log2_floor(value: Fraction) -> int:
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    low = Fraction(2) ** exponent
    return exponent if low <= value else exponent - 1


def _scaled_ceiling(value: Fraction, exponent: int) -> int:
    if exponent >= 0:
        return ceil_div(value.numerator << exponent, value.denominator)
    return ceil_div(value.numerator, value.denominator << -exponent)


def _bad_terms(field: str, expected: str, observed: object) -> RejectedOrder:
    return RejectedOrder(RejectCode.TERMS, field, expected, observed)


def _bad_limit(expected: str, observed: object) -> RejectedOrder:
    return RejectedOrder(RejectCode.LIMIT_RANGE, "limit", expected, observed)
