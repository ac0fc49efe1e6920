"""What an owner signed, compared with what an SDL does to him, in every mode of proof.

The local laws say the same, and a proof shows that they hold. But an operator names the attestor
and may change the modes that his agreement allows, so a limit must not rest on them alone: here it
rests on the owner's own bytes and on integers that anybody can check.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from devnet.settlement.invalid import Invalid
from devnet.settlement.messages import OrderTerms

LIMITED: Final = 1
"""Limit kind of an order with a limit; a market order has none."""


@dataclass(frozen=True, slots=True)
class Consumed:
    """An order or cancel of an SDL: what was signed, and what it pays and receives, base units."""

    terms: OrderTerms
    paid: int
    received: int


def check_signed_terms(consumed: Sequence[Consumed], epoch: int) -> None:
    """Hold each order to its limit, its minimum fill and its last epoch.

    Parameters
    ----------
    consumed : in the sequence of the SDL.
    epoch : clearing epoch of the proof; ``local_laws`` has compared it with the shard's last one.

    Raises
    ------
    Invalid
        ``SIGNED_TERMS`` for the first one that gets another deal than it signed.
    """
    for place, order in enumerate(consumed):
        said = _broken(order, epoch)
        if said:
            raise Invalid("SIGNED_TERMS", f"verifiable {place}: {said}")


def _broken(order: Consumed, epoch: int) -> str:
    terms = order.terms
    if 0 < terms.valid_until < epoch:
        return f"signed for epochs up to {terms.valid_until}, found {epoch}"
    if not order.paid:
        return ""
    if order.paid < terms.min_fill:
        return f"expected at least {terms.min_fill} to be paid or nothing, found {order.paid}"
    least = _least(order) if terms.limit_kind == LIMITED else 0
    if order.received < least:
        return f"expected at least {least} for {order.paid}, found {order.received}"
    return ""


def _least(order: Consumed) -> int:
    """``floor(paid m / 2^e)``: the limit is m / 2^e, net of the fee, and amounts are floored."""
    product, shift = order.paid * order.terms.mantissa, order.terms.exponent
    return product >> shift if shift >= 0 else product << -shift
