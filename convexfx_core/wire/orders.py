"""From delta's JSON to signed orders and back.

A JSON object says the same as a signed payload in other words. The payload's bytes are rebuilt from
it, never taken from it, and the signature is checked against what was rebuilt.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from convexfx_core.errors import CodecError, RejectCode, RejectedOrder
from convexfx_core.identity import (
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    Address,
    base58_decode,
    base58_encode,
    owner_id,
)
from convexfx_core.limits import ALLOWANCES_MAX
from convexfx_core.orders.payload import (
    Allowance,
    DebitAllowance,
    MintOperation,
    MintPayload,
)
from convexfx_core.orders.signed import Domain, SignedOrder, read_signed_order
from convexfx_core.wire.delta import (
    VERIFIABLE,
    DebitAllowanceVerifiable,
    Ed25519,
    FungibleAmount,
    Signature,
)
from convexfx_core.wire.types import parse_address, validate

Json: TypeAlias = dict[str, Any]
ItemResult: TypeAlias = SignedOrder | RejectedOrder
"""What becomes of one item: an order, or the reason why not."""


def parse_verifiable(item: object, domain: Domain) -> SignedOrder:
    """Check one VERIFIABLE as an order or cancel of ``domain``, signature included.

    Raises :class:`RejectedOrder` with the first code that applies.
    """
    model = validate(VERIFIABLE, item, "verifiable")
    if not isinstance(model, DebitAllowanceVerifiable):
        raise RejectedOrder(
            RejectCode.VERIFIABLE_KIND, "verifiable", "a DebitAllowance", type(model).__name__
        )
    pub_key, signature = ed25519_parts(model.DebitAllowance.signature)
    allowance = debit_allowance(model, pub_key, domain.network_id)
    return read_signed_order(_encoded(allowance), pub_key, signature, domain)


def parse_items(items: Sequence[object], domain: Domain) -> list[ItemResult]:
    """:func:`parse_verifiable` of each item; a bad one leaves the others as they are."""
    return [_result(item, domain) for item in items]


def _result(item: object, domain: Domain) -> ItemResult:
    try:
        return parse_verifiable(item, domain)
    except RejectedOrder as error:
        return error


def ed25519_parts(signature: Signature) -> tuple[bytes, bytes]:
    """Public key and signature bytes; SIGNATURE_KIND, PUBLIC_KEY or SIGNATURE otherwise."""
    if not isinstance(signature, Ed25519):
        found = type(signature).__name__
        raise RejectedOrder(RejectCode.SIGNATURE_KIND, "signature", "Ed25519", found)
    parts = signature.Ed25519
    pub_key = decoded(parts.pub_key, PUBLIC_KEY_BYTES, "pub_key", RejectCode.PUBLIC_KEY)
    return pub_key, decoded(parts.signature, SIGNATURE_BYTES, "signature", RejectCode.SIGNATURE)


def decoded(text: str, length: int, field: str, code: RejectCode) -> bytes:
    """``length`` bytes of base58 text; :class:`RejectedOrder` with ``code`` otherwise."""
    try:
        return base58_decode(text, length, field)
    except CodecError as error:
        raise RejectedOrder(code, field, error.expected, error.observed) from None


def debit_allowance(
    model: DebitAllowanceVerifiable, pub_key: bytes, network_id: bytes
) -> DebitAllowance:
    """What was signed, rebuilt from the JSON.

    Raises :class:`RejectedOrder`: ALLOWANCE_COUNT, ALLOWANCE_KIND or ASSET_UNKNOWN.
    """
    payload = model.DebitAllowance.payload
    content = payload.content
    if not 1 <= len(content.allowances) <= ALLOWANCES_MAX:
        raise RejectedOrder(
            RejectCode.ALLOWANCE_COUNT, "allowances", "exactly one", len(content.allowances)
        )
    allowances = [_allowance(token, value) for token, value in content.allowances.items()]
    return DebitAllowance(
        network_id=network_id,
        debited=Address(owner_id(pub_key), content.debited_shard),
        credited=content.credited,
        new_nonce=content.new_nonce,
        allowances=tuple(sorted(allowances)),
        auxiliary=bytes(payload.auxiliary),
    )


def verifiable_json(
    payload: DebitAllowance | MintPayload, pub_key: bytes, signature: bytes
) -> Json:
    """The VERIFIABLE of a signed payload, as plain JSON values."""
    if isinstance(payload, DebitAllowance):
        return {"DebitAllowance": _message(_debit_content(payload), payload, pub_key, signature)}
    return {"FungibleTokenMint": _message(_mint_content(payload), payload, pub_key, signature)}


def order_json(order: SignedOrder) -> Json:
    """The VERIFIABLE of an order, as plain JSON values."""
    payload = DebitAllowance.from_bytes(order.payload)
    return verifiable_json(payload, order.pub_key, order.signature)


def _message(
    content: Json, payload: DebitAllowance | MintPayload, pub_key: bytes, signature: bytes
) -> Json:
    parts = {"pub_key": base58_encode(pub_key), "signature": base58_encode(signature)}
    return {
        "payload": {"auxiliary": list(payload.auxiliary), "content": content},
        "signature": {"Ed25519": parts},
    }


def _debit_content(payload: DebitAllowance) -> Json:
    return {
        "credited": str(payload.credited),
        "debited_shard": payload.debited.shard,
        "new_nonce": payload.new_nonce,
        "allowances": {str(token): {"Fungible": amount} for token, amount in payload.allowances},
    }


def _mint_content(payload: MintPayload) -> Json:
    credited = [{"address": str(vault), "amount": amount} for vault, amount in payload.credits]
    operation: Json = {"IncreaseSupply": {"credited": credited}}
    if payload.operation == MintOperation.CREATE:
        metadata = {"name": payload.name, "symbol": payload.symbol}
        operation = {"Create": {"metadata": metadata, "credited": credited}}
    return {"new_nonce": payload.new_nonce, "shard": payload.mint.shard, "operation": operation}


def _allowance(token: str, value: object) -> Allowance:
    if not isinstance(value, FungibleAmount):
        found = type(value).__name__
        raise RejectedOrder(RejectCode.ALLOWANCE_KIND, "allowances", "a Fungible amount", found)
    try:
        return Allowance(parse_address(token), value.Fungible)
    except CodecError as error:
        raise RejectedOrder(
            RejectCode.ASSET_UNKNOWN, "allowances", error.expected, error.observed
        ) from None


def _encoded(allowance: DebitAllowance) -> bytes:
    try:
        return allowance.to_bytes()
    except CodecError as error:
        raise RejectedOrder(
            RejectCode.PAYLOAD, error.field, error.expected, error.observed
        ) from None
