"""Signed messages of the HTTP body, read strictly into plain values.

delta calls a signed message a verifiable. Its JSON names the fields; the signature covers bytes
that are built from them again (``codec``), so JSON that says anything else fails the signature.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from devnet.gateway.codec import (
    I64_MAX,
    U64_MAX,
    VaultKey,
    debit_payload,
    from_base58,
    mint_payload,
    parse_address,
)
from devnet.gateway.refusal import Refused

AUXILIARY_BYTES_MAX: Final = 1_024
ALLOWANCES_MAX: Final = 16
CREDITS_MAX: Final = 4_096
NAME_BYTES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Signed:
    """Signed bytes and who signed them.

    Attributes
    ----------
    payload, digest : the signed bytes and their SHA-256 (the order id).
    pub_key, signature : 32 and 64 bytes, Ed25519.
    """

    payload: bytes
    digest: bytes
    pub_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Debit:
    """A DebitAllowance.

    Attributes
    ----------
    debited, credited : the two vaults.
    nonce : new nonce of the debited vault.
    allowances : (token, most that may be debited) strictly increasing by token.
    auxiliary : signed free bytes.
    """

    signed: Signed
    debited: VaultKey
    credited: VaultKey
    nonce: int
    allowances: tuple[tuple[VaultKey, int], ...]
    auxiliary: bytes


@dataclass(frozen=True, slots=True)
class Mint:
    """A FungibleTokenMint.

    Attributes
    ----------
    mint : vault of the mint, which names the token.
    nonce : new nonce of that vault.
    metadata : (name, symbol) of a Create, None for IncreaseSupply.
    credits : (vault, base units) in the signed order.
    auxiliary : signed free bytes.
    """

    signed: Signed
    mint: VaultKey
    nonce: int
    metadata: tuple[str, str] | None
    credits: tuple[tuple[VaultKey, int], ...]
    auxiliary: bytes


Verifiable = Debit | Mint


class Reader:
    """Reads verifiables of one network; keeps what base58 it has already decoded."""

    def __init__(self, network: bytes) -> None:
        self._network = network
        self._addresses: dict[str, VaultKey] = {}
        self._signers: dict[str, tuple[bytes, bytes]] = {}

    def read(self, item: object) -> Verifiable:
        """One externally tagged verifiable; raises ``Refused`` (``SCHEMA`` and kin)."""
        kind, signed = single(item, "verifiable")
        if kind == "DebitAllowance":
            return self._debit(signed)
        if kind == "FungibleTokenMint":
            return self._mint(signed)
        # NftMint exists in delta's API but has no signed bytes in codec devnet-v1.
        raise Refused("VERIFIABLE_KIND", "expected DebitAllowance or FungibleTokenMint")

    def address(self, text: object, field: str) -> VaultKey:
        """Vault named by an address."""
        key = self._addresses.get(text) if isinstance(text, str) else None
        if key is None:
            key = self._addresses[str(text)] = parse_address(text, field)
        return key

    def _container(self, signed: object) -> tuple[object, bytes, bytes, bytes, bytes]:
        """(content, auxiliary, public key, signature, owner) of a signed message."""
        payload, signature = exact(signed, ("payload", "signature"))
        auxiliary, content = exact(payload, ("auxiliary", "content"))
        kind, value = single(signature, "signature")
        if kind != "Ed25519":
            raise Refused("SIGNATURE_KIND", "expected Ed25519, the devnet verifies no other")
        key_text, raw = exact(value, ("pub_key", "signature"))
        pub_key, owner = self._signer(key_text)
        return content, _auxiliary(auxiliary), pub_key, from_base58(raw, 64, "signature"), owner

    def _signer(self, text: object) -> tuple[bytes, bytes]:
        """(public key, owner) of base58 text."""
        known = self._signers.get(text) if isinstance(text, str) else None
        if known is None:
            pub_key = from_base58(text, 32, "pub_key")
            known = self._signers[str(text)] = pub_key, hashlib.sha256(pub_key).digest()
        return known

    def _debit(self, signed: object) -> Debit:
        content, auxiliary, pub_key, signature, owner = self._container(signed)
        fields = exact(content, ("credited", "debited_shard", "new_nonce", "allowances"))
        credited = self.address(fields[0], "credited")
        debited = owner, shard(fields[1], "debited_shard")
        nonce = u64(fields[2], "new_nonce")
        allowances = self._allowances(fields[3])
        payload = debit_payload(self._network, debited, credited, nonce, allowances, auxiliary)
        proof = Signed(payload, hashlib.sha256(payload).digest(), pub_key, signature)
        return Debit(proof, debited, credited, nonce, allowances, auxiliary)

    def _allowances(self, value: object) -> tuple[tuple[VaultKey, int], ...]:
        if not isinstance(value, dict) or len(value) > ALLOWANCES_MAX:
            raise Refused("SCHEMA", f"allowances: expected at most {ALLOWANCES_MAX} tokens")
        rows = []
        for token, amount in value.items():
            kind, number = single(amount, "allowances")
            if kind != "Fungible":
                raise Refused("ALLOWANCE_KIND", "expected Fungible, codec devnet-v1 has no other")
            rows.append((self.address(token, "allowances"), u64(number, "allowances")))
        return tuple(sorted(rows))

    def _mint(self, signed: object) -> Mint:
        content, auxiliary, pub_key, signature, owner = self._container(signed)
        fields = exact(content, ("new_nonce", "shard", "operation"))
        nonce = u64(fields[0], "new_nonce")
        mint = owner, shard(fields[1], "shard")
        operation, value = single(fields[2], "operation")
        if operation == "Create":
            texts, credited = exact(value, ("metadata", "credited"))
            metadata: tuple[str, str] | None = _metadata(texts)
        elif operation == "IncreaseSupply":
            metadata, (credited,) = None, exact(value, ("credited",))
        else:
            raise Refused("SCHEMA", "operation: expected Create or IncreaseSupply")
        credits = self._credits(credited)
        payload = mint_payload(self._network, mint, nonce, metadata, credits, auxiliary)
        proof = Signed(payload, hashlib.sha256(payload).digest(), pub_key, signature)
        return Mint(proof, mint, nonce, metadata, credits, auxiliary)

    def _credits(self, value: object) -> tuple[tuple[VaultKey, int], ...]:
        if not isinstance(value, list) or len(value) > CREDITS_MAX:
            raise Refused("SCHEMA", f"credited: expected at most {CREDITS_MAX} credits")
        pairs = [exact(row, ("address", "amount")) for row in value]
        return tuple(
            (self.address(address, "credited"), u64(amount, "credited", I64_MAX))
            for address, amount in pairs
        )


def _metadata(value: object) -> tuple[str, str]:
    name, symbol = exact(value, ("name", "symbol"))
    return _text(name, "name"), _text(symbol, "symbol")


def _text(value: object, field: str) -> str:
    """Text that has UTF-8 bytes (JSON can spell some that has none), and not too many of them."""
    if isinstance(value, str):
        try:
            if len(value.encode()) <= NAME_BYTES_MAX:
                return value
        except UnicodeEncodeError:
            pass
    raise Refused("SCHEMA", f"{field}: expected at most {NAME_BYTES_MAX} bytes of UTF-8 text")


def _auxiliary(value: object) -> bytes:
    if not isinstance(value, list) or len(value) > AUXILIARY_BYTES_MAX:
        raise Refused("SCHEMA", f"auxiliary: expected at most {AUXILIARY_BYTES_MAX} byte values")
    if value and (set(map(type, value)) != {int} or min(value) < 0 or max(value) > 255):
        raise Refused("SCHEMA", "auxiliary: expected byte values 0 to 255")
    return bytes(value)


def single(value: object, field: str) -> tuple[str, object]:
    """Key and value of an externally tagged object."""
    if isinstance(value, dict) and len(value) == 1:
        for key, inner in value.items():
            return str(key), inner
    raise Refused("SCHEMA", f"{field}: expected an object of exactly one key")


def exact(value: object, names: tuple[str, ...]) -> list[object]:
    """Values of an object that has exactly these keys, in the order of ``names``."""
    if isinstance(value, dict) and len(value) == len(names):
        try:
            return [value[name] for name in names]
        except KeyError:
            pass
    raise Refused("SCHEMA", f"expected exactly the keys {', '.join(names)}")


def u64(value: object, field: str, largest: int = U64_MAX) -> int:
    """An unsigned integer of at most ``largest``."""
    if type(value) is int and 0 <= value <= largest:
        return value
    raise Refused("SCHEMA", f"{field}: expected an integer of 0 to {largest}")


def shard(value: object, field: str) -> int:
    """A shard, at least 1."""
    if u64(value, field) == 0:
        raise Refused("SHARD", f"{field}: expected at least 1")
    return u64(value, field)
