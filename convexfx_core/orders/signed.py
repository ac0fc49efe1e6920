"""Signed orders: from payload bytes to checked orders, one at a time.

This is the first thing that happens to an order that arrives as JSON, and the last thing that a
wallet does before it signs. A payload is checked from its first byte on: the frame, the domain that
it names, then the rules of its row (:mod:`convexfx_core.orders.rules`). The first check that fails
names the code. A million payloads take the columnar twin,
:mod:`convexfx_core.orders.signed_columns`, which refuses the same bytes with the same code. Source:
``docs/spec.md`` section 2.
"""

from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Final

from convexfx_core.encoding.canonical import Reader
from convexfx_core.encoding.hashing import TAG_DEBIT, tag_bytes
from convexfx_core.errors import CodecError, RejectCode, RejectedOrder
from convexfx_core.identity import Address, OwnerId, owner_id, verify_signature
from convexfx_core.market.assets import Registry
from convexfx_core.orders.payload import (
    CODEC_VERSION,
    Allowance,
    DebitAllowance,
)
from convexfx_core.orders.rules import NONCE, ORDER_RULES, OrderFields, refuse
from convexfx_core.orders.terms import (
    TERMS_BYTES,
    Terms,
    limit_from_ratio,
    min_fill_atoms,
    order_terms,
)

ORDER_PAYLOAD_BYTES: Final = 272
"""Payload with one allowance and 72 bytes of terms."""
_AUXILIARY_LENGTH_AT: Final = 192


@dataclass(frozen=True, slots=True)
class Domain:
    """What a payload must name to be an order of ours.

    Attributes
    ----------
    network_id : 32 bytes.
    pool : vault of the pool; its shard is the domain's.
    registry : assets by token.
    """

    network_id: bytes
    pool: Address
    registry: Registry


@dataclass(frozen=True, slots=True)
class UnsignedOrder:
    """What a checked payload says.

    Attributes
    ----------
    owner : OwnerId of the debited vault.
    nonce : the vault's nonce that the order consumes.
    pay : registry index of the pay asset.
    budget : base units of the pay asset; 0 for a cancel.
    terms : limit, receive asset, expiry.
    """

    owner: OwnerId
    nonce: int
    pay: int
    budget: int
    terms: Terms


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order or cancel with a valid signature of its vault's owner.

    Attributes
    ----------
    order_id : SHA-256 of ``payload``, 32 bytes.
    owner, nonce, pay, budget, terms : see :class:`UnsignedOrder`.
    payload : the 272 signed bytes.
    pub_key, signature : 32 and 64 bytes.
    """

    order_id: bytes
    owner: OwnerId
    nonce: int
    pay: int
    budget: int
    terms: Terms
    payload: bytes
    pub_key: bytes
    signature: bytes


def order_payload(domain: Domain, order: UnsignedOrder) -> bytes:
    """The 272 bytes that the owner signs for ``order``."""
    return DebitAllowance(
        network_id=domain.network_id,
        debited=Address(order.owner, domain.pool.shard),
        credited=domain.pool,
        new_nonce=order.nonce,
        allowances=(Allowance(domain.registry[order.pay].token, order.budget),),
        auxiliary=order.terms.to_bytes(),
    ).to_bytes()


def order_in_units(
    registry: Registry,
    pay_asset: str,
    receive_asset: str,
    budget: Decimal,
    limit_ratio: Decimal | None,
    min_fill_fraction: Decimal,
    valid_until_epoch: int,
) -> tuple[int, int, Terms]:
    """Pay asset, budget in base units and terms of an order given in units of its assets.

    Parameters
    ----------
    limit_ratio : units of ``pay_asset`` for one of ``receive_asset``, fee included; None: market.

    Raises
    ------
    RejectedOrder
        An asset is unknown, or a number is out of its range.
    """
    pay = registry.index(pay_asset, "pay_asset")
    receive = registry.index(receive_asset, "receive_asset")
    atoms = registry[pay].atoms(budget, "budget")
    least = min_fill_atoms(min_fill_fraction, atoms)
    limit = None
    if limit_ratio is not None:
        limit = limit_from_ratio(limit_ratio, registry[pay].decimals, registry[receive].decimals)
    return pay, atoms, order_terms(receive, limit, least, valid_until_epoch)


def decode_order(payload: bytes, domain: Domain) -> UnsignedOrder:
    """Decode and check a payload; :class:`RejectedOrder` with the first check that fails."""
    _check_frame(payload)
    reader = Reader(payload, "order")
    reader.fixed(24)
    _equal(reader.fixed(32), domain.network_id, RejectCode.NETWORK_MISMATCH, "network id")
    owner, shard = OwnerId(reader.fixed(32)), reader.u64()
    _equal(shard, domain.pool.shard, RejectCode.SHARD_MISMATCH, "debited_shard")
    credited = (reader.fixed(32), reader.u64())
    pool = (domain.pool.owner, domain.pool.shard)
    _equal(credited, pool, RejectCode.CREDITED_MISMATCH, "credited")
    nonce = reader.u64()
    refuse((NONCE,), OrderFields(nonce=nonce))
    pay = _pay_asset(reader.fixed(40), domain.registry)
    budget = reader.u64()
    reader.u64()
    terms = Terms.from_bytes(reader.fixed(TERMS_BYTES))
    refuse(ORDER_RULES, terms.fields(pay, budget, len(domain.registry)))
    return UnsignedOrder(owner, nonce, pay, budget, terms)


def read_signed_order(
    payload: bytes, pub_key: bytes, signature: bytes, domain: Domain
) -> SignedOrder:
    """A checked order from its three columns.

    Raises :class:`RejectedOrder`: any code of :func:`decode_order`, PUBLIC_KEY, OWNER_MISMATCH or
    SIGNATURE.
    """
    order = decode_order(payload, domain)
    try:
        signer = owner_id(pub_key)
    except CodecError as error:
        raise RejectedOrder(RejectCode.PUBLIC_KEY, error.field, error.expected) from None
    _equal(signer, order.owner, RejectCode.OWNER_MISMATCH, "pub_key")
    if not verify_signature(pub_key, payload, signature):
        raise RejectedOrder(RejectCode.SIGNATURE, "signature", "a valid Ed25519 signature")
    return SignedOrder(
        order_id=sha256(payload).digest(),
        owner=order.owner,
        nonce=order.nonce,
        pay=order.pay,
        budget=order.budget,
        terms=order.terms,
        payload=payload,
        pub_key=pub_key,
        signature=signature,
    )


def _check_frame(payload: bytes) -> None:
    if len(payload) < 24:
        raise _bad_payload(len(payload))
    if payload[:16] != tag_bytes(TAG_DEBIT):
        raise RejectedOrder(RejectCode.VERIFIABLE_KIND, "payload tag", TAG_DEBIT, payload[:16])
    version, count = (int.from_bytes(payload[i : i + 4], "little") for i in (16, 20))
    if version != CODEC_VERSION:
        raise RejectedOrder(RejectCode.VERSION_UNKNOWN, "codec version", "1", version)
    if count != 1:
        raise RejectedOrder(RejectCode.ALLOWANCE_COUNT, "allowances", "exactly one", count)
    length = payload[_AUXILIARY_LENGTH_AT : _AUXILIARY_LENGTH_AT + 8]
    if len(length) == 8 and int.from_bytes(length, "little") != TERMS_BYTES:
        raise RejectedOrder(RejectCode.TERMS, "auxiliary", f"{TERMS_BYTES} bytes", length.hex())
    if len(payload) != ORDER_PAYLOAD_BYTES:
        raise _bad_payload(len(payload))


def _bad_payload(length: int) -> RejectedOrder:
    return RejectedOrder(RejectCode.PAYLOAD, "payload", f"{ORDER_PAYLOAD_BYTES} bytes", length)


def _pay_asset(token: bytes, registry: Registry) -> int:
    try:
        address = Address.read(Reader(token, "token"), "token")
    except CodecError as error:
        raise RejectedOrder(
            RejectCode.ASSET_UNKNOWN, error.field, error.expected, error.observed
        ) from None
    return registry.by_token(address)


def _equal(found: object, expected: object, code: RejectCode, field: str) -> None:
    if found != expected:
        raise RejectedOrder(code, field, _for_people(expected), _for_people(found))


def _for_people(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(_for_people(part) for part in value)
    return value.hex() if isinstance(value, bytes) else str(value)
