"""Decoding side of ``docs/spec.md``: hashes, text forms and a strict reader of bytes.

It is written from that page alone. The gateway has an encoder of its own, so an error in either
shows as bytes that do not fit.
"""

import base64
import binascii
from hashlib import sha256
from typing import NamedTuple

import base58

from devnet.settlement.invalid import Invalid

ROWS_PER_CHUNK = 64


class Address(NamedTuple):
    """Owner (32 bytes) and shard; also the name of the token that this vault mints."""

    owner: bytes
    shard: int

    def __str__(self) -> str:
        return f"{b58(self.owner)},{self.shard}"


def h(tag: str, data: bytes) -> bytes:
    """``H(tag, data)`` of section 1."""
    return sha256(tag.encode().ljust(16, b"\0") + data).digest()


def le64(number: int) -> bytes:
    """Eight bytes, little-endian, unsigned."""
    return number.to_bytes(8, "little")


def merkle_root(rows: bytes, row_bytes: int) -> bytes:
    """Root over chunks of 64 rows; an odd last node rises unchanged; zero for no rows."""
    step = ROWS_PER_CHUNK * row_bytes
    nodes = [h("cfx.chunk.v1", rows[at : at + step]) for at in range(0, len(rows), step)]
    while len(nodes) > 1:
        odd = nodes.pop() if len(nodes) % 2 else None
        above = zip(nodes[0::2], nodes[1::2], strict=True)
        nodes = [h("cfx.node.v1", left + right) for left, right in above]
        if odd is not None:
            nodes.append(odd)
    return nodes[0] if nodes else bytes(32)


def table(tag: str, rows: bytes, row_bytes: int) -> bytes:
    """Table root of rows that stand one after another."""
    return h(tag, merkle_root(rows, row_bytes) + le64(len(rows) // row_bytes))


def b58(raw: bytes) -> str:
    """Base58 text."""
    return base58.b58encode(raw).decode()


def unb58(value: object, size: int, name: str) -> bytes:
    """Bytes of base58 text, of exactly ``size``; else ``Invalid`` ``SCHEMA`` naming ``name``."""
    # Decoding takes the square of the length; n bytes have at most 1.38 n characters.
    text = value if isinstance(value, str) and len(value) <= 2 * size else ""
    try:
        raw = base58.b58decode(text)
    except ValueError:
        raw = b""
    if len(raw) != size or b58(raw) != value:
        raise Invalid("SCHEMA", f"{name}: expected base58 of {size} bytes")
    return raw


def unhex(value: object, size: int | None, name: str) -> bytes:
    """Bytes of lower-case hexadecimal text; ``size`` None permits any length."""
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else None
    except ValueError:
        raw = None
    if raw is None or (size is not None and len(raw) != size) or raw.hex() != value:
        length = "hexadecimal" if size is None else f"hexadecimal of {size} bytes"
        raise Invalid("SCHEMA", f"{name}: expected {length}")
    return raw


def unbase64(value: object, name: str) -> bytes:
    """Bytes of base64 text."""
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("SCHEMA", f"{name}: expected base64") from None


def integer(value: object, name: str, low: int = 0, high: int = (1 << 64) - 1) -> int:
    """An integer between ``low`` and ``high``, both allowed."""
    if type(value) is not int or not low <= value <= high:
        raise Invalid("SCHEMA", f"{name}: expected an integer of {low} to {high}")
    return value


def address(value: object, name: str) -> Address:
    """Address of its text form."""
    owner, shard = _split(value, name)
    return Address(unb58(owner, 32, name), shard)


def hex_address(value: object, name: str) -> Address:
    """Address in the form of SDL transactions: owner in hexadecimal, comma, shard."""
    owner, shard = _split(value, name)
    return Address(unhex(owner, 32, name), shard)


def _split(value: object, name: str) -> tuple[str, int]:
    owner, _, shard = value.partition(",") if isinstance(value, str) else ("", "", "")
    if not shard.isdecimal() or len(shard) > 20 or str(int(shard)) != shard:
        raise Invalid("SCHEMA", f'{name}: expected "<owner>,<shard>"')
    return owner, integer(int(shard), name, 1)


class Bytes:
    """Reader that gives out a byte string piece by piece and insists on its end."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def take(self, size: int) -> bytes:
        """Next ``size`` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise Invalid("CODEC", f"{self._what}: ends too early")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def u32(self) -> int:
        """Next four bytes as an unsigned integer."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """Next eight bytes as an unsigned integer."""
        return int.from_bytes(self.take(8), "little")

    def address(self) -> Address:
        """Owner, then shard."""
        return Address(self.take(32), self.u64())

    def tag(self, name: str, version: int) -> None:
        """A 16-byte tag followed by a u32 version."""
        found = self.take(16), self.u32()
        if found != (name.encode().ljust(16, b"\0"), version):
            raise Invalid("CODEC", f"{self._what}: expected {name} version {version}")

    def text(self, most: int) -> bytes:
        """Length, bytes and zero padding to a multiple of 8."""
        size = self.u64()
        if size > most:
            raise Invalid("CODEC", f"{self._what}: expected at most {most} bytes")
        raw = self.take(size)
        if any(self.take(-size % 8)):
            raise Invalid("CODEC", f"{self._what}: expected zero padding")
        return raw

    def end(self) -> None:
        """Refuse bytes that are left over."""
        if self._at != len(self._data):
            raise Invalid("CODEC", f"{self._what}: bytes left over")
