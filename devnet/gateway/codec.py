"""Encoding side of ``docs/spec.md`` sections 1 to 3 and 6, codec ``devnet-v1``.

Messages arrive as JSON, but signatures and hashes cover bytes. The gateway builds those bytes here.
It shares no code with the settlement layer, which reads them by a decoder of its own.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import base58

from devnet.gateway.refusal import Refused

VaultKey = tuple[bytes, int]
"""Owner (32 bytes) and shard of a vault; a token is named by the vault of its mint."""

U64_MAX: Final = (1 << 64) - 1
I64_MAX: Final = (1 << 63) - 1
CHUNK_ROWS: Final = 64

_DEBIT_HEAD: Final = struct.Struct("<16sII32s32sQ32sQQ")
_MINT_HEAD: Final = struct.Struct("<16sII32s32sQQQ")
_HOLDING: Final = struct.Struct("<32sQQ")
_U64: Final = struct.Struct("<Q")
_TERMS: Final = struct.Struct("<IHHHhIQQQ32s")
_ORDER_ROW: Final = struct.Struct("<32sQQQQQHHhBB")
_SETTLEMENT_ROW: Final = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class Terms:
    """What stands in the signed ``auxiliary`` of an order, cancel or payout."""

    kind: int
    receive: int
    limit_kind: int
    exponent: int
    mantissa: int
    min_fill: int
    valid_until: int
    pays: bytes


def tagged_hash(tag: str, *parts: bytes) -> bytes:
    """SHA-256 of the tag, zero-padded to 16 bytes, then the parts."""
    digest = hashlib.sha256(tag.encode("ascii").ljust(16, b"\0"))
    for part in parts:
        digest.update(part)
    return digest.digest()


def network_id(name: str) -> bytes:
    """Identifier (32 bytes) of the network called ``name``."""
    return tagged_hash("cfx.network.v1", name.encode("ascii"))


def table_root(tag: str, rows: Sequence[bytes]) -> bytes:
    """Root of a table of rows that already stand in canonical order."""
    level = [
        tagged_hash("cfx.chunk.v1", *rows[start : start + CHUNK_ROWS])
        for start in range(0, len(rows), CHUNK_ROWS)
    ]
    while len(level) > 1:
        pairs = [
            tagged_hash("cfx.node.v1", left, right)
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        level = pairs + (level[-1:] if len(level) % 2 else [])
    root = level[0] if level else bytes(32)
    return tagged_hash(tag, root, _U64.pack(len(rows)))


def from_base58(text: object, size: int, field: str) -> bytes:
    """Exactly ``size`` bytes from base58 text.

    Raises
    ------
    Refused
        ``SCHEMA`` naming ``field`` when it is no text, not base58 or of another size.
    """
    # The square of the length is what decoding costs, so the length is looked at first.
    most = size * 138 // 100 + 1
    if isinstance(text, str) and len(text) <= most and text.isalnum() and text.isascii():
        try:
            raw = base58.b58decode_int(text).to_bytes(size, "big")
        except (ValueError, OverflowError):
            raw = b""
        if raw and _leading(raw, 0) == _leading(text.encode("ascii"), ord("1")):
            return raw
    raise Refused("SCHEMA", f"{field}: expected base58 of {size} bytes")


def _leading(raw: bytes, value: int) -> int:
    return len(raw) - len(raw.lstrip(bytes((value,))))


def base58_text(raw: bytes) -> str:
    """Base58 text of bytes."""
    return base58.b58encode(raw).decode("ascii")


def address_text(key: VaultKey) -> str:
    """Text form ``"<owner base58>,<shard>"`` of a vault's address."""
    return f"{base58_text(key[0])},{key[1]}"


def parse_address(text: object, field: str) -> VaultKey:
    """Vault named by ``"<owner base58>,<shard>"``; shard in [1, 2^64)."""
    if not isinstance(text, str) or text.count(",") != 1:
        raise Refused("SCHEMA", f'{field}: expected "<owner base58>,<shard>"')
    owner, shard = text.split(",")
    if not (shard.isascii() and shard.isdigit()) or shard[0] == "0":
        raise Refused("SCHEMA", f"{field}: expected a shard of at least 1 in decimal digits")
    if len(shard) > 20 or int(shard) > U64_MAX:
        raise Refused("SCHEMA", f"{field}: expected a shard below 2^64")
    return from_base58(owner, 32, field), int(shard)


def _padded(raw: bytes) -> bytes:
    return _U64.pack(len(raw)) + raw + bytes(-len(raw) % 8)


def debit_payload(
    network: bytes,
    debited: VaultKey,
    credited: VaultKey,
    nonce: int,
    allowances: Sequence[tuple[VaultKey, int]],
    auxiliary: bytes,
) -> bytes:
    """Signed bytes of a DebitAllowance; ``allowances`` strictly increasing by token."""
    head = _DEBIT_HEAD.pack(
        b"cfx.debit.v1", 1, len(allowances), network, *debited, *credited, nonce
    )
    rows = b"".join(_HOLDING.pack(*token, amount) for token, amount in allowances)
    return head + rows + _padded(auxiliary)


def mint_payload(
    network: bytes,
    mint: VaultKey,
    nonce: int,
    metadata: tuple[str, str] | None,
    credits: Sequence[tuple[VaultKey, int]],
    auxiliary: bytes,
) -> bytes:
    """Signed bytes of a FungibleTokenMint; ``metadata`` (name, symbol) for Create, else None."""
    operation = 0 if metadata is not None else 1
    name, symbol = metadata or ("", "")
    head = _MINT_HEAD.pack(b"cfx.mint.v1", 1, len(credits), network, *mint, nonce, operation)
    texts = _padded(name.encode()) + _padded(symbol.encode())
    rows = b"".join(_HOLDING.pack(*vault, amount) for vault, amount in credits)
    return head + texts + rows + _padded(auxiliary)


def parse_terms(auxiliary: bytes) -> Terms | None:
    """Terms in ``auxiliary``, or None when these bytes are no terms."""
    if len(auxiliary) != _TERMS.size:
        return None
    version, kind, receive, limit_kind, exponent, zero, *rest = _TERMS.unpack(auxiliary)
    if version != 1 or zero != 0 or kind not in (1, 2, 3):
        return None
    return Terms(kind, receive, limit_kind, exponent, *rest)


def order_row(owner: bytes, nonce: int, pay: int, budget: int, terms: Terms) -> bytes:
    """Order row (80 bytes) of a signed order or cancel; ``pay`` is a registry index."""
    return _ORDER_ROW.pack(
        owner,
        nonce,
        budget,
        terms.mantissa,
        terms.min_fill,
        terms.valid_until,
        pay,
        terms.receive,
        terms.exponent,
        terms.kind,
        terms.limit_kind,
    )


def settlement_row(paid: int, received: int) -> bytes:
    """Settlement row (16 bytes) of a consumed order, base units."""
    return _SETTLEMENT_ROW.pack(paid, received)


def clearing_sdl_hash(
    network: bytes, pool: VaultKey, first_nonce: int, orders: bytes, settlements: bytes
) -> bytes:
    """Hash of an SDL of orders and payouts from its two table roots."""
    nonce = _U64.pack(first_nonce)
    return tagged_hash(
        "cfx.sdl.v1", network, pool[0], _U64.pack(pool[1]), nonce, orders, settlements
    )


def general_sdl_hash(network: bytes, shard: int, digests: Sequence[bytes]) -> bytes:
    """Hash of an SDL that holds anything but orders and payouts."""
    return tagged_hash("cfx.sdlgen.v1", network, _U64.pack(shard), *digests)


def registry_tokens(section: bytes) -> tuple[VaultKey, ...]:
    """Tokens of a registry section (rows of 64 bytes), in registry order."""
    rows = range(0, len(section), 64)
    return tuple((section[at : at + 32], _U64.unpack_from(section, at + 32)[0]) for at in rows)


def transaction_message(kind: str, network: bytes, shard: int, *parts: bytes) -> bytes:
    """What the operator signs for the settlement layer (``docs/devnet.md``)."""
    tag = {"sdl": b"dev.sdltx.v1", "proof": b"dev.prooftx.v1"}[kind]
    return tag.ljust(16, b"\0") + network + _U64.pack(shard) + b"".join(parts)
