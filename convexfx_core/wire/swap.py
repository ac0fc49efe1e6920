"""The ``Swap`` of the HTTP API: an order as people write it, in units and decimals.

It is a convenience. The signed payload is rebuilt from it, so the signature, not the JSON, decides
what was ordered. Format: ``docs/api.md``.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Final, TypeAlias

from pydantic import Discriminator, Field, Tag, TypeAdapter

from convexfx_core.errors import RejectCode, RejectedOrder
from convexfx_core.identity import (
    HASH_BYTES,
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    OwnerId,
    owner_id,
)
from convexfx_core.orders.signed import (
    Domain,
    SignedOrder,
    UnsignedOrder,
    order_in_units,
    order_payload,
    read_signed_order,
)
from convexfx_core.wire.delta import Signature
from convexfx_core.wire.orders import decoded, ed25519_parts
from convexfx_core.wire.types import U64, DecimalNumber, Strict, validate

_HEX: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})+", re.ASCII)

SignatureText: TypeAlias = Annotated[str, Field(description="base58 or 0x hex; needs pub_key")]
AnySignature: TypeAlias = Annotated[
    Annotated[SignatureText, Tag("text")] | Annotated[Signature, Tag("object")],
    Discriminator(lambda value: "text" if isinstance(value, str) else "object"),
]


class Swap(Strict):
    """An order in units and decimals, with a signature of the payload that it describes."""

    owner: str
    pay_asset: str
    receive_asset: str
    budget: DecimalNumber
    limit_ratio: DecimalNumber | None = None
    min_fill_fraction: DecimalNumber = Decimal(0)
    nonce: U64 | None = None
    valid_until_epoch: U64 = 0
    pub_key: str | None = None
    signature: AnySignature

    @property
    def owner_bytes(self) -> OwnerId:
        """The OwnerId; SCHEMA if it is neither base58 nor 0x hex of 32 bytes."""
        return OwnerId(_bytes_of(self.owner, HASH_BYTES, "owner", RejectCode.SCHEMA))

    def keys(self) -> tuple[bytes, bytes]:
        """Public key and signature bytes; PUBLIC_KEY, SIGNATURE or SIGNATURE_KIND otherwise."""
        given = None
        if self.pub_key is not None:
            code = RejectCode.PUBLIC_KEY
            given = _bytes_of(self.pub_key, PUBLIC_KEY_BYTES, "pub_key", code)
        if not isinstance(self.signature, str):
            pub_key, signature = ed25519_parts(self.signature)
            if given not in (None, pub_key):
                raise RejectedOrder(RejectCode.PUBLIC_KEY, "pub_key", "the signature's own key")
            return pub_key, signature
        if given is None:
            raise RejectedOrder(RejectCode.PUBLIC_KEY, "pub_key", "a key beside a bare signature")
        code = RejectCode.SIGNATURE
        return given, _bytes_of(self.signature, SIGNATURE_BYTES, "signature", code)


class SwapItem(Strict):
    """``{"Swap": {...}}``."""

    Swap: Swap


SWAP: Final[TypeAdapter[Any]] = TypeAdapter(SwapItem)
"""Validator of one ``{"Swap": ...}``."""


def parse_swap(item: object) -> Swap:
    """The Swap of ``{"Swap": {...}}``; :class:`RejectedOrder` naming the field otherwise."""
    swap: Swap = validate(SWAP, item, "verifiable").Swap
    return swap


def swap_order(swap: Swap, domain: Domain, next_nonce: int | None = None) -> SignedOrder:
    """Rebuild the payload that the wallet signed and check it like any other.

    Parameters
    ----------
    swap : as parsed.
    domain : network, pool and registry.
    next_nonce : the vault's next nonce, taken where the Swap names none.

    Raises
    ------
    RejectedOrder : any code of an order's check, or of the amounts, assets and limit.
    """
    pub_key, signature = swap.keys()
    owner = swap.owner_bytes
    if owner_id(pub_key) != owner:
        raise RejectedOrder(RejectCode.OWNER_MISMATCH, "owner", "SHA-256 of pub_key", swap.owner)
    nonce = next_nonce if swap.nonce is None else swap.nonce
    if nonce is None:
        raise RejectedOrder(RejectCode.NONCE_RANGE, "nonce", "the vault's next nonce", None)
    pay, budget, terms = order_in_units(
        domain.registry,
        swap.pay_asset,
        swap.receive_asset,
        swap.budget,
        swap.limit_ratio,
        swap.min_fill_fraction,
        swap.valid_until_epoch,
    )
    payload = order_payload(domain, UnsignedOrder(owner, nonce, pay, budget, terms))
    return read_signed_order(payload, pub_key, signature, domain)


def is_swap(item: object) -> bool:
    """Whether an item of the API is tagged as a Swap."""
    return isinstance(item, dict) and list(item) == ["Swap"]


def _bytes_of(text: str, length: int, field: str, code: RejectCode) -> bytes:
    if not _HEX.fullmatch(text):
        return decoded(text, length, field, code)
    data = bytes.fromhex(text[2:])
    if len(data) != length:
        raise RejectedOrder(code, field, f"{length} bytes", len(data))
    return data
