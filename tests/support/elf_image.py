"""What a loader sees of an ELF file: entry and loaded segments."""

import struct
from dataclasses import dataclass

EXECUTABLE, WRITABLE, READABLE = 1, 2, 4


@dataclass(frozen=True)
class Segment:
    """A part of the file that is loaded: addresses and sizes in bytes."""

    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int

    @property
    def end(self) -> int:
        return self.address + self.memory_size


@dataclass(frozen=True)
class Image:
    """What the loader sees of an ELF file."""

    data: bytes
    entry: int
    segments: tuple[Segment, ...]

    def code(self) -> list[Segment]:
        return [segment for segment in self.segments if segment.flags & EXECUTABLE]


def parse(data: bytes) -> Image:
    """Header and loaded segments of a 64-bit little-endian RISC-V executable."""
    assert data[:6] == b"\x7fELF\x02\x01", "64-bit little-endian ELF"
    kind, machine = struct.unpack_from("<HH", data, 16)
    assert (kind, machine) == (2, 243), "an executable for RISC-V"
    entry, headers = struct.unpack_from("<QQ", data, 24)
    size, count = struct.unpack_from("<HH", data, 54)
    rows = [struct.unpack_from("<IIQQQQQQ", data, headers + size * i) for i in range(count)]
    loaded = [Segment(row[1], row[2], row[3], row[5], row[6]) for row in rows if row[0] == 1]
    return Image(data, entry, tuple(loaded))
