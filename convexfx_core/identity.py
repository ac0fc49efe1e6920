"""Who somebody is: OwnerId, Address, and strict Ed25519 verification.

There are no accounts. Whoever holds a key owns the vaults whose owner is the hash of that key, on
every shard; a token is named by the vault that mints it. Everything above, from orders to the
gateway's array, says who in these terms.

A signature must be valid for everybody or for nobody, or two machines would seal different batches.
So the rule is one library's verdict, not a text with two readings: libsodium (PyNaCl) refuses
small-order keys and commitments, non-canonical point encodings and S >= L.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NewType, Self

import base58
import numpy as np
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError
from numpy.typing import NDArray

from convexfx_core.encoding.canonical import Reader, Writer
from convexfx_core.errors import CodecError

OwnerId = NewType("OwnerId", bytes)
"""SHA-256 of the 32 raw bytes of an Ed25519 public key."""

HASH_BYTES: Final = 32
PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
ADDRESS_BYTES: Final = 40
VERIFY_ROWS: Final = 1 << 16
"""Rows whose messages are laid out beside their signatures at a time, to bound memory."""
U64_MAX: Final = (1 << 64) - 1
_BASE58: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]+", re.ASCII)
_SHARD: Final = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)


def owner_id(pub_key: bytes) -> OwnerId:
    """OwnerId of a raw public key; :class:`CodecError` unless it has 32 bytes."""
    if len(pub_key) != PUBLIC_KEY_BYTES:
        raise CodecError("pub_key", f"{PUBLIC_KEY_BYTES} bytes", len(pub_key))
    return OwnerId(sha256(pub_key).digest())


def base58_encode(data: bytes) -> str:
    """Base58 text (Bitcoin alphabet), as delta writes hashes, keys and signatures."""
    return base58.b58encode(data).decode("ascii")


def base58_decode(text: str, length: int, field: str = "base58") -> bytes:
    """Exactly ``length`` bytes from base58 text; :class:`CodecError` naming ``field`` otherwise."""
    longest = length * 138 // 100 + 1
    if not 0 < len(text) <= longest or not _BASE58.fullmatch(text):
        raise CodecError(field, f"base58 of {length} bytes", text)
    data: bytes = base58.b58decode(text)
    if len(data) != length:
        raise CodecError(field, f"base58 of {length} bytes", text)
    return data


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A vault, or the mint vault that names a token: (owner, shard).

    Attributes
    ----------
    owner : 32 bytes.
    shard : at least 1, below 2^64.
    """

    owner: OwnerId
    shard: int

    def __post_init__(self) -> None:
        """Refuse what no address can be."""
        if len(self.owner) != HASH_BYTES:
            raise CodecError("owner", f"{HASH_BYTES} bytes", len(self.owner))
        if not 1 <= self.shard <= U64_MAX:
            raise CodecError("shard", "an integer from 1 to 2^64 - 1", self.shard)

    @classmethod
    def parse(cls, text: str, field: str = "address") -> Self:
        """Read ``"<owner base58>,<shard>"``; :class:`CodecError` naming ``field`` otherwise."""
        owner, comma, shard = text.partition(",")
        if not comma or not _SHARD.fullmatch(shard):
            raise CodecError(field, '"<owner base58>,<shard>" with shard >= 1', text)
        if int(shard) > U64_MAX:
            raise CodecError(field, "a shard below 2^64", text)
        return cls(OwnerId(base58_decode(owner, HASH_BYTES, field)), int(shard))

    def __str__(self) -> str:
        """``"<owner base58>,<shard>"``."""
        return f"{base58_encode(self.owner)},{self.shard}"

    def to_bytes(self) -> bytes:
        """Owner (32), shard u64."""
        return Writer().fixed(self.owner, HASH_BYTES, "owner").u64(self.shard, "shard").getvalue()

    @classmethod
    def read(cls, reader: Reader, field: str = "address") -> Self:
        """Owner (32), shard u64 from ``reader``; :class:`CodecError` for shard 0."""
        owner = OwnerId(reader.fixed(HASH_BYTES, f"{field} owner"))
        return cls(owner, reader.u64(f"{field} shard"))


def verify_signature(pub_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (64 bytes) of ``message`` by ``pub_key`` (32 bytes) holds, strictly."""
    if len(pub_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        crypto_sign_open(bytes(signature) + bytes(message), bytes(pub_key))
    except BadSignatureError:
        return False
    return True


def verify_rows(
    payloads: NDArray[np.uint8],
    pub_keys: NDArray[np.uint8],
    signatures: NDArray[np.uint8],
    rows: NDArray[np.int64] | None = None,
) -> NDArray[np.bool_]:
    """Verify fixed-width rows: u8[K, L] messages, u8[K, 32] keys, u8[K, 64] signatures.

    A plain loop over libsodium, which lets other threads run; using threads is the caller's
    business. ``rows`` selects R rows by position; the answer is bool[R], by default bool[K].
    """
    count = len(payloads)
    if pub_keys.shape != (count, PUBLIC_KEY_BYTES) or signatures.shape != (count, SIGNATURE_BYTES):
        raise CodecError("signature columns", f"{count} rows of 32 and 64 bytes", pub_keys.shape)
    chosen = np.arange(count) if rows is None else rows
    parts = [chosen[i : i + VERIFY_ROWS] for i in range(0, len(chosen), VERIFY_ROWS)]
    verdicts = [_verify_part(payloads[p], pub_keys[p], signatures[p]) for p in parts]
    return np.concatenate([np.zeros(0, dtype=np.bool_), *verdicts])


def _verify_part(
    payloads: NDArray[np.uint8], pub_keys: NDArray[np.uint8], signatures: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    signed = np.concatenate([signatures, payloads], axis=1)
    keys, messages, step = pub_keys.tobytes(), signed.tobytes(), signed.shape[1]
    valid = np.zeros(len(payloads), dtype=np.bool_)
    for i in range(len(payloads)):
        try:
            crypto_sign_open(messages[i * step : (i + 1) * step], keys[32 * i : 32 * i + 32])
        except BadSignatureError:
            continue
        valid[i] = True
    return valid


def owner_ids(pub_keys: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """OwnerIds of public keys, u8[K, 32] -> u8[K, 32]."""
    return hash_rows(pub_keys)


def hash_rows(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """SHA-256 of each row of u8[K, L], as u8[K, 32]; of payloads these are the order ids."""
    count, width = rows.shape
    flat = memoryview(rows.tobytes())
    digests = b"".join(sha256(flat[i * width : (i + 1) * width]).digest() for i in range(count))
    return np.frombuffer(digests, dtype=np.uint8).reshape(count, HASH_BYTES)
