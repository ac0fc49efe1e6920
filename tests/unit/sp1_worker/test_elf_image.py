"""The committed guest is a program that SP1 v6 accepts: segments, entry, every word of the code.

SP1 decodes each 32-bit word of an executable segment before it runs the first, and knows RV64IM
without fences, atomics, counters and compressed forms. Written from the RISC-V manual, not SP1.
"""

import hashlib
import re
import struct
from pathlib import Path

import pytest

from tests.support.elf_image import EXECUTABLE, READABLE, WRITABLE, parse

FOLDER = Path(__file__).resolve().parents[3] / "sp1_worker" / "elf"
ELF = FOLDER / "laws-guest.elf"
STACK_TOP = 0x7800_0000
SIZE_MAX = 200_000
ECALL, EBREAK, UNIMP = 0x0000_0073, 0x0010_0073, 0xC000_1073

ALU = {(0, f) for f in range(8)} | {(1, f) for f in range(8)} | {(32, 0), (32, 5)}
ALU_WORD = {(0, 0), (0, 1), (0, 5), (32, 0), (32, 5), (1, 0), (1, 4), (1, 5), (1, 6), (1, 7)}
FUNCT3 = {0x63: {0, 1, 4, 5, 6, 7}, 0x03: set(range(7)), 0x23: set(range(4)), 0x67: {0}}


def decodes(word: int) -> bool:
    """Whether a word is an instruction of RV64IM as SP1 takes it."""
    opcode, funct3, funct7 = word & 0x7F, word >> 12 & 7, word >> 25
    if opcode in (0x37, 0x17, 0x6F):
        return True
    if opcode in FUNCT3:
        return funct3 in FUNCT3[opcode]
    if opcode == 0x13:
        shift = {1: (0,), 5: (0, 16)}
        return word >> 26 in shift[funct3] if funct3 in shift else True
    if opcode == 0x1B:
        return funct3 == 0 or (funct3, funct7) in {(1, 0), (5, 0), (5, 32)}
    if opcode in (0x33, 0x3B):
        return (funct7, funct3) in (ALU if opcode == 0x33 else ALU_WORD)
    return word in (ECALL, EBREAK, UNIMP)


def faults(data: bytes) -> list[str]:
    """Everything for which SP1 would refuse the file, or read another program than was linked."""
    image, found = parse(data), []
    for before, after in zip(image.segments, image.segments[1:], strict=False):
        if before.end > after.address:
            found.append(f"segments overlap at {after.address:#x}")
    for segment in image.segments:
        name = f"segment at {segment.address:#x}"
        if segment.address < STACK_TOP or segment.address % 8:
            found.append(f"{name}: below the stack's top or unaligned")
        if not segment.flags & READABLE or segment.flags & 3 == EXECUTABLE | WRITABLE:
            found.append(f"{name}: unreadable, or writable code")
        if 0 < segment.file_size < segment.memory_size and segment.file_size % 8:
            found.append(f"{name}: zeroed memory starts inside a word")
    if len(image.code()) != 1:
        found.append("code lies in one segment")
    for segment in image.code():
        if segment.file_size % 4 or segment.file_size != segment.memory_size:
            found.append("code is whole words, all of them in the file")
        if not segment.address <= image.entry < segment.end or image.entry % 4:
            found.append("the entry lies in the code")
        words = struct.iter_unpack("<I", data[segment.offset :][: segment.file_size // 4 * 4])
        bad = [place for place, (word,) in enumerate(words) if not decodes(word)]
        found += [f"word {place} of the code does not decode" for place in bad]
    return found


def test_the_guest_is_a_program_that_sp1_accepts() -> None:
    assert faults(ELF.read_bytes()) == []


def test_the_guest_is_small_and_names_no_folder() -> None:
    data = ELF.read_bytes()
    assert len(data) < SIZE_MAX
    assert not re.search(rb"/(home|usr|tmp|root|src)/|\.rs\b", data)


def test_the_hash_beside_the_guest_is_its_own() -> None:
    digest = hashlib.sha256(ELF.read_bytes()).hexdigest()
    assert (FOLDER / "laws-guest.elf.sha256").read_text() == f"{digest}  laws-guest.elf\n"


def test_the_compiler_and_the_verifying_key_stand_beside_it() -> None:
    assert re.fullmatch(r"rustc \d+\.\d+\.\d+ .*\n", (FOLDER / "rustc.txt").read_text())
    assert re.fullmatch(r"(0x)?[0-9a-f]{64}\n?", (FOLDER / "vkey.txt").read_text())
    assert (FOLDER / "vkey.bin").stat().st_size > 0


@pytest.mark.parametrize(
    ("word", "name"),
    [
        (0x0000_000F, "fence"),
        (0x1005_202F, "lr.w"),
        (0xC000_2573, "rdcycle"),
        (0x0000_4501, "c.li a0, 0"),
        (0x0000_0000, "zeros"),
        (0x0205_151B, "slliw by 32"),
        (0x4005_1513, "slli with a bit of srai"),
        (0x0000_7003, "load of no size"),
        (0x0200_103B, "mulhw, which there is not"),
    ],
)
def test_canary_a_foreign_instruction_is_seen(word: int, name: str) -> None:
    assert not decodes(word), name
    data = bytearray(ELF.read_bytes())
    struct.pack_into("<I", data, parse(bytes(data)).code()[0].offset + 8, word)
    assert faults(bytes(data)) == ["word 2 of the code does not decode"]


@pytest.mark.parametrize(
    "word",
    [0x0000_0073, 0x02B5_5533, 0x02B5_0533, 0x0010_0513, 0x4015_5513, 0x0000_3503, 0x00B5_053B],
)
def test_the_neighbours_of_foreign_instructions_decode(word: int) -> None:
    assert decodes(word)


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        (4, 7, "unreadable, or writable code"),
        (16, STACK_TOP - 0x1000, "below the stack's top or unaligned"),
        (40, 0x10_0000, "all of them in the file"),
    ],
)
def test_canary_a_wrong_segment_is_seen(field: int, value: int, fault: str) -> None:
    data = bytearray(ELF.read_bytes())
    (headers,) = struct.unpack_from("<Q", data, 32)
    (size,) = struct.unpack_from("<H", data, 54)
    code = next(
        place
        for place in range(headers, headers + 16 * size, size)
        if struct.unpack_from("<II", data, place) == (1, READABLE | EXECUTABLE)
    )
    struct.pack_into("<I" if field == 4 else "<Q", data, code + field, value)
    assert any(fault in found for found in faults(bytes(data)))
