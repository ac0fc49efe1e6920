"""Order terms: the 72 bytes that a wallet signs in ``auxiliary``.

An allowance says what may be taken; the terms say for what: the asset to receive, the limit as a
mantissa and an exponent, the minimum fill, the last epoch. Source: ``docs/spec.md`` section 2.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from struct import Struct
from typing import Final, Self

from convexfx_core.encoding.canonical import Writer
from convexfx_core.errors import RejectCode, RejectedOrder
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
from convexfx_core.orders.rules import LIMIT_RULES, NO_ORDER, TERMS_RULES, OrderFields, refuse
from convexfx_core.units import ceil_div

TERMS_VERSION: Final = 1
TERMS_BYTES: Final = 72
_LAYOUT: Final = Struct("<I3HhI3Q32s")
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
        """Terms that keep the rules which need neither registry nor budget.

        Raises :class:`RejectedOrder`: LIMIT_RANGE for a limit outside its range, else TERMS.
        """
        if len(data) != TERMS_BYTES:
            raise _bad_terms("auxiliary", f"{TERMS_BYTES} bytes", len(data))
        version, *head, reserved, limit_m, min_fill, valid_until, pays = _LAYOUT.unpack(data)
        kind, receive, limit_kind, limit_e = head
        if version != TERMS_VERSION:
            raise _bad_terms("terms version", str(TERMS_VERSION), version)
        if reserved:
            raise _bad_terms("terms.reserved", "zero bytes", reserved.to_bytes(4, "little").hex())
        terms = cls(kind, receive, limit_kind, limit_e, limit_m, min_fill, valid_until, pays)
        refuse(TERMS_RULES, terms.fields())
        return terms

    def fields(self, pay: int = NO_ASSET, budget: int = 0, assets: int = 0) -> OrderFields:
        """What the rules of an order with these terms look at."""
        return OrderFields(
            kind=self.kind,
            receive=self.receive,
            limit_kind=self.limit_kind,
            limit_e=self.limit_e,
            limit_m=self.limit_m,
            min_fill=self.min_fill,
            pays=self.pays,
            pay=pay,
            budget=budget,
            assets=assets,
        )


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
    refuse(LIMIT_RULES, OrderFields(limit_kind=LIMIT_LIMIT, limit_e=limit_e, limit_m=limit_m))
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
        raise _bad_ratio(ratio)
    exact = Fraction(ratio)
    if exact <= 0:
        raise _bad_ratio(ratio)
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


def _bad_ratio(ratio: object) -> RejectedOrder:
    return RejectedOrder(RejectCode.LIMIT_RANGE, "limit", "a positive ratio", str(ratio))
