"""RV64IM in Python with the calls of SP1 v6 that the guest makes: a second machine under the ELF.

Written from the RISC-V manual, FIPS 180-4 and ``sp1_worker/README.md``. Registers and memory that
the image does not name hold garbage until they are written, as a hostile prover may have it: SP1
does not constrain them.
"""

import itertools
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.elf_image import parse

M64, M32 = (1 << 64) - 1, (1 << 32) - 1
HALT, WRITE, COMMIT, COMMIT_DEFERRED, HINT_LEN, HINT_READ = 0, 2, 0x10, 0x1A, 0xF0, 0xF1
SHA_EXTEND, SHA_COMPRESS = 0x30_0105, 0x1_0106
STEPS_MAX = 2_000_000
T0, A0, A1, A2 = 5, 10, 11, 12


def primes() -> Iterator[int]:
    for n in itertools.count(2):
        if all(n % p for p in range(2, n)):
            yield n


def cube_root(n: int) -> int:
    root = round(n ** (1 / 3))
    while root**3 > n:
        root -= 1
    while (root + 1) ** 3 <= n:
        root += 1
    return root


ROUNDS = [cube_root(p << 96) & M32 for p in itertools.islice(primes(), 64)]


def signed(value: int, bits: int = 64) -> int:
    """Two's complement of the low ``bits``."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def turned(word: int, by: int) -> int:
    return (word >> by | word << (32 - by)) & M32


def compressed(state: list[int], w: list[int]) -> list[int]:
    """One block of SHA-256 whose schedule is made."""
    a, b, c, d, e, f, g, h = state
    for k, x in zip(ROUNDS, w, strict=True):
        t = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + (e & f ^ ~e & g) + k + x
        u = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + (a & b ^ a & c ^ b & c)
        h, g, f, e, d, c, b, a = g, f, e, (d + t) & M32, c, b, a, (t + u) & M32
    return [(x + y) & M32 for x, y in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def divided(a: int, b: int, bits: int) -> tuple[int, int]:
    """Quotient and remainder towards zero, with RISC-V's answers for zero."""
    if b == 0:
        return -1, a
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return signed(quotient, bits), a - quotient * b


@dataclass
class Machine:
    """The machine with a program and its one input; ``run`` ends at HALT."""

    elf: bytes
    witness: bytes
    seed: int = 1
    public_values: bytes = b""
    said: bytes = b""
    steps: int = 0
    digest: dict[int, int] = field(default_factory=dict)
    x: list[int] = field(default_factory=list)
    words: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.x = [0, *(self.chance.getrandbits(64) for _ in range(31))]
        image = parse(self.elf)
        self.pc = image.entry
        for segment in image.segments:
            held = self.elf[segment.offset :][: segment.file_size]
            held = held.ljust(-(-segment.memory_size // 8) * 8, b"\0")
            for place, (word,) in enumerate(struct.iter_unpack("<Q", held)):
                self.words[segment.address // 8 + place] = word

    def word(self, place: int) -> int:
        """An aligned word by its number; garbage from now on, where nothing was written."""
        found = self.words.get(place)
        if found is None:
            found = self.words[place] = self.chance.getrandbits(64)
        return found

    def load(self, address: int, size: int) -> int:
        assert address % size == 0, "an aligned load"
        return self.word(address >> 3) >> 8 * (address & 7) & ((1 << 8 * size) - 1)

    def store(self, address: int, size: int, value: int) -> None:
        assert address % size == 0, "an aligned store"
        at, mask = 8 * (address & 7), (1 << 8 * size) - 1
        whole = self.word(address >> 3) if size < 8 else 0
        self.words[address >> 3] = whole & ~(mask << at) & M64 | (value & mask) << at

    def run(self) -> int:
        """Steps until HALT; the exit code."""
        while self.steps < STEPS_MAX:
            self.steps += 1
            w = self.load(self.pc, 4)
            if w == 0x73:
                if self.x[T0] == HALT:
                    return self.x[A0]
                self.call()
                self.pc += 4
            else:
                self.step(w)
        raise AssertionError("the guest does not end")

    def step(self, w: int) -> None:
        """One instruction that is no call."""
        op, rd, funct, rs1, rs2 = w & 127, w >> 7 & 31, w >> 12 & 7, w >> 15 & 31, w >> 20 & 31
        a, b, following, result = self.x[rs1], self.x[rs2], self.pc + 4, None
        immediate = signed(w >> 20, 12)
        if op == 0x13:
            sub = w >> 26 == 16 and funct == 5
            shift = immediate & 63 if funct in (1, 5) else immediate
            result = self.alu(funct, sub, a, shift)
        elif op == 0x33 and w >> 25 != 1:
            result = self.alu(funct, w >> 30 == 1, a, b)
        elif op == 0x33:
            result = self.multiply(funct, a, b)
        elif op == 0x03:
            size = 1 << (funct & 3)
            result = self.load((a + immediate) & M64, size)
            result = result if funct & 4 else signed(result, 8 * size)
        elif op == 0x23:
            offset = signed(w >> 25 << 5 | rd, 12)
            self.store((a + offset) & M64, 1 << funct, b)
        elif op == 0x63:
            if self.branches(funct, a, b):
                offset = w >> 31 << 12 | (w >> 7 & 1) << 11 | (w >> 25 & 63) << 5 | (rd & 30)
                following = self.pc + signed(offset, 13)
        elif op in (0x37, 0x17):
            result = signed(w & 0xFFFF_F000, 32) + (self.pc if op == 0x17 else 0)
        elif op == 0x6F:
            offset = w >> 31 << 20 | (w >> 12 & 255) << 12 | (w >> 20 & 1) << 11
            result, following = following, self.pc + signed(offset | (w >> 21 & 1023) << 1, 21)
        elif op == 0x67:
            result, following = following, (a + immediate) & M64 & ~1
        else:
            b = immediate if op == 0x1B else b
            result = self.narrow(op, funct, w >> 25, a, b)
        if result is not None and rd:
            self.x[rd] = result & M64
        self.pc = following

    @staticmethod
    def alu(funct: int, other: bool, a: int, b: int) -> int:
        shift = b & 63
        return (
            a - b if other and funct == 0 else a + b,
            a << shift,
            int(signed(a) < signed(b)),
            int(a < b & M64),
            a ^ b,
            signed(a) >> shift if other else a >> shift,
            a | b,
            a & b,
        )[funct]

    @staticmethod
    def multiply(funct: int, a: int, b: int) -> int:
        if funct < 4:
            left = signed(a) if funct < 3 else a
            right = signed(b) if funct < 2 else b
            return left * right >> (64 if funct else 0)
        left, right = (a, b) if funct & 1 else (signed(a), signed(b))
        return divided(left, right, 65)[funct >> 1 & 1]

    @staticmethod
    def branches(funct: int, a: int, b: int) -> bool:
        if funct < 2:
            return (a == b) != bool(funct)
        less = a < b if funct & 2 else signed(a) < signed(b)
        return less != bool(funct & 1)

    @staticmethod
    def narrow(op: int, funct: int, funct7: int, a: int, b: int) -> int:
        """The forms on 32 bits; their results are sign-extended."""
        assert op in (0x1B, 0x3B), "an instruction"
        if op == 0x3B and funct7 == 1:
            unsigned = funct in (5, 7)
            left, right = (a & M32, b & M32) if unsigned else (signed(a, 32), signed(b, 32))
            found = left * right if funct == 0 else divided(left, right, 33)[funct >> 1 & 1]
        elif funct == 5:
            found = (signed(a, 32) if funct7 == 32 else a & M32) >> (b & 31)
        elif funct == 1:
            found = a << (b & 31)
        else:
            found = a - b if op == 0x3B and funct7 == 32 else a + b
        return signed(found, 32)

    def call(self) -> None:
        """One call of SP1; the number stands in t0, the answer replaces it."""
        number, a, b = self.x[T0], self.x[A0], self.x[A1]
        if number == WRITE:
            data = bytes(self.load(b + place, 1) for place in range(self.x[A2]))
            assert a in (2, 13), "a descriptor"
            if a == 13:
                self.public_values += data
            else:
                self.said += data
        elif number == COMMIT:
            assert b <= M32, "a word of 32 bits"
            self.digest[a] = b
        elif number == COMMIT_DEFERRED:
            assert (a < 8, b) == (True, 0), "no deferred proof"
        elif number == HINT_LEN:
            self.x[T0] = len(self.witness)
        elif number == HINT_READ:
            self.read_hint(a, b)
        elif number == SHA_EXTEND:
            self.extend(a // 8)
        else:
            assert number == SHA_COMPRESS, "a call that the guest makes"
            w = [self.word(a // 8 + place) for place in range(64)]
            state = [self.word(b // 8 + place) for place in range(8)]
            assert max(w + state) <= M32, "cells of 32 bits"
            for place, value in enumerate(compressed(state, w)):
                self.words[b // 8 + place] = value

    def read_hint(self, address: int, length: int) -> None:
        """Writes the input and one word more than needed, into memory that was never touched."""
        assert address % 8 == 0, "an aligned address"
        assert length == len(self.witness), "the whole input"
        padded = self.witness.ljust((length // 8 + 1) * 8, b"\0")
        for place, (word,) in enumerate(struct.iter_unpack("<Q", padded), address // 8):
            assert place not in self.words, "untouched memory"
            self.words[place] = word

    def extend(self, first: int) -> None:
        w = [self.word(first + place) for place in range(16)]
        assert max(w) <= M32, "cells of 32 bits"
        for place in range(16, 64):
            p, q = w[place - 15], w[place - 2]
            small = turned(p, 7) ^ turned(p, 18) ^ p >> 3
            large = turned(q, 17) ^ turned(q, 19) ^ q >> 10
            w.append((large + w[place - 16] + small + w[place - 7]) & M32)
            self.words[first + place] = w[place]
