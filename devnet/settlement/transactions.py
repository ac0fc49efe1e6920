"""Transactions that a domain's operator sends: an SDL, and later its proof.

They are read strictly and their operator's signature is checked before ``chain`` sees them, so that
nobody can submit in the name of another domain.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from devnet.settlement.agreement import signed_by
from devnet.settlement.codec import Address, b58, integer, le64, unb58, unhex
from devnet.settlement.invalid import Invalid
from devnet.settlement.messages import DebitMessage, MintMessage, decode_debit, decode_mint

ITEMS_MAX: Final = 1 << 22
"""Two verifiables for each of two million orders."""


@dataclass(frozen=True, slots=True)
class Item:
    """One verifiable of an SDL with what the domain executed of it.

    Attributes
    ----------
    message : decoded from ``payload``; ``payload``, ``pub_key``, ``signature`` as sent.
    executed : base units debited of each allowance; empty for a mint.
    """

    message: DebitMessage | MintMessage
    payload: bytes
    pub_key: bytes
    signature: bytes
    executed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SdlTransaction:
    """An SDL whose operator's signature holds.

    Attributes
    ----------
    sdl_hash : as the operator claims it, 32 bytes.
    items : in order.
    diffs : aggregated differences as the operator claims them, raw JSON.
    body : the JSON as it was sent.
    """

    sdl_hash: bytes
    shard: int
    operator_key: bytes
    items: tuple[Item, ...]
    diffs: object
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """SDL hash in base58."""
        return b58(self.sdl_hash)

    @property
    def operator(self) -> Address:
        """Vault of the operator on this shard."""
        return Address(sha256(self.operator_key).digest(), self.shard)

    @property
    def mints_only(self) -> bool:
        """Whether it holds nothing but mints."""
        return all(isinstance(item.message, MintMessage) for item in self.items)


@dataclass(frozen=True, slots=True)
class ProofTransaction:
    """A proof envelope whose operator's signature holds."""

    sdl_hash: bytes
    shard: int
    operator_key: bytes
    envelope: bytes


def read_sdl(body: object, network: bytes) -> SdlTransaction:
    """SDL transaction of this network.

    Raises
    ------
    Invalid
        ``SCHEMA``, ``CODEC``, ``NETWORK`` or ``OPERATOR_SIGNATURE``; nothing is stored then.
    """
    names = ("sdl_hash", "shard", "operator_key", "items", "diffs", "signature")
    fields = _fields(body, names, "SDL transaction")
    items = fields["items"]
    if not isinstance(items, list) or not 1 <= len(items) <= ITEMS_MAX:
        raise Invalid("SCHEMA", f"items: expected 1 to {ITEMS_MAX} verifiables")
    sdl = SdlTransaction(
        unb58(fields["sdl_hash"], 32, "sdl_hash"),
        integer(fields["shard"], "shard", 1),
        unhex(fields["operator_key"], 32, "operator_key"),
        tuple(_item(row, network) for row in items),
        fields["diffs"],
        fields,
    )
    signed = b"dev.sdltx.v1".ljust(16, b"\0") + network + le64(sdl.shard) + sdl.sdl_hash
    _check_operator(sdl.operator_key, signed, fields["signature"])
    return sdl


def read_proof(body: object, network: bytes) -> ProofTransaction:
    """Proof transaction of this network; raises like :func:`read_sdl`."""
    names = ("sdl_hash", "shard", "operator_key", "envelope", "signature")
    fields = _fields(body, names, "proof transaction")
    proof = ProofTransaction(
        unb58(fields["sdl_hash"], 32, "sdl_hash"),
        integer(fields["shard"], "shard", 1),
        unhex(fields["operator_key"], 32, "operator_key"),
        unhex(fields["envelope"], None, "envelope"),
    )
    signed = b"dev.prooftx.v1".ljust(16, b"\0") + network + le64(proof.shard)
    signed += proof.sdl_hash + sha256(proof.envelope).digest()
    _check_operator(proof.operator_key, signed, fields["signature"])
    return proof


def _fields(body: object, names: tuple[str, ...], what: str) -> dict[str, Any]:
    if not isinstance(body, dict) or body.keys() != set(names):
        raise Invalid("SCHEMA", f"{what}: expected exactly the keys {', '.join(names)}")
    return body


def _check_operator(pub_key: bytes, message: bytes, signature: object) -> None:
    if not signed_by(pub_key, message, unhex(signature, 64, "signature")):
        raise Invalid("OPERATOR_SIGNATURE", "expected a signature of operator_key")


def _item(row: object, network: bytes) -> Item:
    names = ("kind", "payload", "pub_key", "signature", "executed")
    fields = _fields(row, names, "item")
    payload = unhex(fields["payload"], None, "payload")
    executed = fields["executed"]
    if not isinstance(executed, list):
        raise Invalid("SCHEMA", "executed: expected a list of integers")
    message: DebitMessage | MintMessage
    if fields["kind"] == "debit":
        message = decode_debit(payload, network)
        expected = len(message.allowances)
    elif fields["kind"] == "mint":
        message, expected = decode_mint(payload, network), 0
    else:
        raise Invalid("SCHEMA", "kind: expected debit or mint")
    if len(executed) != expected:
        raise Invalid("SCHEMA", f"executed: expected {expected} amounts")
    return Item(
        message,
        payload,
        unhex(fields["pub_key"], 32, "pub_key"),
        unhex(fields["signature"], 64, "signature"),
        tuple(integer(amount, "executed") for amount in executed),
    )
