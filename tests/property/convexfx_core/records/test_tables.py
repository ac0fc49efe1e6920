"""Random tables come back, and hash as one value at a time does."""

from hashlib import sha256

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.encoding.parquet_table import (
    Optionals,
    TableSchema,
    Texts,
    Values,
    canonical_bytes,
    read_table,
    rows_sha256,
    table_schema,
    write_table,
)
from convexfx_core.errors import CodecError
from convexfx_core.market.params import params_from_bytes, params_to_bytes
from convexfx_core.market.reference import (
    band_edges,
    reference_from_bytes,
    reference_from_prices,
    reference_to_bytes,
)
from tests.support.epoch_cases import params_of_three

INTEGERS = {"u8": (1, False), "u16": (2, False), "u32": (4, False), "u64": (8, False),
            "i16": (2, True), "i64": (8, True)}  # fmt: skip
KINDS = st.one_of(
    st.sampled_from(sorted(INTEGERS)),
    st.builds("{}:{}".format, st.sampled_from(["bytes", "text", "optional"]), st.integers(1, 9)),
)
Cell = int | bytes | str | None


def cells(kind: str) -> st.SearchStrategy[Cell]:
    """Values of a kind."""
    if kind in INTEGERS:
        size, signed = INTEGERS[kind]
        half = 1 << (8 * size - 1)
        return st.integers(-half, half - 1) if signed else st.integers(0, 2 * half - 1)
    family, _, width = kind.partition(":")
    if family == "text":
        ascii_text = st.characters(min_codepoint=1, max_codepoint=127)
        return st.text(ascii_text, max_size=int(width))
    whole = st.binary(min_size=int(width), max_size=int(width))
    return whole if family == "bytes" else st.one_of(st.none(), whole)


@st.composite
def tables(draw: st.DrawFn) -> tuple[TableSchema, list[list[Cell]]]:
    """A schema and its columns, cell by cell."""
    kinds = draw(st.lists(KINDS, min_size=1, max_size=5))
    count = draw(st.integers(0, 6))
    columns = [draw(st.lists(cells(kind), min_size=count, max_size=count)) for kind in kinds]
    return table_schema("random", 1, {f"c{k}": kind for k, kind in enumerate(kinds)}), columns


def column_of(kind: str, column: list[Cell]) -> Values:
    """A column as the tables take it."""
    family, _, width = kind.partition(":")
    if kind in INTEGERS:
        size, signed = INTEGERS[kind]
        return np.array(column, dtype=f"<{'i' if signed else 'u'}{size}")
    if family == "text":
        names = tuple(sorted({str(cell) for cell in column}))
        return Texts(np.array([names.index(str(c)) for c in column], dtype=np.int32), names)
    there = [cell for cell in column if isinstance(cell, bytes)]
    values = np.frombuffer(b"".join(there), dtype=np.uint8).reshape(len(there), int(width))
    if family == "bytes":
        return values
    return Optionals(np.array([cell is not None for cell in column], dtype=np.bool_), values)


def cell_bytes(kind: str, cell: Cell) -> bytes:
    """Canonical bytes of one cell."""
    if isinstance(cell, int):
        size, signed = INTEGERS[kind]
        return cell.to_bytes(size, "little", signed=signed)
    if isinstance(cell, str):
        return cell.encode("ascii").ljust(int(kind.partition(":")[2]), b"\0")
    if kind.startswith("optional"):
        return b"\0" if cell is None else b"\1"
    return cell or b""


@settings(max_examples=150, deadline=None)
@given(tables())
def test_tables_hash_cell_by_cell_and_come_back(
    case: tuple[TableSchema, list[list[Cell]]],
) -> None:
    schema, columns = case
    kinds = [column.kind for column in schema.columns]
    values = {
        c.name: column_of(c.kind, col) for c, col in zip(schema.columns, columns, strict=True)
    }
    rows = b"".join(
        cell_bytes(kind, cell)
        for row in zip(*columns, strict=True)
        for kind, cell in zip(kinds, row, strict=True)
    )
    tail = b"".join(
        cell
        for kind, column in zip(kinds, columns, strict=True)
        for cell in column
        if kind.startswith("optional") and isinstance(cell, bytes)
    )
    assert canonical_bytes(schema, values) == rows + tail
    assert rows_sha256(schema, values) == sha256(rows + tail).hexdigest()
    found = read_table(schema, write_table(schema, values), rows_max=6)
    assert canonical_bytes(schema, found) == rows + tail


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=16 + 72 * 3 + 40 * 9, max_size=16 + 72 * 3 + 40 * 9), st.data())
def test_every_parameter_section_that_decodes_is_the_only_one(
    noise: bytes, data: st.DataObject
) -> None:
    """Change some bytes of a lawful section: either refused, or written again byte for byte."""
    section = bytearray(params_to_bytes(params_of_three()))
    for at in data.draw(st.lists(st.integers(0, len(section) - 1), max_size=3)):
        section[at] = noise[at]
    try:
        decoded = params_from_bytes(bytes(section), (6, 6, 6))
    except CodecError:
        return
    assert params_to_bytes(decoded) == bytes(section)


@settings(max_examples=150, deadline=None)
@given(
    st.decimals("0.00001", "100000", allow_nan=False),
    st.decimals("0.00001", "100000", allow_nan=False),
    st.integers(0, 300_000_000),
)
def test_reference_vectors_survive_their_bytes(first: object, second: object, band: int) -> None:
    params = params_of_three(band=(0, band, band))
    reference = reference_from_prices([type(first)(1), first, second], 5, params)
    assert reference_from_bytes(reference_to_bytes(reference)) == reference
    for i in (1, 2):
        assert (reference.plo[i], reference.phi[i]) == band_edges(reference.pbar[i], band)
        assert 0 < reference.plo[i] <= reference.pbar[i] <= reference.phi[i]


@settings(max_examples=150, deadline=None)
@given(st.integers(1, (1 << 127) - 1), st.integers(0, 299_999_999))
def test_a_wider_band_holds_the_narrower_one(pbar: int, band: int) -> None:
    low, high = band_edges(pbar, band)
    wider_low, wider_high = band_edges(pbar, band + 1)
    assert wider_low <= low <= pbar <= high <= wider_high
