"""What a wallet signs: payloads of DebitAllowance and FungibleTokenMint.

A signature covers bytes, so the bytes need one spelling only: every field stands at its place, and
what has a second spelling is refused. An order is a DebitAllowance from its owner's vault to the
pool whose auxiliary bytes are the order's terms. Mints make the tokens that are traded; a mint is
never an order. Source: ``docs/spec.md`` section 2.
"""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from itertools import pairwise
from typing import Final, NamedTuple, Self

from convexfx_core.encoding.canonical import Reader, Writer
from convexfx_core.encoding.hashing import TAG_DEBIT, TAG_MINT, tag_bytes
from convexfx_core.errors import CodecError
from convexfx_core.identity import Address
from convexfx_core.limits import ALLOWANCES_MAX, AUXILIARY_BYTES_MAX

CODEC_NAME: Final = "devnet-v1"
CODEC_VERSION: Final = 1
CREDITS_MAX: Final = 1_000
NAME_BYTES_MAX: Final = 256


class MintOperation(IntEnum):
    """What a mint does."""

    CREATE = 0
    INCREASE_SUPPLY = 1


class Allowance(NamedTuple):
    """The most that may be debited of one token, base units."""

    token: Address
    amount: int


class Credit(NamedTuple):
    """What a mint credits to one vault, base units."""

    address: Address
    amount: int


@dataclass(frozen=True, slots=True)
class DebitAllowance:
    """An allowance from one vault to another.

    Attributes
    ----------
    network_id : 32 bytes.
    debited, credited : the two vaults.
    new_nonce : the debited vault's nonce after it.
    allowances : at most 16, strictly increasing by token (owner, shard).
    auxiliary : signed bytes, here the 72 bytes of the terms.
    """

    network_id: bytes
    debited: Address
    credited: Address
    new_nonce: int
    allowances: tuple[Allowance, ...]
    auxiliary: bytes

    def to_bytes(self) -> bytes:
        """The signed bytes; :class:`CodecError` for what has no canonical form."""
        _check_allowances(self.allowances)
        writer = Writer().raw(tag_bytes(TAG_DEBIT)).u32(CODEC_VERSION).u32(len(self.allowances))
        writer.fixed(self.network_id, 32, "network id")
        writer.raw(self.debited.to_bytes()).raw(self.credited.to_bytes())
        writer.u64(self.new_nonce, "new_nonce")
        for token, amount in self.allowances:
            writer.raw(token.to_bytes()).u64(amount, "amount")
        return writer.raw(_auxiliary(self.auxiliary)).getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode exactly what :meth:`to_bytes` writes; :class:`CodecError` for anything else."""
        reader = Reader(data, "debit allowance")
        count = _read_head(reader, TAG_DEBIT)
        network = reader.fixed(32, "network id")
        debited, credited = Address.read(reader, "debited"), Address.read(reader, "credited")
        nonce = reader.u64("new_nonce")
        allowances = tuple(
            Allowance(Address.read(reader, "token"), reader.u64("amount")) for _ in range(count)
        )
        auxiliary = reader.sized(AUXILIARY_BYTES_MAX, "auxiliary")
        reader.end()
        _check_allowances(allowances)
        return cls(network, debited, credited, nonce, allowances, auxiliary)

    @property
    def order_id(self) -> bytes:
        """SHA-256 of the signed bytes, 32 bytes."""
        return sha256(self.to_bytes()).digest()


@dataclass(frozen=True, slots=True)
class MintPayload:
    """Creation of a token, or more supply of it.

    Attributes
    ----------
    network_id : 32 bytes.
    mint : the mint vault, which names the token.
    new_nonce : the mint vault's nonce after it.
    operation : Create or IncreaseSupply; the latter has empty name and symbol.
    credits : what is credited to whom; the new supply is their sum.
    """

    network_id: bytes
    mint: Address
    new_nonce: int
    operation: MintOperation
    name: str
    symbol: str
    credits: tuple[Credit, ...]
    auxiliary: bytes = b""

    def to_bytes(self) -> bytes:
        """The signed bytes; :class:`CodecError` for what has no canonical form."""
        self._check()
        writer = Writer().raw(tag_bytes(TAG_MINT)).u32(CODEC_VERSION).u32(len(self.credits))
        writer.fixed(self.network_id, 32, "network id").raw(self.mint.to_bytes())
        writer.u64(self.new_nonce, "new_nonce").u64(self.operation, "operation")
        writer.sized(_utf8(self.name, "name")).sized(_utf8(self.symbol, "symbol"))
        for address, amount in self.credits:
            writer.raw(address.to_bytes()).u64(amount, "amount")
        return writer.raw(_auxiliary(self.auxiliary)).getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode exactly what :meth:`to_bytes` writes; :class:`CodecError` for anything else."""
        reader = Reader(data, "mint")
        count = _read_head(reader, TAG_MINT)
        network, mint = reader.fixed(32, "network id"), Address.read(reader, "mint")
        nonce, operation = reader.u64("new_nonce"), _operation(reader.u64("operation"))
        name, symbol = _text(reader, "name"), _text(reader, "symbol")
        credited = tuple(
            Credit(Address.read(reader, "credited"), reader.u64("amount")) for _ in range(count)
        )
        auxiliary = reader.sized(AUXILIARY_BYTES_MAX, "auxiliary")
        reader.end()
        payload = cls(network, mint, nonce, operation, name, symbol, credited, auxiliary)
        payload._check()
        return payload

    def _check(self) -> None:
        if len(self.credits) > CREDITS_MAX:
            raise CodecError("credited", f"at most {CREDITS_MAX} credits", len(self.credits))
        if self.operation == MintOperation.INCREASE_SUPPLY and (self.name or self.symbol):
            raise CodecError("name", "no name or symbol in IncreaseSupply", self.name)


def _read_head(reader: Reader, tag: str) -> int:
    reader.tag(tag)
    if (version := reader.u32("version")) != CODEC_VERSION:
        raise CodecError("codec version", str(CODEC_VERSION), version)
    return reader.u32("count")


def _check_allowances(allowances: tuple[Allowance, ...]) -> None:
    if len(allowances) > ALLOWANCES_MAX:
        raise CodecError("allowances", f"at most {ALLOWANCES_MAX}", len(allowances))
    tokens = [allowance.token for allowance in allowances]
    if any(left >= right for left, right in pairwise(tokens)):
        raise CodecError("allowances", "strictly increasing tokens", [str(t) for t in tokens])


def _auxiliary(data: bytes) -> bytes:
    if len(data) > AUXILIARY_BYTES_MAX:
        raise CodecError("auxiliary", f"at most {AUXILIARY_BYTES_MAX} bytes", len(data))
    return Writer().sized(data).getvalue()


def _utf8(text: str, field: str) -> bytes:
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise CodecError(field, "text without lone surrogates", text) from None
    if len(data) > NAME_BYTES_MAX:
        raise CodecError(field, f"at most {NAME_BYTES_MAX} bytes", len(data))
    return data


def _text(reader: Reader, field: str) -> str:
    data = reader.sized(NAME_BYTES_MAX, field)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise CodecError(field, "UTF-8 text", data.hex()) from None


def _operation(value: int) -> MintOperation:
    if value not in (MintOperation.CREATE, MintOperation.INCREASE_SUPPLY):
        raise CodecError("operation", "0 Create or 1 IncreaseSupply", value)
    return MintOperation(value)
