"""Parts of valid orders from which the codec's tests make their smallest invalid neighbours."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from nacl.signing import SigningKey

from convexfx_core.encoding.hashing import network_id
from convexfx_core.errors import CodecError, RejectedOrder
from convexfx_core.identity import Address, owner_id
from convexfx_core.market.assets import Asset, Registry
from convexfx_core.orders.payload import DebitAllowance
from convexfx_core.orders.signed import Domain, UnsignedOrder, order_payload
from convexfx_core.orders.terms import Terms, cancel_terms, order_terms
from convexfx_core.wire.orders import verifiable_json

SHARD = 7
USD, EUR, JPY = 0, 1, 2
LIMIT = (62, 5067786833436690005)


@dataclass(frozen=True)
class Key:
    """A wallet's key."""

    seed: bytes

    @property
    def signing(self) -> SigningKey:
        return SigningKey(self.seed)

    @property
    def public(self) -> bytes:
        return bytes(self.signing.verify_key)

    @property
    def owner(self) -> bytes:
        return owner_id(self.public)

    def sign(self, message: bytes) -> bytes:
        return self.signing.sign(message).signature


@lru_cache(maxsize=1_000)
def key(name: str) -> Key:
    return Key(sha256(name.encode()).digest())


def address(name: str, shard: int = SHARD) -> Address:
    return Address(key(name).owner, shard)


def registry() -> Registry:
    return Registry(
        (
            Asset("USD", 6, address("mint USD")),
            Asset("EUR", 6, address("mint EUR")),
            Asset("JPY", 2, address("mint JPY")),
        )
    )


def domain() -> Domain:
    return Domain(network_id("convexfx-devnet"), address("pool"), registry())


def limit_order(**changes: Any) -> UnsignedOrder:
    """Alice pays at most 1,000 USD for EUR; ``changes`` name fields of order or terms."""
    terms = order_terms(EUR, LIMIT, min_fill=500_000_000, valid_until=9)
    order = UnsignedOrder(key("alice").owner, 1, USD, 1_000_000_000, terms)
    return changed(order, **changes)


def cancel(**changes: Any) -> UnsignedOrder:
    """Alice cancels whatever holds nonce 1."""
    return changed(UnsignedOrder(key("alice").owner, 1, USD, 0, cancel_terms()), **changes)


def changed(order: UnsignedOrder, **changes: Any) -> UnsignedOrder:
    of_terms = {k: v for k, v in changes.items() if k in Terms.__dataclass_fields__}
    rest = {k: v for k, v in changes.items() if k not in of_terms}
    return replace(order, terms=replace(order.terms, **of_terms), **rest)


def payload(order: UnsignedOrder | None = None) -> bytes:
    return order_payload(domain(), order or limit_order())


def patched(data: bytes, at: int, new: bytes) -> bytes:
    """``data`` with ``new`` written at an offset."""
    return data[:at] + new + data[at + len(new) :]


def verifiable(data: bytes | None = None, signer: str = "alice") -> dict[str, Any]:
    """VERIFIABLE of a payload, signed."""
    data = payload() if data is None else data
    parts = DebitAllowance.from_bytes(data)
    return verifiable_json(parts, key(signer).public, key(signer).sign(data))


def short_id(value: object) -> str:
    """Name of a parameter in a test's id: short, printable, the same in every process."""
    return ascii(value)[:40]


def code_of_call(call: Callable[[], object]) -> str | None:
    """Code with which ``call`` is refused, None if it is not."""
    found: RejectedOrder | CodecError | None = None
    try:
        call()
    except (RejectedOrder, CodecError) as error:
        found = error
    if found is None:
        return None
    assert found.line().isascii()
    assert found.line().isprintable()
    return found.code
