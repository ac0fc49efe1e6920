"""Blind changes of an encoded witness: bits, words, rows, sections; nothing else follows."""

import numpy as np

from convexfx_core.witness.layout import encode_sections, encode_witness, split_sections
from tests.support.witnesses.forge import witness_of
from tests.support.witnesses.mutants import one_field, one_section, raw, rows_moved

Rng = np.random.Generator
SIZES = np.array([48, 0, 0, 0, 0, 80, 16, 8, 32, 16, 16, 16, 32, 8])
"""Row size by section, 0 where the rows are not of one size."""
TELLING = (
    0, 1, 2, (1 << 62) - 1, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 32, 1 << 40,
    (1 << 80) & ((1 << 64) - 1), 65_535, 0xFFFF_FFFF,
)  # fmt: skip


def word(rng: Rng, data: bytes) -> bytes:
    """One aligned word: a telling value, a neighbour, one bit, or another word of the witness."""
    at = 8 * int(rng.integers(2, len(data) // 8))
    value = int.from_bytes(data[at : at + 8], "little")
    other = 8 * int(rng.integers(0, len(data) // 8))
    ways = (
        TELLING[int(rng.integers(len(TELLING)))],
        value + 1,
        value - 1,
        value ^ (1 << int(rng.integers(64))),
        int.from_bytes(data[other : other + 8], "little"),
        -value,
    )
    new = ways[int(rng.integers(len(ways)))] % (1 << 64)
    return data[:at] + new.to_bytes(8, "little") + data[at + 8 :]


def two_words(rng: Rng, data: bytes) -> bytes:
    """Two words, so that several laws may be broken at once: the smallest must be named."""
    return word(rng, word(rng, data))


def fields(rng: Rng, data: bytes) -> bytes:
    """Fields of up to three rows."""
    witness = witness_of(data)
    for _ in range(int(rng.integers(1, 4))):
        witness = one_field(rng, witness)
    return encode_witness(witness)


def rows(rng: Rng, data: bytes) -> bytes:
    """Rows swapped, dropped or repeated."""
    return encode_witness(rows_moved(rng, witness_of(data)))


def whole_rows(rng: Rng, data: bytes) -> bytes:
    """A section longer or shorter by rows, its length in the frame right."""
    sections = [bytes(section) for section in split_sections(data)]
    place = int(rng.choice(np.flatnonzero(SIZES)))
    size = int(SIZES[place]) * int(rng.integers(1, 3))
    body = sections[place]
    sections[place] = body[:-size] if rng.random() < 0.5 else body + rng.bytes(size)
    return encode_sections(sections)


def swapped_sections(rng: Rng, data: bytes) -> bytes:
    """Two sections in each other's place."""
    sections = [bytes(section) for section in split_sections(data)]
    i, j = (int(x) for x in rng.choice(len(sections), 2, replace=False))
    sections[i], sections[j] = sections[j], sections[i]
    return encode_sections(sections)


OF_BYTES = (word, word, two_words, whole_rows, raw, one_section, swapped_sections)
"""Those that need no witness that decodes."""
BLIND = (*OF_BYTES, word, fields, fields, rows)


def blindly(rng: Rng, data: bytes) -> bytes:
    """One of these changes to a witness that decodes."""
    return BLIND[int(rng.integers(len(BLIND)))](rng, data)


def bytes_changed(rng: Rng, data: bytes) -> bytes:
    """One of them to any witness."""
    return OF_BYTES[int(rng.integers(len(OF_BYTES)))](rng, data)
