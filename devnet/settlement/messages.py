"""Signed payloads as the settlement layer decodes them: debits, mints and order terms.

Signatures cover bytes, so bytes are the truth here: a payload has one form, and any other is
refused. ``transactions`` reads the messages of an SDL with it.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Final

from devnet.settlement.codec import Address, Bytes
from devnet.settlement.invalid import Invalid

ALLOWANCES_MAX: Final = 16
AUXILIARY_MAX: Final = 1024
TEXT_MAX: Final = 256
CREDITS_MAX: Final = 4096

ORDER, CANCEL, PAYOUT = 1, 2, 3
_TERMS: Final = struct.Struct("<I3HhIQQQ32s")


@dataclass(frozen=True, slots=True)
class DebitMessage:
    """Decoded DebitAllowance payload; ``digest`` is the order id."""

    digest: bytes
    debited: Address
    credited: Address
    nonce: int
    allowances: tuple[tuple[Address, int], ...]
    auxiliary: bytes


@dataclass(frozen=True, slots=True)
class MintMessage:
    """Decoded FungibleTokenMint payload; ``creates`` is false for IncreaseSupply."""

    digest: bytes
    mint: Address
    nonce: int
    creates: bool
    name: str
    symbol: str
    credits: tuple[tuple[Address, int], ...]


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """Decoded terms of an order, cancel or payout (section 2)."""

    kind: int
    receive: int
    limit_kind: int
    exponent: int
    mantissa: int
    min_fill: int
    valid_until: int
    pays: bytes


def decode_debit(payload: bytes, network: bytes) -> DebitMessage:
    """DebitAllowance of this network; ``Invalid`` ``CODEC`` for any other bytes."""
    data = Bytes(payload, "DebitAllowance")
    data.tag("cfx.debit.v1", 1)
    count = data.u32()
    if count > ALLOWANCES_MAX:
        raise Invalid("CODEC", f"DebitAllowance: expected at most {ALLOWANCES_MAX} allowances")
    _own_network(data, network)
    debited, credited, nonce = data.address(), data.address(), data.u64()
    allowances = tuple((data.address(), data.u64()) for _ in range(count))
    tokens = [token for token, _ in allowances]
    if any(left >= right for left, right in pairwise(tokens)):
        raise Invalid("CODEC", "DebitAllowance: expected tokens in strictly increasing order")
    auxiliary = data.text(AUXILIARY_MAX)
    data.end()
    digest = sha256(payload).digest()
    return DebitMessage(digest, debited, credited, nonce, allowances, auxiliary)


def decode_mint(payload: bytes, network: bytes) -> MintMessage:
    """FungibleTokenMint of this network; ``Invalid`` ``CODEC`` for any other bytes."""
    data = Bytes(payload, "FungibleTokenMint")
    data.tag("cfx.mint.v1", 1)
    count = data.u32()
    if count > CREDITS_MAX:
        raise Invalid("CODEC", f"FungibleTokenMint: expected at most {CREDITS_MAX} credits")
    _own_network(data, network)
    mint, nonce, operation = data.address(), data.u64(), data.u64()
    name, symbol = data.text(TEXT_MAX), data.text(TEXT_MAX)
    if operation not in (0, 1) or (operation == 1 and (name or symbol)):
        raise Invalid("CODEC", "FungibleTokenMint: expected names for Create only")
    credits = tuple((data.address(), data.u64()) for _ in range(count))
    data.text(AUXILIARY_MAX)
    data.end()
    digest = sha256(payload).digest()
    return MintMessage(digest, mint, nonce, operation == 0, _utf8(name), _utf8(symbol), credits)


def decode_terms(auxiliary: bytes) -> OrderTerms:
    """Terms of 72 bytes; ``Invalid`` ``SDL_SHAPE`` for any other bytes."""
    if len(auxiliary) == _TERMS.size:
        version, kind, receive, limit_kind, exponent, zero, *rest = _TERMS.unpack(auxiliary)
        if version == 1 and kind in (ORDER, CANCEL, PAYOUT) and zero == 0:
            return OrderTerms(kind, receive, limit_kind, exponent, *rest)
    raise Invalid("SDL_SHAPE", "expected order terms in auxiliary")


def _own_network(data: Bytes, network: bytes) -> None:
    if data.take(32) != network:
        raise Invalid("NETWORK", "expected a payload signed for this network")


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Invalid("CODEC", "FungibleTokenMint: expected UTF-8 names") from None
