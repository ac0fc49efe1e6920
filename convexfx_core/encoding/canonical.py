"""The one byte encoding: little-endian, fixed width, every byte checked (``docs/spec.md`` 1).

Whatever is hashed, signed or proven has exactly one encoding, because two encodings of one thing
would be two hashes of it. So every record of the protocol is written by :class:`Writer` and read by
:class:`Reader`; tables of many rows are numpy structures with the same layout.
"""

from collections.abc import Iterable
from typing import Self

from convexfx_core.encoding.hashing import tag_bytes
from convexfx_core.errors import CodecError


def padded_length(length: int) -> int:
    """Least multiple of 8 that is not below ``length``."""
    return -(-length // 8) * 8


class Writer:
    """Appends little-endian fields; each method returns the writer."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def unsigned(self, value: int, width: int, field: str = "value") -> Self:
        """An unsigned integer of ``width`` bytes; :class:`CodecError` if it does not fit."""
        if not 0 <= value < 1 << (8 * width):
            raise CodecError(field, f"an unsigned {8 * width}-bit integer", value)
        self._parts.append(int(value).to_bytes(width, "little"))
        return self

    def signed(self, value: int, width: int, field: str = "value") -> Self:
        """A two's complement integer of ``width`` bytes; :class:`CodecError` if it does not fit."""
        if not -(1 << (8 * width - 1)) <= value < 1 << (8 * width - 1):
            raise CodecError(field, f"a signed {8 * width}-bit integer", value)
        self._parts.append(int(value).to_bytes(width, "little", signed=True))
        return self

    def all_unsigned(self, values: Iterable[int], width: int, field: str = "value") -> Self:
        """One unsigned integer of ``width`` bytes after the other, as many as there are."""
        for value in values:
            self.unsigned(value, width, field)
        return self

    def all_signed(self, values: Iterable[int], width: int, field: str = "value") -> Self:
        """One two's complement integer of ``width`` bytes after the other."""
        for value in values:
            self.signed(value, width, field)
        return self

    def u16(self, value: int, field: str = "value") -> Self:
        """Two bytes, unsigned."""
        return self.unsigned(value, 2, field)

    def u32(self, value: int, field: str = "value") -> Self:
        """Four bytes, unsigned."""
        return self.unsigned(value, 4, field)

    def u64(self, value: int, field: str = "value") -> Self:
        """Eight bytes, unsigned."""
        return self.unsigned(value, 8, field)

    def i16(self, value: int, field: str = "value") -> Self:
        """Two bytes, signed."""
        return self.signed(value, 2, field)

    def i128(self, value: int, field: str = "value") -> Self:
        """Sixteen bytes, signed."""
        return self.signed(value, 16, field)

    def fixed(self, value: bytes, length: int, field: str = "bytes") -> Self:
        """Exactly ``length`` bytes as they are."""
        if len(value) != length:
            raise CodecError(field, f"{length} bytes", len(value))
        self._parts.append(bytes(value))
        return self

    def raw(self, value: bytes) -> Self:
        """Bytes as they are, of any length."""
        self._parts.append(bytes(value))
        return self

    def ascii(self, text: str, length: int, field: str = "text") -> Self:
        """ASCII text zero-padded to ``length`` bytes."""
        if len(text) > length or not text.isascii() or "\0" in text:
            raise CodecError(field, f"at most {length} ASCII characters", text)
        self._parts.append(text.encode("ascii").ljust(length, b"\0"))
        return self

    def sized(self, value: bytes) -> Self:
        """Length as u64, then the bytes, zero-padded to a multiple of 8."""
        self.u64(len(value), "length")
        self._parts.append(bytes(value).ljust(padded_length(len(value)), b"\0"))
        return self

    def getvalue(self) -> bytes:
        """Everything written so far."""
        return b"".join(self._parts)


class Reader:
    """Reads little-endian fields and never past the end; every failure is a :class:`CodecError`.

    A view is read where it lies: a section of a witness of some hundred megabytes is not copied.
    """

    def __init__(self, data: bytes | memoryview, name: str = "bytes") -> None:
        self._data = memoryview(data)
        self._at = 0
        self._name = name

    @property
    def offset(self) -> int:
        """Bytes consumed so far."""
        return self._at

    @property
    def remaining(self) -> int:
        """Bytes that are left."""
        return len(self._data) - self._at

    def fixed(self, length: int, field: str = "bytes") -> bytes:
        """The next ``length`` bytes."""
        if length < 0 or length > self.remaining:
            raise CodecError(f"{self._name}.{field}", f"{length} more bytes", self.remaining)
        self._at += length
        return bytes(self._data[self._at - length : self._at])

    def unsigned(self, width: int, field: str = "value") -> int:
        """Unsigned integer of ``width`` bytes."""
        return int.from_bytes(self.fixed(width, field), "little")

    def signed(self, width: int, field: str = "value") -> int:
        """Two's complement integer of ``width`` bytes."""
        return int.from_bytes(self.fixed(width, field), "little", signed=True)

    def all_unsigned(self, count: int, width: int, field: str = "value") -> tuple[int, ...]:
        """The next ``count`` unsigned integers of ``width`` bytes each."""
        return tuple(self.unsigned(width, field) for _ in range(count))

    def all_signed(self, count: int, width: int, field: str = "value") -> tuple[int, ...]:
        """The next ``count`` two's complement integers of ``width`` bytes each."""
        return tuple(self.signed(width, field) for _ in range(count))

    def u16(self, field: str = "value") -> int:
        """Two bytes, unsigned."""
        return self.unsigned(2, field)

    def u32(self, field: str = "value") -> int:
        """Four bytes, unsigned."""
        return self.unsigned(4, field)

    def u64(self, field: str = "value") -> int:
        """Eight bytes, unsigned."""
        return self.unsigned(8, field)

    def i16(self, field: str = "value") -> int:
        """Two bytes, signed."""
        return self.signed(2, field)

    def i128(self, field: str = "value") -> int:
        """Sixteen bytes, signed."""
        return self.signed(16, field)

    def zeros(self, length: int, field: str = "reserved") -> None:
        """``length`` bytes that must be zero."""
        found = self.fixed(length, field)
        if any(found):
            raise CodecError(f"{self._name}.{field}", "zero bytes", found.hex())

    def tag(self, tag: str) -> None:
        """The 16 bytes of ``tag``."""
        found = self.fixed(16, "tag")
        if found != tag_bytes(tag):
            raise CodecError(f"{self._name}.tag", tag, found.hex())

    def ascii(self, length: int, field: str = "text") -> str:
        """ASCII text zero-padded to ``length`` bytes; zeros only at its end."""
        found = self.fixed(length, field).rstrip(b"\0")
        if b"\0" in found or not found.isascii():
            raise CodecError(f"{self._name}.{field}", "ASCII text, zeros after it", found.hex())
        return found.decode("ascii")

    def sized(self, length_max: int, field: str = "bytes") -> bytes:
        """Length as u64 (checked before use), the bytes, and their zero padding."""
        length = self.u64(f"{field} length")
        if length > length_max:
            raise CodecError(f"{self._name}.{field}", f"at most {length_max} bytes", length)
        value = self.fixed(length, field)
        self.zeros(padded_length(length) - length, f"{field} padding")
        return value

    def end(self) -> None:
        """Nothing may be left."""
        if self.remaining:
            raise CodecError(self._name, "no further bytes", self.remaining)
