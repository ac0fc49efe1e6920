"""Tables that cost more than they weigh: refused by footer and page headers, before the rows."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from convexfx.api.chain_index.order_table import candidates_table
from convexfx_core.encoding import parquet_bounds
from convexfx_core.encoding.parquet_bounds import Bounds, footer_bytes_max, open_parquet
from convexfx_core.encoding.parquet_table import Texts, read_table, table_schema, write_table
from convexfx_core.errors import CodecError
from convexfx_core.limits import (
    FOOTER_BYTES_ANY_SIZE,
    HASH_ROW_BYTES_MIN,
    ROWS_ANY_SIZE,
)
from convexfx_core.orders.row import ORDER_DTYPE
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.records.receipts import RECEIPTS
from convexfx_core.records.tables import write_orders
from tests.support.child_cost import BOMB_BYTES_MAX, cost_of

ROWS = 1 << 19
LOOSE = Bounds(1 << 30, 1, 1 << 20)
"""Bounds under which only the form of a file is looked at."""


def zero_orders(count: int = ROWS) -> bytes:
    """Orders of zeros: a Parquet file of some kilobytes."""
    columns = (np.zeros((count, width), np.uint8) for width in (272, 32, 64))
    return write_orders(
        SealedOrders(
            np.zeros(count, ORDER_DTYPE), np.zeros((count, 32), np.uint8),
            np.zeros(count, np.uint64), *columns,
        )
    )  # fmt: skip


def zero_receipts(count: int = ROWS) -> bytes:
    """Receipts of zeros and empty texts."""
    columns: dict[str, Any] = {}
    for column in RECEIPTS.columns:
        if column.family == "text":
            columns[column.name] = Texts(np.zeros(count, np.int32), ("",))
        else:
            shape = (count, column.width) if column.family == "bytes" else (count,)
            columns[column.name] = np.zeros(shape, RECEIPTS.row_dtype[column.name].base)
    return write_table(RECEIPTS, columns)


READERS = {
    "orders": (zero_orders, "from convexfx_core.records.tables import read_orders as read"),
    "receipts": (zero_receipts, "from convexfx_core.records.receipts import read_receipts as read"),
    "index": (
        zero_orders,
        "from convexfx.api.chain_index.order_table import candidates_table\n"
        "read = lambda data: candidates_table(data, 1)",
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_equal_rows_are_refused_before_they_are_read(name: str) -> None:
    make, setup = READERS[name]
    data = make()
    assert len(data) < 100_000
    cost = cost_of(setup, "read(data)", data)
    assert cost.said.startswith("CODEC")
    assert f"rows in {len(data)} bytes" in cost.said
    assert cost.peak_bytes < BOMB_BYTES_MAX


def test_rows_that_need_no_bytes_are_a_thousand() -> None:
    data = zero_orders(ROWS_ANY_SIZE)
    assert len(candidates_table(data, 1)) == ROWS_ANY_SIZE
    more = ROWS_ANY_SIZE + len(data) // HASH_ROW_BYTES_MIN + 50
    with pytest.raises(CodecError, match=f"rows in [0-9]+ bytes, found {more}"):
        candidates_table(zero_orders(more), 1)


WORDS = table_schema("words", 1, {"word": "text:16"})


def words(**options: Any) -> bytes:
    """One text column written by hand: 900 equal texts of 16 letters."""
    table = pa.table({"word": pa.array(["sixteen letters!"] * 900)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_text_that_repeats_its_beginnings_is_refused(encoding: str) -> None:
    """Such a page holds K prefixes of a megabyte in K bytes, whatever its header says."""
    data = words(use_dictionary=False, column_encoding={"word": encoding})
    with pytest.raises(CodecError, match="plain values or dictionaries"):
        open_parquet(data, "words", LOOSE)
    assert open_parquet(words(), "words", LOOSE).metadata.num_rows == 900


def test_a_long_footer_is_not_parsed() -> None:
    """Metadata of a megabyte beside three rows."""
    data = write_table(WORDS, {"word": Texts(np.zeros(3, np.int32), ("a",))}, {"note": "n" * 900})
    read_table(WORDS, data, rows_max=3)
    long = {"note": "n" * FOOTER_BYTES_ANY_SIZE}
    data = write_table(WORDS, {"word": Texts(np.zeros(3, np.int32), ("a",))}, long)
    with pytest.raises(CodecError, match=f"footer of at most {footer_bytes_max(len(data))} bytes"):
        read_table(WORDS, data, rows_max=3)


def test_columns_that_share_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose row groups all name one page would be read as often as it has groups."""
    data = words(row_group_size=9)
    metadata = pq.ParquetFile(pa.BufferReader(data)).metadata
    assert metadata.num_row_groups == 100
    group = parquet_bounds._footer(data, "words")[1][0]
    walk, first = parquet_bounds._walk, parquet_bounds._structs(group, 1)[0][3]
    monkeypatch.setattr(
        parquet_bounds, "_walk", lambda *a: (10 * walk(a[0], a[1], first, a[3])[0], 1)
    )
    with pytest.raises(CodecError, match="share no bytes"):
        open_parquet(data, "words", LOOSE)


def test_spoilt_headers_are_refused_or_read() -> None:
    """Whatever stands where a page begins: a code, no other exception, never an endless walk."""
    data, rng = words(use_dictionary=True), np.random.default_rng(3)
    start = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0).column(0)
    at, refused = start.dictionary_page_offset, 0
    for _ in range(2_000):
        spoilt = bytearray(data)
        place = at + int(rng.integers(0, 60))
        spoilt[place : place + 4] = rng.integers(0, 256, 4, dtype=np.uint8).tobytes()
        try:
            open_parquet(bytes(spoilt), "words", LOOSE)
        except CodecError:
            refused += 1
    assert 200 < refused < 2_000


def test_a_spoilt_footer_never_ends_the_process() -> None:
    """Accessors of the library abort the process where a column has no description."""
    data, rng = words(use_dictionary=True), np.random.default_rng(5)
    length = int.from_bytes(data[-8:-4], "little")
    refused = 0
    for _ in range(6_000):
        spoilt = bytearray(data)
        for place in rng.integers(len(data) - 8 - length, len(data) - 8, rng.integers(1, 4)):
            spoilt[place] = rng.integers(0, 256)
        try:
            open_parquet(bytes(spoilt), "words", LOOSE)
        except CodecError:
            refused += 1
    assert 1_000 < refused < 6_000


def test_a_column_without_a_description_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    footer = parquet_bounds._footer(words(), "words")
    del parquet_bounds._structs(footer[1][0], 1)[0][3]
    monkeypatch.setattr(parquet_bounds, "_footer", lambda *_: footer)
    with pytest.raises(CodecError, match="a description of each column"):
        open_parquet(words(), "words", LOOSE)
