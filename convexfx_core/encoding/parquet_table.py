"""Parquet tables whose content hashes to the same bytes in every version of every library.

A Parquet file's own bytes change with the library that writes it; the canonical bytes of its rows
do not, and their SHA-256 stands in the file's metadata. Canonical bytes: row by row, each column
in the order of its schema; integers little-endian; binaries as they are; text in ASCII, zero-padded
to its width; for an optional column one byte, 1 where the value is there. After all rows follow,
for each optional column, the values that are there, end to end.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from convexfx_core.encoding.parquet_bounds import Bounds, open_parquet
from convexfx_core.errors import CodecError
from convexfx_core.limits import HASH_ROW_BYTES_MIN

HASH_KEY: Final = "convexfx.rows_sha256"
SCHEMA_KEY: Final = "convexfx.schema"
VERSION_KEY: Final = "convexfx.version"
LINEAGE_PREFIX: Final = "convexfx.lineage."
_KIND: Final = re.compile(r"(u8|u16|u32|u64|i16|i64)|(bytes|text|optional):([0-9]+)")
_INTEGERS: Final = {
    "u8": "u1", "u16": "<u2", "u32": "<u4", "u64": "<u8", "i16": "<i2", "i64": "<i8",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A text column: K places in a list of distinct ASCII texts.

    Attributes
    ----------
    codes : i32[K].
    names : the texts.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    def texts(self) -> list[str]:
        """The K texts."""
        return [self.names[code] for code in self.codes.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Optionals:
    """An optional column: whether each of K values is there, and those that are, u8[P, width]."""

    present: NDArray[np.bool_]
    values: NDArray[np.uint8]


Values = NDArray[Any] | Texts | Optionals
Columns = Mapping[str, Values]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: ``kind`` is u8 u16 u32 u64 i16 i64, bytes:N, text:N or optional:N (bytes)."""

    name: str
    kind: str

    def __post_init__(self) -> None:
        """Refuse kinds that are not in the list."""
        if not _KIND.fullmatch(self.kind):
            raise CodecError(f"column {self.name}", "a kind of the list", self.kind)

    @property
    def family(self) -> str:
        """Kind without its width."""
        return self.kind.partition(":")[0]

    @property
    def width(self) -> int:
        """Bytes of one value."""
        if self.kind in _INTEGERS:
            return np.dtype(_INTEGERS[self.kind]).itemsize
        return int(self.kind.partition(":")[2])

    def row_format(self) -> Any:
        """Field of the canonical row."""
        if self.kind in _INTEGERS:
            return (self.name, _INTEGERS[self.kind])
        if self.family == "bytes":
            return (self.name, "u1", (self.width,))
        return (self.name, "u1" if self.family == "optional" else f"S{self.width}")

    def arrow_field(self) -> Any:
        """Field of the Arrow schema; text says its width in the field's metadata."""
        if self.kind in _INTEGERS:
            types = {"u8": pa.uint8(), "u16": pa.uint16(), "u32": pa.uint32()}
            types |= {"u64": pa.uint64(), "i16": pa.int16(), "i64": pa.int64()}
            return pa.field(self.name, types[self.kind], nullable=False)
        if self.family == "text":
            kind = pa.dictionary(pa.int32(), pa.string())
            width = {"convexfx.width": str(self.width)}
            return pa.field(self.name, kind, nullable=False, metadata=width)
        return pa.field(self.name, pa.binary(self.width), nullable=self.family == "optional")


@dataclass(frozen=True)
class TableSchema:
    """Name, version and columns of a table; another column is another version."""

    name: str
    version: int
    columns: tuple[Column, ...]

    @cached_property
    def row_dtype(self) -> np.dtype[np.void]:
        """Layout of the canonical rows."""
        return np.dtype([column.row_format() for column in self.columns])

    @cached_property
    def row_bytes_max(self) -> int:
        """Bytes of a row with every optional value there."""
        return sum(column.width for column in self.columns) + len(self.columns)

    def arrow(self) -> Any:
        """Arrow schema without metadata of a table."""
        return pa.schema([column.arrow_field() for column in self.columns])


def table_schema(name: str, version: int, columns: Mapping[str, str]) -> TableSchema:
    """Schema from column names and kinds, in order."""
    return TableSchema(name, version, tuple(Column(*item) for item in columns.items()))


def canonical_bytes(schema: TableSchema, columns: Columns) -> bytes:
    """Canonical bytes of a table; ``CodecError`` where a column does not fit its kind."""
    return b"".join(part.tobytes() for part in _canonical_parts(schema, columns))


def rows_sha256(schema: TableSchema, columns: Columns) -> str:
    """SHA-256 of the canonical bytes, hexadecimal."""
    digest = sha256()
    for part in _canonical_parts(schema, columns):
        digest.update(np.ascontiguousarray(part).view(np.uint8).reshape(-1).data)
    return digest.hexdigest()


def _canonical_parts(schema: TableSchema, columns: Columns) -> list[NDArray[Any]]:
    rows = np.zeros(_count(schema, columns), dtype=schema.row_dtype)
    parts: list[NDArray[Any]] = [rows]
    for column in schema.columns:
        values = columns[column.name]
        if isinstance(values, Optionals):
            rows[column.name] = values.present
            parts.append(values.values)
        elif isinstance(values, Texts):
            names = [_ascii(column, name) for name in values.names]
            rows[column.name] = np.array(names or [b""], dtype=f"S{column.width}")[values.codes]
        else:
            rows[column.name] = values
    return parts


def write_table(
    schema: TableSchema, columns: Columns, lineage: Mapping[str, str] | None = None
) -> bytes:
    """Parquet bytes of a table, zstd, with version, row hash and lineage in its metadata."""
    metadata = {SCHEMA_KEY: schema.name, VERSION_KEY: str(schema.version)}
    metadata[HASH_KEY] = rows_sha256(schema, columns)
    for key, value in sorted((lineage or {}).items()):
        metadata[LINEAGE_PREFIX + key] = value
    arrays = [_to_arrow(column, columns[column.name]) for column in schema.columns]
    table = pa.Table.from_arrays(arrays, schema=schema.arrow().with_metadata(metadata))
    sink = pa.BufferOutputStream()
    texts = [column.name for column in schema.columns if column.family == "text"]
    pq.write_table(
        table,
        sink,
        compression="zstd",
        version="2.6",
        data_page_version="1.0",
        use_dictionary=texts,
        write_statistics=False,
        row_group_size=1 << 20,
    )
    return bytes(sink.getvalue())


def read_table(schema: TableSchema, data: bytes, *, rows_max: int) -> dict[str, Values]:
    """Columns of a Parquet table of exactly this schema; the row hash is recomputed.

    Parameters
    ----------
    data : the file.
    rows_max : more rows, or more than the bytes can hold, are refused before any is read.

    Raises
    ------
    CodecError
        Field ``<name>.parquet``, ``<name>.parquet.rows`` for too many of them, or
        ``<name>.<column>``: anything else than such a table.
    """
    field = f"{schema.name}.parquet"
    table = _arrow_table(schema, data, rows_max, field)
    columns: dict[str, Values] = {
        column.name: _from_arrow(schema, column, table.column(column.name))
        for column in schema.columns
    }
    stored, found = table_facts(schema, data)[HASH_KEY], rows_sha256(schema, columns)
    if stored != found:
        raise CodecError(field, f"rows that hash to {stored}", found)
    return columns


def table_facts(schema: TableSchema, data: bytes) -> dict[str, str]:
    """Metadata of a table of this schema and version: row hash, lineage; ``CodecError`` if none."""
    field = f"{schema.name}.parquet"
    raw = _open(data, field).schema_arrow.metadata or {}
    facts = {key.decode("ascii", "replace"): value.decode("ascii", "replace")
             for key, value in raw.items()}  # fmt: skip
    name, version = facts.get(SCHEMA_KEY, "none"), facts.get(VERSION_KEY, "none")
    if (name, version) != (schema.name, str(schema.version)) or HASH_KEY not in facts:
        expected = f"schema {schema.name}, version {schema.version}, with its row hash"
        raise CodecError(field, expected, f"{name}, version {version}")
    return facts


def _open(data: bytes, field: str) -> Any:
    try:
        return pq.ParquetFile(pa.BufferReader(data))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CodecError(field, "a Parquet file", type(error).__name__) from None


def table_bounds(schema: TableSchema, rows_max: int) -> Bounds:
    """What a file of this schema may hold: each of its rows has the hash of an order."""
    return Bounds(rows_max, HASH_ROW_BYTES_MIN, schema.row_bytes_max)


def _arrow_table(schema: TableSchema, data: bytes, rows_max: int, field: str) -> Any:
    file = open_parquet(data, field, table_bounds(schema, rows_max))
    expected, found = schema.arrow(), file.schema_arrow
    if found.names != expected.names:
        raise CodecError(field, f"columns {', '.join(expected.names)}", ", ".join(found.names))
    for want, have in zip(expected, found, strict=True):
        if want.type != have.type:
            raise CodecError(f"{schema.name}.{want.name}", str(want.type), str(have.type))
    try:
        return file.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise CodecError(field, "a whole Parquet file", type(error).__name__) from None


def _count(schema: TableSchema, columns: Columns) -> int:
    sizes = {}
    for column in schema.columns:
        values = columns[column.name]
        if isinstance(values, Optionals):
            shape: tuple[int, ...] = (int(values.present.sum()), column.width)
            if values.values.shape != shape:
                raise CodecError(f"{schema.name}.{column.name}", f"shape {shape}")
            sizes[column.name] = len(values.present)
        elif isinstance(values, Texts):
            sizes[column.name] = len(values.codes)
        else:
            wide = (column.width,) if column.family == "bytes" else ()
            if values.shape[1:] != wide:
                raise CodecError(f"{schema.name}.{column.name}", f"shape K x {wide}", values.shape)
            sizes[column.name] = len(values)
    if len(set(sizes.values())) > 1:
        raise CodecError(schema.name, "columns of one length", sizes)
    return next(iter(sizes.values()), 0)


def _ascii(column: Column, text: str) -> bytes:
    if len(text) > column.width or not text.isascii() or "\0" in text:
        raise CodecError(column.name, f"at most {column.width} ASCII characters", text)
    return text.encode("ascii")


def _to_arrow(column: Column, values: Values) -> Any:
    if isinstance(values, Texts):
        names = pa.array(list(values.names), type=pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(values.codes, type=pa.int32()), names)
    if isinstance(values, Optionals):
        spread = np.zeros((len(values.present), column.width), dtype=np.uint8)
        spread[values.present] = values.values
        mask = pa.array(values.present).buffers()[1]
        return _fixed_binary(column, spread, mask)
    if column.family == "bytes":
        return _fixed_binary(column, np.ascontiguousarray(values, dtype=np.uint8), None)
    return pa.array(np.ascontiguousarray(values, dtype=_INTEGERS[column.kind]))


def _fixed_binary(column: Column, values: NDArray[np.uint8], mask: Any) -> Any:
    buffers = [mask, pa.py_buffer(values)]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(column.width), len(values), buffers)


def _from_arrow(schema: TableSchema, column: Column, chunked: Any) -> Values:
    field = f"{schema.name}.{column.name}"
    if chunked.null_count and column.family != "optional":
        raise CodecError(field, "a value in every row", "null")
    if column.family == "text":
        return _read_texts(column, field, chunked)
    if column.family in ("bytes", "optional"):
        present = np.asarray(chunked.is_valid().to_numpy(), dtype=np.bool_)
        values = _read_fixed(column, chunked)
        return Optionals(present, values[present]) if column.family == "optional" else values
    return np.asarray(chunked.to_numpy(), dtype=_INTEGERS[column.kind])


def _read_fixed(column: Column, chunked: Any) -> NDArray[np.uint8]:
    parts = []
    for chunk in chunked.chunks:
        raw = np.frombuffer(chunk.buffers()[1] or b"", dtype=np.uint8)
        first, last = chunk.offset * column.width, (chunk.offset + len(chunk)) * column.width
        parts.append(raw[first:last].reshape(-1, column.width))
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([np.empty((0, column.width), dtype=np.uint8), *parts])


def _read_texts(column: Column, field: str, chunked: Any) -> Texts:
    array = chunked.unify_dictionaries().combine_chunks()
    try:
        names = tuple(array.dictionary.to_pylist())
    except UnicodeDecodeError:
        raise CodecError(field, "ASCII text") from None
    if None in names:
        raise CodecError(field, "a value in every row", "null")
    for name in names:
        _ascii(column, name)
    return Texts(np.asarray(array.indices.to_numpy(), dtype=np.int32), names)
