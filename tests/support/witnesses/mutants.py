"""Random changes of a valid witness: of raw bytes, of one field, of rows, of forged amounts."""

from dataclasses import replace

import numpy as np

from convexfx_core.witness.layout import (
    Witness,
    encode_sections,
    encode_witness,
    split_sections,
)
from tests.support.witnesses.forge import rediffed, witness_of

TABLES = ("consumed", "left", "vaults", "amounts", "demanded", "rejects", "diffs", "pairs")
SINGLES = ("prices", "overflow", "inventory_after", "omega")


def raw(rng: np.random.Generator, data: bytes) -> bytes:
    """Flip, overwrite, cut, insert or repeat a few bytes anywhere."""
    body, at = bytearray(data), int(rng.integers(len(data)))
    match int(rng.integers(5)):
        case 0:
            body[at] ^= 1 << int(rng.integers(8))
        case 1:
            body[at : at + 8] = rng.bytes(8)
        case 2:
            del body[at : at + int(rng.integers(1, 17))]
        case 3:
            body[at:at] = rng.bytes(int(rng.integers(1, 17)))
        case _:
            body[at : at + 8] = b"\xff" * 8
    return bytes(body)


def one_section(rng: np.random.Generator, data: bytes) -> bytes:
    """Change bytes inside one section, its length in the frame kept right."""
    sections = [bytes(section) for section in split_sections(data)]
    place = int(rng.integers(len(sections)))
    if sections[place]:
        sections[place] = raw(rng, sections[place])
    return encode_sections(sections)


def nudged(rng: np.random.Generator, value: int) -> int:
    """A neighbour, a power of two away, or anything."""
    step = (1, -1, 1 << int(rng.integers(63)), -(1 << int(rng.integers(63))))
    return value + step[int(rng.integers(4))]


def one_field(rng: np.random.Generator, witness: Witness) -> Witness:
    """One field of one row, or one price or inventory, moved."""
    name = str(rng.choice([*TABLES, "paid", *SINGLES]))
    value = getattr(witness, name)
    if value is None or not len(value):
        return witness
    at = int(rng.integers(len(value)))
    if isinstance(value, tuple):
        moved = nudged(rng, value[at])
        fits = moved >= 1 if name == "prices" else abs(moved) < 1 << 62
        return (
            replace(witness, **{name: (*value[:at], moved, *value[at + 1 :])}) if fits else witness
        )
    value = value.copy()
    if value.dtype.names is None:
        value[at] = nudged(rng, int(value[at])) % (1 << 64)
        return replace(witness, **{name: value})
    column = value[str(rng.choice(value.dtype.names))]
    flat = column[at : at + 1].reshape(-1)
    place, bits = int(rng.integers(len(flat))), 8 * flat.dtype.itemsize
    moved = nudged(rng, int(flat[place])) % (1 << bits)
    if flat.dtype.kind == "i" and moved >= 1 << (bits - 1):
        moved -= 1 << bits
    column[at : at + 1].reshape(-1)[place] = moved
    return replace(witness, **{name: value})


def rows_moved(rng: np.random.Generator, witness: Witness) -> Witness:
    """Rows of one table swapped, dropped or repeated."""
    name = str(rng.choice(TABLES))
    table = getattr(witness, name)
    if len(table) < 2:
        return witness
    order = np.arange(len(table))
    i, j = rng.integers(len(table), size=2)
    match int(rng.integers(3)):
        case 0:
            order[[i, j]] = order[[j, i]]
        case 1:
            order = np.delete(order, i)
        case _:
            order = np.insert(order, i, order[j])
    return replace(witness, **{name: table[order]})


def with_orders_moved(rng: np.random.Generator, witness: Witness) -> Witness:
    """A consumed order left, or with other amounts, its diffs as they then should be."""
    if not len(witness.consumed):
        return witness
    at = int(rng.integers(len(witness.consumed)))
    kept = np.delete(np.arange(len(witness.consumed)), at)
    if rng.random() < 0.5:
        witness = replace(
            witness,
            consumed=witness.consumed[kept],
            paid=witness.paid[kept],
            amounts=witness.amounts[kept],
        )
    else:
        paid = witness.paid.copy()
        paid[at] = max(0, nudged(rng, int(paid[at]))) % (1 << 62)
        witness = replace(witness, paid=paid)
    return rediffed(witness)


def mutant(rng: np.random.Generator, data: bytes) -> bytes:
    """One changed witness."""
    kind = int(rng.integers(8))
    if kind == 0:
        return raw(rng, data)
    if kind in (1, 2):
        return one_section(rng, data)
    change = (one_field, one_field, one_field, rows_moved, with_orders_moved)[kind - 3]
    return encode_witness(change(rng, witness_of(data)))
