"""Witnesses that stand at the edge of a law, pushed a little further.

The stored vectors on the lawful side of each edge are what is changed: words, wide numbers, rows,
counts, flags and frames, up to three changes at once. What still holds is sealed again, so that it
is either another true statement or a theft.
"""

import random
from collections.abc import Callable
from functools import cache

from convexfx_core.errors import LawViolated
from convexfx_core.laws.witness_laws import evaluate
from convexfx_core.witness.layout import encode_sections, split_sections, with_public_values
from tests.support.witnesses.vectors import stored

Rng = random.Random
Sections = list[bytes]
Change = Callable[[Rng, Sections], None]
BYTES_MAX = 24_000
LAWFUL = ("valid", "exact", "edge", "limit")
PLACES = (0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 9, 10, 10, 11, 11, 12, 13)
WORDS = (
    0, 1, 2, 3, 63, 64, 65, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 40) - 1, 1 << 40,
    (1 << 60) - 1, 1 << 60, (1 << 62) - 1, 1 << 62, (1 << 63) - 2, (1 << 63) - 1, 1 << 63,
    (1 << 64) - 2, (1 << 64) - 1, 100_000, 100_001, 300_000_000, 300_000_001,
)  # fmt: skip
WIDE = (1 << 127, (1 << 127) - 1, (1 << 128) - 1, 1 << 80, (1 << 80) - 1, 1 - (1 << 80), 1 << 112)


@cache
def lawful() -> tuple[bytes, ...]:
    """The stored witnesses that hold, as far as they are small."""
    found = [v.data for v in stored() if v.law is None and v.name.startswith(LAWFUL)]
    return tuple(data for data in found if len(data) <= BYTES_MAX)


def put(data: bytes, at: int, value: int, size: int = 8) -> bytes:
    """An unsigned integer, wrapped, in place of the bytes at ``at``."""
    return data[:at] + (value % (1 << 8 * size)).to_bytes(size, "little") + data[at + size :]


def number(rng: Rng, sections: Sections) -> None:
    """A word or a number of two words: a telling one, a neighbour, a multiple, the opposite."""
    place, size = rng.choice(PLACES), rng.choice((8, 8, 8, 16))
    data = sections[place]
    if len(data) < size:
        return
    at = 8 * rng.randrange((len(data) - size) // 8 + 1)
    value = int.from_bytes(data[at : at + size], "little")
    ways = (
        rng.choice(WORDS if size == 8 else WIDE),
        value + rng.choice((1, -1, 2, -2, 64, 1 << 20)),
        value ^ 1 << rng.randrange(8 * size),
        value + rng.choice((1, -1)) * (value >> rng.randrange(1, 60)),
        -value,
    )
    sections[place] = put(data, at, rng.choice(ways), size)


def rows(rng: Rng, sections: Sections) -> None:
    """Rows of a table twice, missing, swapped or reversed; the counts of orders follow."""
    place = rng.choice((1, 2, 3, 4, 5, 5, 5, 6, 7, 9, 10, 11, 12))
    n = int.from_bytes(sections[1][8:16], "little") or 2
    head = {1: 16, 3: 16, 4: 40 + 16 * n, 5: 16, 6: 16 * n, 9: 8 * n}.get(place, 0)
    size = {1: 72, 2: 64, 3: 48, 4: 40 + 8 * n, 5: 80, 7: 8, 12: 32}.get(place, 16)
    body = sections[place][head:]
    table = [body[at : at + size] for at in range(0, len(body), size)]
    if not table:
        return
    i, j = rng.randrange(len(table)), rng.randrange(len(table))
    match rng.randrange(4):
        case 0:
            table.insert(j, table[i])
        case 1:
            table.pop(i)
        case 2:
            table[i], table[j] = table[j], table[i]
        case _:
            table.reverse()
    count = len(body) // size
    sections[place] = sections[place][:head] + b"".join(table)
    if place == 5:
        at = rng.choice((0, 8))
        known = int.from_bytes(sections[5][at : at + 8], "little")
        sections[5] = put(sections[5], at, known + len(table) - count)


def flags(rng: Rng, sections: Sections) -> None:
    """One of the last eight bytes of an order: assets, exponent, kind, kind of limit."""
    count = (len(sections[5]) - 16) // 80
    if count > 0:
        at = 16 + 80 * rng.randrange(count) + rng.randrange(72, 80)
        sections[5] = put(sections[5], at, rng.choice((0, 1, 2, 3, 255, rng.randrange(256))), 1)


def counts(rng: Rng, sections: Sections) -> None:
    """Consumed orders said to be left, or the other way round, also by numbers that wrap."""
    if len(sections[5]) >= 16:
        consumed, left = (int.from_bytes(sections[5][at : at + 8], "little") for at in (0, 8))
        by = rng.choice((1, -1, 1 << 63, -consumed, left))
        sections[5] = put(put(sections[5], 0, consumed + by), 8, left - by)


def size(rng: Rng, sections: Sections) -> None:
    """A section empty, longer or shorter."""
    place = rng.randrange(len(sections))
    data = sections[place]
    sections[place] = rng.choice((b"", data + bytes(8), data[:-8], data + data[-16:], data + b"\0"))


def other(rng: Rng, sections: Sections) -> None:
    """A section of another witness."""
    place = rng.randrange(len(sections))
    sections[place] = bytes(split_sections(rng.choice(lawful()))[place])


CHANGES: tuple[Change, ...] = (number,) * 4 + (rows,) * 2 + (flags, counts, size, other)


def framed(rng: Rng, data: bytes) -> bytes:
    """The bytes cut off, padded, or with some missing or more in between."""
    at, by = rng.randrange(len(data)), rng.randrange(1, 17)
    return rng.choice((data[:at], data + rng.randbytes(by), data[:at] + data[at + by :],
                       data[:at] + rng.randbytes(by) + data[at:]))  # fmt: skip


def mutated(rng: Rng) -> bytes:
    """A changed witness, with the public values that follow where the other laws hold."""
    data = rng.choice(lawful())
    if rng.random() < 0.08:
        return framed(rng, data)
    sections = [bytes(section) for section in split_sections(data)]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(CHANGES)(rng, sections)
    changed = encode_sections(sections)
    try:
        return with_public_values(changed, evaluate(changed).public_values.to_bytes())
    except LawViolated:
        return changed
