"""An SDL of orders and payouts: its shape, its rows and its hash, derived from signed bytes.

The operator claims a hash and a proof names one. Here the settlement layer computes it from the
messages that users and the pool signed, so that a proof can only settle the very orders and payouts
that stand in the SDL.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from devnet.settlement.agreement import Agreement
from devnet.settlement.codec import Address, h, le64, table
from devnet.settlement.invalid import Invalid
from devnet.settlement.messages import (
    CANCEL,
    ORDER,
    PAYOUT,
    DebitMessage,
    OrderTerms,
    decode_terms,
)
from devnet.settlement.signed_terms import Consumed
from devnet.settlement.transactions import Item, SdlTransaction

ORDER_ROW_BYTES: Final = 80
SETTLEMENT_ROW_BYTES: Final = 16
NO_ASSET: Final = 65_535
_ORDER_ROW: Final = struct.Struct("<32s5Q2Hh2B")


@dataclass(frozen=True, slots=True)
class Clearing:
    """What an SDL of orders and payouts says.

    Attributes
    ----------
    owners : owners of consumed orders, strictly increasing.
    consumed : orders and cancels in their sequence, each with its amounts.
    fills : number of those with paid > 0.
    orders_root, settle_root : table roots of their rows.
    """

    owners: tuple[bytes, ...]
    consumed: tuple[Consumed, ...]
    fills: int
    orders_root: bytes
    settle_root: bytes

    def sdl_hash(self, network: bytes, pool: Address, first_payout_nonce: int) -> bytes:
        """SDL hash of section 6."""
        head = network + pool.owner + le64(pool.shard) + le64(first_payout_nonce)
        return h("cfx.sdl.v1", head + self.orders_root + self.settle_root)


def general_hash(network: bytes, sdl: SdlTransaction) -> bytes:
    """Hash of an SDL of anything else, from the hashes of its payloads."""
    digests = b"".join(item.message.digest for item in sdl.items)
    return h("cfx.sdlgen.v1", network + le64(sdl.shard) + digests)


def read_clearing(items: Sequence[Item], agreement: Agreement) -> Clearing:
    """Read an SDL of orders and payouts, and check its shape.

    Orders and cancels come first, strictly increasing by (owner, nonce); then one payout for
    each filled order in the same order.

    Raises
    ------
    Invalid
        ``SDL_SHAPE`` for anything else.
    """
    parsed = [_single_debit(item) for item in items]
    cut = next((at for at, row in enumerate(parsed) if row[1].kind == PAYOUT), len(parsed))
    orders, payouts = parsed[:cut], parsed[cut:]
    keys = [(debit.debited.owner, debit.nonce) for debit, _, _ in orders]
    if any(left >= right for left, right in pairwise(keys)):
        raise Invalid("SDL_SHAPE", "expected orders strictly increasing by owner and nonce")
    rows = b"".join(_order_row(agreement, *order) for order in orders)
    filled = [(debit, terms) for debit, terms, paid in orders if paid]
    received = [_payout(agreement, *row) for row in _pairs(payouts, filled)]
    amounts = iter(received)
    consumed = tuple(
        Consumed(terms, paid, next(amounts) if paid else 0) for _, terms, paid in orders
    )
    settle = b"".join(le64(order.paid) + le64(order.received) for order in consumed)
    return Clearing(
        tuple(sorted({owner for owner, _ in keys})),
        consumed,
        len(filled),
        table("cfx.orders.v1", rows, ORDER_ROW_BYTES),
        table("cfx.settle.v1", settle, SETTLEMENT_ROW_BYTES),
    )


Parsed = tuple[DebitMessage, OrderTerms, int]


def _single_debit(item: Item) -> Parsed:
    message = item.message
    if not isinstance(message, DebitMessage) or len(message.allowances) != 1:
        raise Invalid("SDL_SHAPE", "expected only debits of one allowance")
    return message, decode_terms(message.auxiliary), item.executed[0]


def _pairs(
    payouts: Sequence[Parsed], filled: Sequence[tuple[DebitMessage, OrderTerms]]
) -> list[tuple[Parsed, DebitMessage, OrderTerms]]:
    if len(payouts) != len(filled):
        raise Invalid("SDL_SHAPE", f"expected {len(filled)} payouts, found {len(payouts)}")
    return [(row, *order) for row, order in zip(payouts, filled, strict=True)]


def _order_row(agreement: Agreement, debit: DebitMessage, terms: OrderTerms, paid: int) -> bytes:
    token, budget = debit.allowances[0]
    if debit.credited != agreement.pool or debit.debited == agreement.pool:
        raise Invalid("SDL_SHAPE", "expected orders that credit the pool")
    if token not in agreement.tokens:
        raise Invalid("TOKEN", "expected a pay token of the registry")
    known = len(agreement.tokens)
    wanted = terms.receive < known if terms.kind == ORDER else terms.receive == NO_ASSET
    if not wanted or any(terms.pays) or (terms.kind == CANCEL and (budget or paid)):
        raise Invalid("SDL_SHAPE", "expected the terms of an order or cancel")
    return _ORDER_ROW.pack(
        debit.debited.owner,
        debit.nonce,
        budget,
        terms.mantissa,
        terms.min_fill,
        terms.valid_until,
        agreement.tokens.index(token),
        terms.receive,
        terms.exponent,
        terms.kind,
        terms.limit_kind,
    )


def _payout(agreement: Agreement, row: Parsed, order: DebitMessage, asked: OrderTerms) -> int:
    """Amount of a payout that pays ``order``."""
    payout, terms, amount = row
    token, allowed = payout.allowances[0]
    if terms.kind != PAYOUT or terms.pays != order.digest or terms.receive != NO_ASSET:
        raise Invalid("SDL_SHAPE", "expected payouts of the filled orders in their order")
    if payout.debited != agreement.pool or payout.credited != order.debited:
        raise Invalid("SDL_SHAPE", "expected payouts from the pool to the order's vault")
    if token != agreement.tokens[asked.receive] or amount != allowed or not amount:
        raise Invalid("SDL_SHAPE", "expected payouts in full of the token that was asked for")
    return amount
