"""Opens a Parquet file only after its size, rows and pages were held against the bytes given.

A Parquet file of a few kilobytes may say that it holds gigabytes: equal rows and dictionaries
compress without end. So nothing is decoded before these were looked at, the cheapest first:

1. The footer: its length, then rows, row groups and columns.
2. Rows against the bytes of the file. What we read holds a hash or a signature in every row, which
   do not compress, so K rows take a multiple of K bytes.
3. The header of every page, where its true uncompressed size stands. A footer may lie about it.

The footer is read here and not by the library: its accessors end the process where a column lacks
its description, and such a file would stop whoever reads it.

Source of the formats: parquet.thrift and the compact protocol of Thrift.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from convexfx_core.errors import CodecError
from convexfx_core.limits import (
    FOOTER_BYTES_ANY_SIZE,
    FOOTER_SHARE,
    ROWS_ANY_SIZE,
    TEXT_BYTES_ANY_SIZE,
)

MAGIC: Final = b"PAR1"
_TAIL: Final = 8
"""Length of the footer, u32, and the magic."""
_LIST_MAX: Final = 1 << 16
"""Longest list in a footer; the shortest entry of one takes a byte."""
_STRUCT: Final = 12
_BINARY: Final = 8
_COLLECTIONS: Final = (9, 10)
_LONG_LIST: Final = 15
_INTEGERS: Final = (4, 5, 6)
_TRUTHS: Final = (1, 2)
_FIXED: Final = {1: 0, 2: 0, 3: 1, 7: 8}
"""Bytes of a value behind its head: truth values, which stand in the head, a byte, a double."""
_NESTING_MAX: Final = 8
_DICTIONARY: Final = 2
_VERSION_2: Final = 3
_HEADS: Final = {0: 5, _DICTIONARY: 7, _VERSION_2: 8}
"""Kind of a page to the field that describes it: data, dictionary, data version 2."""
_Struct: TypeAlias = dict[int, "int | _Struct | list[int | _Struct]"]
_BYTE_ARRAY: Final = 6
_SIMPLE: Final = (0, 2, 3, 4, 8)
"""Encodings that cannot repeat a part of an earlier value (plain, dictionary, run length, packed):
text swells in no other way."""
_ROWS, _GROUPS = 3, 4
"""Fields of the footer."""
_COLUMNS, _GROUP_ROWS = 1, 3
"""Fields of a row group."""
_DESCRIPTION: Final = 3
"""Field of a column chunk."""
_TYPE, _ENCODINGS, _VALUES, _DATA_PAGE, _DICTIONARY_PAGE = 1, 2, 5, 9, 11
"""Fields of the description of a column chunk."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a file may hold.

    Attributes
    ----------
    rows_max : most rows, whatever the file weighs.
    row_bytes_min : bytes that every row beyond the first thousand takes in the file.
    row_bytes_max : bytes of a decoded row; pages may hold twice that, and a megabyte.
    """

    rows_max: int
    row_bytes_min: int
    row_bytes_max: int

    def rows(self, size: int) -> int:
        """Most rows in a file of ``size`` bytes."""
        return min(self.rows_max, ROWS_ANY_SIZE + size // self.row_bytes_min)


def open_parquet(data: bytes, field: str, bounds: Bounds) -> pq.ParquetFile:
    """A Parquet file whose decoding costs a known multiple of its bytes.

    Raises
    ------
    CodecError
        Field ``field``, or ``field.rows`` for too many rows.
    """
    count, groups = _footer(data, field)
    if count > (most := bounds.rows(len(data))):
        given = "" if most == bounds.rows_max else f" in {len(data)} bytes"
        raise CodecError(f"{field}.rows", f"at most {most} rows{given}", count)
    _check_pages(data, field, count, groups, bounds)
    try:
        file = pq.ParquetFile(
            pa.BufferReader(data),
            thrift_string_size_limit=len(data),
            thrift_container_size_limit=_LIST_MAX,
        )
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CodecError(field, "a Parquet file", type(error).__name__) from None
    if file.metadata.num_rows != count:
        raise CodecError(f"{field}.rows", f"{count} rows", file.metadata.num_rows)
    return file


def _footer(data: bytes, field: str) -> tuple[int, list[_Struct]]:
    """Number of rows, and the row groups, of a footer that is not too long."""
    if len(data) < 2 * len(MAGIC) + _TAIL or not data.endswith(MAGIC):
        raise CodecError(field, "a Parquet file", f"{len(data)} other bytes")
    length, most = int.from_bytes(data[-8:-4], "little"), footer_bytes_max(len(data))
    if length > most:
        raise CodecError(field, f"a footer of at most {most} bytes", length)
    start = len(data) - _TAIL - length
    if start < len(MAGIC):
        raise CodecError(field, "a footer inside the file", f"{length} bytes")
    footer = _Reader(data, start, field).struct()
    count = _number(footer, _ROWS)
    if count < 0:
        raise CodecError(field, "a Parquet file", f"{count} rows")
    return count, _structs(footer, _GROUPS)


def footer_bytes_max(size: int) -> int:
    """Longest footer of a file of ``size`` bytes; each of its bytes costs a few hundred."""
    return FOOTER_BYTES_ANY_SIZE + size // FOOTER_SHARE


def _check_pages(
    data: bytes, field: str, count: int, groups: list[_Struct], bounds: Bounds
) -> None:
    """Refuse pages that hold more than the rows, or that several column chunks share."""
    most = count * 2 * bounds.row_bytes_max + TEXT_BYTES_ANY_SIZE
    rows = held = walked = 0
    for group in groups:
        in_group = _number(group, _GROUP_ROWS)
        rows += in_group
        for column in _structs(group, _COLUMNS):
            chunk = column.get(_DESCRIPTION)
            if not isinstance(chunk, dict):
                raise CodecError(field, "a description of each column", "none")
            if _number(chunk, _VALUES) != in_group:
                raise CodecError(field, f"{in_group} values in a column", chunk.get(_VALUES))
            encodings = chunk.get(_ENCODINGS)
            simple = isinstance(encodings, list) and all(one in _SIMPLE for one in encodings)
            if not simple and _number(chunk, _TYPE) == _BYTE_ARRAY:
                raise CodecError(field, "plain values or dictionaries", str(encodings)[:80])
            read, swollen = _walk(data, field, chunk, most - held)
            held, walked = held + swollen, walked + read
            if walked > len(data):
                raise CodecError(field, "columns that share no bytes", "others")
    if rows != count:
        raise CodecError(field, f"{count} rows in its row groups", rows)


def _walk(data: bytes, field: str, chunk: _Struct, most: int) -> tuple[int, int]:
    """Bytes of a column chunk in the file, and those of its pages once they are inflated."""
    start, dictionary = _number(chunk, _DATA_PAGE), _number(chunk, _DICTIONARY_PAGE)
    if 0 < dictionary < start:
        start = dictionary
    text = _number(chunk, _TYPE) == _BYTE_ARRAY
    at, seen, held = start, 0, 0
    while seen < _number(chunk, _VALUES):
        page = _page(data, at, field)
        held += page.swollen
        if held > most:
            raise CodecError(field, "at most twice the bytes for its rows", "more")
        if text and page.encoding not in _SIMPLE:
            raise CodecError(field, "plain values or dictionaries", f"encoding {page.encoding}")
        if page.dictionary and page.values > page.swollen:
            raise CodecError(field, f"at most {page.swollen} values there", page.values)
        seen += 0 if page.dictionary else page.values
        at = page.end
    return at - start, held


class _Page(NamedTuple):
    """A page's header: whether it is a dictionary, inflated bytes, values, encoding, its end."""

    dictionary: bool
    swollen: int
    values: int
    encoding: int
    end: int


def _page(data: bytes, at: int, field: str) -> _Page:
    reader = _Reader(data, at, field)
    header = reader.struct()
    kind, swollen, packed = (_number(header, name) for name in (1, 2, 3))
    inner = header.get(_HEADS.get(kind, -1))
    described = inner if isinstance(inner, dict) else {}
    values, encoding = _number(described, 1), _number(described, 4 if kind == _VERSION_2 else 2)
    if min(swollen, packed, values) < 0 or reader.at + packed > len(data):
        raise CodecError(field, "whole pages with their sizes", f"others at byte {at}")
    return _Page(kind == _DICTIONARY, swollen, values, encoding, reader.at + packed)


def _number(struct: _Struct, name: int) -> int:
    """An integer of a struct, -1 where there is none."""
    found = struct.get(name)
    return found if isinstance(found, int) else -1


def _structs(struct: _Struct, name: int) -> list[_Struct]:
    """A list of structs, empty where there is none."""
    found = struct.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


class _Reader:
    """Reads structs of Thrift's compact protocol; anything else than one is a ``CodecError``."""

    def __init__(self, data: bytes, at: int, field: str) -> None:
        self.at = at
        self._data, self._field = data, field

    def struct(self, depth: int = 0) -> _Struct:
        """Integers, structs and lists of them by the numbers of their fields; the rest is skipped.

        Of a field that stands twice the last one counts, as for every reader of the format.
        """
        if depth > _NESTING_MAX:
            raise self._error()
        found: _Struct = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            if kind == _STRUCT:
                found[number] = self.struct(depth + 1)
            elif kind in _INTEGERS:
                found[number] = self._zigzag()
            elif kind in _COLLECTIONS:
                found[number] = self._list(depth)
            else:
                self._skip(kind, depth)
        return found

    def _list(self, depth: int) -> list[int | _Struct]:
        """Integers and structs of a list; of other entries nothing is kept."""
        if depth > _NESTING_MAX:
            raise self._error()
        head = self._byte()
        count = self._varint() if head >> 4 == _LONG_LIST else head >> 4
        if count > _LIST_MAX:
            raise self._error()
        kept: list[int | _Struct] = []
        for _ in range(count):
            if head & 15 == _STRUCT:
                kept.append(self.struct(depth + 1))
            elif head & 15 in _INTEGERS:
                kept.append(self._zigzag())
            else:
                self._entry(head & 15, depth)
        return kept

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _NESTING_MAX:
            raise self._error()
        if kind == _BINARY:
            self._pass(self._varint())
        elif kind in _FIXED:
            self._pass(_FIXED[kind])
        elif kind in _COLLECTIONS:
            self._list(depth)
        else:
            raise self._error()

    def _entry(self, kind: int, depth: int) -> None:
        """Skip an entry of a list; there a truth value takes a byte."""
        if kind in _TRUTHS:
            self._byte()
        else:
            self._skip(kind, depth + 1)

    def _pass(self, count: int) -> None:
        self.at += count
        if not 0 < self.at <= len(self._data):
            raise self._error()

    def _byte(self) -> int:
        self._pass(1)
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise self._error()

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _error(self) -> CodecError:
        return CodecError(self._field, "pages of a Parquet file", f"other bytes at {self.at}")
