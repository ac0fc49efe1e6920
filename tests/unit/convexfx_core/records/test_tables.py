"""Tables: every column comes back, every changed byte is seen, a stranger finds the same hash."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from convexfx_core.admission.carry import SeenSet, seen_after
from convexfx_core.encoding.parquet_table import (
    HASH_KEY,
    Column,
    Optionals,
    TableSchema,
    Texts,
    Values,
    canonical_bytes,
    read_table,
    rows_sha256,
    table_facts,
    table_schema,
    write_table,
)
from convexfx_core.errors import CodecError
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.records.receipts import RECEIPTS
from convexfx_core.records.tables import (
    ORDERS,
    STATE,
    STATE_DIFFS,
    orders_columns,
    read_orders,
    read_state,
    write_orders,
    write_state,
)
from tests.support.epoch_cases import EPOCH, LIMIT_ONE, Sketch, sealed

ROOT = Path(__file__).resolve().parents[4]
SMALL = table_schema(
    "small",
    3,
    {"a": "u16", "b": "i64", "key": "bytes:4", "word": "text:6", "more": "optional:2"},
)


def small(count: int = 3) -> dict[str, Values]:
    """Columns of the small table."""
    present = np.arange(count) % 2 == 0
    return {
        "a": np.arange(count, dtype=np.uint16) + 500,
        "b": -np.arange(count, dtype=np.int64),
        "key": np.arange(4 * count, dtype=np.uint8).reshape(count, 4),
        "word": Texts((np.arange(count) % 2).astype(np.int32), ("one", "second")),
        "more": Optionals(present, np.full((int(present.sum()), 2), 9, dtype=np.uint8)),
    }


def book() -> SealedOrders:
    """Orders, limit orders and cancels of several seals."""
    return sealed(
        Sketch(2, 2, budget=(1 << 62) - 1, valid_until=9, sealed=EPOCH - 1),
        Sketch(1, 1, limit=LIMIT_ONE, min_fill=3),
        Sketch(2, 1, cancel=True, pay=2),
        Sketch(3, 1, limit=((1 << 63) - 1, -192), pay=1, receive=2),
    )


def same_orders(one: SealedOrders, other: SealedOrders) -> bool:
    columns = ("rows", "order_ids", "sealed_epoch", "payloads", "pub_keys", "signatures")
    return all(getattr(one, c).tobytes() == getattr(other, c).tobytes() for c in columns)


def with_metadata(data: bytes, **changes: str | None) -> bytes:
    """The file with other metadata entries; ``None`` takes one away."""
    table = pq.read_table(pa.BufferReader(data))
    metadata = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    for name, value in changes.items():
        key = f"convexfx.{name}"
        metadata.pop(key, None)
        if value is not None:
            metadata[key] = value
    return rewritten(table.replace_schema_metadata(metadata))


def rewritten(table: Any, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return bytes(sink.getvalue())


# -- canonical bytes ---------------------------------------------------------------------------


def test_canonical_bytes_by_hand() -> None:
    def row(a: int, b: int, key: str, word: bytes, there: int) -> bytes:
        integers = a.to_bytes(2, "little") + b.to_bytes(8, "little", signed=True)
        return integers + bytes.fromhex(key) + word.ljust(6, b"\0") + bytes([there])

    expected = (
        row(500, 0, "00010203", b"one", 1)
        + row(501, -1, "04050607", b"second", 0)
        + row(502, -2, "08090a0b", b"one", 1)
        + b"\x09\x09\x09\x09"
    )
    assert canonical_bytes(SMALL, small()) == expected
    assert rows_sha256(SMALL, small()) == sha256(expected).hexdigest()


def test_no_rows_hash_as_nothing() -> None:
    assert canonical_bytes(SMALL, small(0)) == b""
    assert rows_sha256(SMALL, small(0)) == sha256(b"").hexdigest()


def test_the_dictionary_of_a_text_column_does_not_matter() -> None:
    columns = small()
    other = columns | {"word": Texts(np.array([2, 0, 2], np.int32), ("second", "unused", "one"))}
    assert canonical_bytes(SMALL, other) == canonical_bytes(SMALL, columns)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("a", np.zeros(2, dtype=np.uint16), "columns of one length"),
        ("a", np.zeros((3, 1), dtype=np.uint16), "shape"),
        ("key", np.zeros((3, 5), dtype=np.uint8), "shape"),
        ("key", np.zeros(3, dtype=np.uint8), "shape"),
        ("word", Texts(np.zeros(3, np.int32), ("seven77",)), "at most 6 ASCII"),
        ("word", Texts(np.zeros(3, np.int32), ("é",)), "at most 6 ASCII"),
        ("word", Texts(np.zeros(3, np.int32), ("a\0",)), "at most 6 ASCII"),
        ("word", Texts(np.zeros(2, np.int32), ("a",)), "columns of one length"),
        ("more", Optionals(np.ones(3, np.bool_), np.zeros((2, 2), np.uint8)), "shape"),
        ("more", Optionals(np.ones(3, np.bool_), np.zeros((3, 3), np.uint8)), "shape"),
        ("more", Optionals(np.ones(2, np.bool_), np.zeros((2, 2), np.uint8)), "one length"),
    ],
)
def test_columns_that_do_not_fit_are_refused(name: str, values: Values, expected: str) -> None:
    with pytest.raises(CodecError, match=expected):
        write_table(SMALL, small() | {name: values})


@pytest.mark.parametrize("kind", ["u8", "i16", "bytes:32", "text:1", "optional:80"])
def test_kinds_of_the_list(kind: str) -> None:
    assert Column("c", kind).kind == kind


@pytest.mark.parametrize("kind", ["u128", "i8", "f64", "bytes", "bytes:", "text:-1", "u8:1", ""])
def test_other_kinds_are_refused(kind: str) -> None:
    with pytest.raises(CodecError, match="a kind of the list"):
        Column("c", kind)


# -- write and read ----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 3, 1_000])
def test_a_table_and_back(count: int) -> None:
    columns = small(count)
    found = read_table(SMALL, write_table(SMALL, columns), rows_max=1_000)
    assert canonical_bytes(SMALL, found) == canonical_bytes(SMALL, columns)
    assert list(found) == ["a", "b", "key", "word", "more"]
    word = found["word"]
    assert isinstance(word, Texts)
    assert word.texts() == [("one", "second")[k % 2] for k in range(count)]


def test_equal_tables_give_equal_files() -> None:
    assert write_table(SMALL, small()) == write_table(SMALL, small())


def test_lineage_stands_in_the_metadata_and_not_in_the_hash() -> None:
    with_lineage = write_table(SMALL, small(), {"manifest": "ab12"})
    facts = table_facts(SMALL, with_lineage)
    assert facts["convexfx.lineage.manifest"] == "ab12"
    assert facts[HASH_KEY] == table_facts(SMALL, write_table(SMALL, small()))[HASH_KEY]


def test_another_library_s_file_of_the_same_rows_is_read() -> None:
    """Other compression, pages and row groups, the same rows."""
    table = pq.read_table(pa.BufferReader(write_table(SMALL, small(10))))
    other = rewritten(table, compression="snappy", row_group_size=3, use_dictionary=False)
    found = read_table(SMALL, other, rows_max=10)
    assert canonical_bytes(SMALL, found) == canonical_bytes(SMALL, small(10))


def test_more_rows_than_allowed_are_refused_before_they_are_read() -> None:
    data = write_table(SMALL, small(5))
    read_table(SMALL, data, rows_max=5)
    with pytest.raises(CodecError, match="at most 4 rows, found 5"):
        read_table(SMALL, data, rows_max=4)


def test_a_table_that_swells_is_refused_before_it_is_read() -> None:
    """A megabyte of one text in the dictionary of a column that no row of ours could hold."""
    names = pa.array(["x" * 4_000_000])
    word = pa.DictionaryArray.from_arrays(pa.array([0, 0, 0], pa.int32()), names)
    table = pq.read_table(pa.BufferReader(write_table(SMALL, small())))
    swollen = table.set_column(3, SMALL.arrow().field("word"), word)
    with pytest.raises(CodecError, match="bytes for its rows"):
        read_table(SMALL, rewritten(swollen), rows_max=3)


def with_column(name: str, array: Any, data: bytes) -> bytes:
    table = pq.read_table(pa.BufferReader(data))
    at = table.schema.names.index(name)
    return rewritten(table.set_column(at, pa.field(name, array.type), array))


@pytest.mark.parametrize(
    ("name", "array", "field"),
    [
        ("a", pa.array([1, 2, 3], pa.uint32()), "small.a"),
        ("b", pa.array([1, 2, 3], pa.uint64()), "small.b"),
        ("key", pa.array([b"abcde"] * 3, pa.binary(5)), "small.key"),
        ("key", pa.array([b"abcd"] * 3, pa.binary()), "small.key"),
        ("word", pa.array(["one"] * 3), "small.word"),
        ("a", pa.array([1, None, 3], pa.uint16()), "small.a"),
        ("key", pa.array([b"abcd", None, b"abcd"], pa.binary(4)), "small.key"),
        ("word", pa.array(["one", None, "one"]).dictionary_encode(), "small.word"),
        ("word", pa.array(["seven77"] * 3).dictionary_encode(), "word"),
    ],
)
def test_another_type_or_a_null_is_refused(name: str, array: Any, field: str) -> None:
    with pytest.raises(CodecError) as caught:
        read_table(SMALL, with_column(name, array, write_table(SMALL, small())), rows_max=9)
    assert caught.value.field == field


@pytest.mark.parametrize("names", [["a"], ["a", "b", "key", "word", "more", "extra"]])
def test_missing_and_further_columns_are_refused(names: list[str]) -> None:
    table = pq.read_table(pa.BufferReader(write_table(SMALL, small())))
    table = table.append_column("extra", pa.array([1, 2, 3])).select(names)
    with pytest.raises(CodecError, match="columns a, b, key, word, more"):
        read_table(SMALL, rewritten(table), rows_max=9)


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "other"},
        {"schema": None},
        {"version": "2"},
        {"version": None},
        {"rows_sha256": None},
    ],
)
def test_another_name_version_or_no_hash_is_refused(changes: dict[str, str | None]) -> None:
    data = write_table(SMALL, small())
    with pytest.raises(CodecError, match="schema small, version 3, with its row hash"):
        read_table(SMALL, with_metadata(data, **changes), rows_max=9)


def test_another_row_hash_is_refused() -> None:
    data = with_metadata(write_table(SMALL, small()), rows_sha256="0" * 64)
    with pytest.raises(CodecError, match="rows that hash to 0000"):
        read_table(SMALL, data, rows_max=9)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("a", pa.array([500, 501, 503], pa.uint16())),
        ("b", pa.array([0, -1, 2], pa.int64())),
        ("key", pa.array([b"\0\1\2\3", b"\4\5\6\7", b"\x08\x09\x0a\x0c"], pa.binary(4))),
        ("word", pa.array(["one", "one", "one"]).dictionary_encode()),
        ("more", pa.array([b"\x09\x09", b"\x09\x09", b"\x09\x09"], pa.binary(2))),
        ("more", pa.array([b"\x09\x09", b"\x09\x09", None], pa.binary(2))),
        ("more", pa.array([b"\x09\x09", None, b"\x09\x08"], pa.binary(2))),
    ],
)
def test_one_changed_value_in_any_column_is_seen(name: str, array: Any) -> None:
    data = write_table(SMALL, small())
    with pytest.raises(CodecError, match="rows that hash to"):
        read_table(SMALL, with_column(name, array, data), rows_max=9)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"{}", b"PAR1" + bytes(100) + b"PAR1"])
def test_what_is_no_parquet_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError, match="a Parquet file"):
        read_table(SMALL, data, rows_max=9)


def test_broken_files_never_raise_anything_else() -> None:
    rng, data = np.random.default_rng(11), write_orders(book())
    outcomes = {"same": 0, "refused": 0}
    for _ in range(600):
        broken = bytearray(data)
        broken[rng.integers(len(data) - min(len(data), 2_500), len(data))] ^= rng.integers(1, 256)
        try:
            outcomes["same"] += same_orders(read_orders(bytes(broken)), read_orders(data))
        except CodecError:
            outcomes["refused"] += 1
    assert sum(outcomes.values()) == 600
    assert outcomes["refused"] > 300


def test_a_cut_file_is_refused() -> None:
    data = write_orders(book())
    for size in range(0, len(data), 97):
        with pytest.raises(CodecError):
            read_orders(data[:size])


# -- orders ------------------------------------------------------------------------------------


def test_orders_and_back_in_canonical_order() -> None:
    orders = book()
    found = read_orders(write_orders(orders))
    owners = [(row["owner"].tobytes(), int(row["nonce"])) for row in found.rows]
    assert owners == sorted(owners)
    for k, name in enumerate(row.tobytes() for row in found.order_ids):
        at = [row.tobytes() for row in orders.order_ids].index(name)
        assert same_orders(found.take(np.array([k])), orders.take(np.array([at])))


def test_the_sequence_of_the_orders_does_not_change_the_file() -> None:
    orders = book()
    assert write_orders(orders.take(np.array([3, 1, 0, 2]))) == write_orders(orders)


def test_no_orders_are_a_table() -> None:
    assert len(read_orders(write_orders(SealedOrders.empty()))) == 0


def test_every_field_of_an_order_row_has_its_column() -> None:
    fields = set(book().rows.dtype.names)
    assert fields <= {column.name for column in ORDERS.columns}
    assert set(orders_columns(book())) == {column.name for column in ORDERS.columns}


# -- state -------------------------------------------------------------------------------------


def test_seen_ids_and_live_orders_and_back() -> None:
    orders = book()
    seen = seen_after(SeenSet.empty(), orders, EPOCH)
    live = orders.take(np.array([0, 3]))
    found_seen, found_live = read_state(write_state(seen, live))
    assert found_seen.ids.tolist() == seen.ids.tolist()
    assert found_seen.until_epoch.tolist() == seen.until_epoch.tolist()
    assert same_orders(found_live, read_orders(write_orders(live)))


def test_the_state_does_not_depend_on_the_sequence_of_live_orders() -> None:
    orders = book()
    seen = seen_after(SeenSet.empty(), orders, EPOCH)
    assert write_state(seen, orders) == write_state(seen, orders.take(np.array([2, 0, 3, 1])))


def test_the_first_state_is_empty() -> None:
    seen, live = read_state(write_state(SeenSet.empty(), SealedOrders.empty()))
    assert (len(seen), len(live)) == (0, 0)


def test_a_live_order_that_was_never_seen_is_refused() -> None:
    orders = book()
    seen = seen_after(SeenSet.empty(), orders.take(np.array([0, 1])), EPOCH)
    write_state(seen, orders.take(np.array([1])))
    with pytest.raises(CodecError, match="live orders that are in the seen-set"):
        write_state(seen, orders.take(np.array([2])))


def test_a_live_order_twice_is_refused() -> None:
    orders = book().take(np.array([1, 1]))
    seen = seen_after(SeenSet.empty(), orders, EPOCH)
    with pytest.raises(CodecError, match="strictly increasing"):
        write_state(seen, orders)


def test_a_live_order_in_part_is_refused() -> None:
    """Even with the right hash: the writer of such a table is wrong."""
    orders = book().take(np.array([1]))
    seen = seen_after(SeenSet.empty(), orders, EPOCH)
    columns = read_table(STATE, write_state(seen, orders), rows_max=9)
    nothing = Optionals(np.zeros(1, np.bool_), np.empty((0, 64), dtype=np.uint8))
    data = write_table(STATE, columns | {"signature": nothing})
    with pytest.raises(CodecError, match="whole or not at all"):
        read_state(data)


def test_seen_ids_out_of_sequence_are_refused() -> None:
    orders = book()
    seen = seen_after(SeenSet.empty(), orders, EPOCH)
    columns = dict(read_table(STATE, write_state(seen, SealedOrders.empty()), rows_max=9))
    columns["order_id"] = seen.ids[::-1]
    with pytest.raises(CodecError, match="strictly increasing"):
        read_state(write_table(STATE, columns))


# -- a stranger's reader, from docs/tables.md alone --------------------------------------------


def stranger_hash(data: bytes) -> tuple[str, str]:
    """The hash in the metadata, and the one that plain pyarrow finds."""
    table = pq.read_table(pa.BufferReader(data))
    body, tail = bytearray(), [bytearray() for _ in table.schema]
    columns = [table.column(i).to_pylist() for i in range(table.num_columns)]
    for row in zip(*columns, strict=True):
        for i, (field, value) in enumerate(zip(table.schema, row, strict=True)):
            if pa.types.is_integer(field.type):
                signed = pa.types.is_signed_integer(field.type)
                body += value.to_bytes(field.type.bit_width // 8, "little", signed=signed)
            elif pa.types.is_dictionary(field.type):
                body += value.encode("ascii").ljust(int(field.metadata[b"convexfx.width"]), b"\0")
            elif field.nullable:
                body.append(value is not None)
                tail[i] += value or b""
            else:
                body += value
    stored = table.schema.metadata[b"convexfx.rows_sha256"].decode()
    return stored, sha256(bytes(body) + b"".join(tail)).hexdigest()


def test_a_stranger_finds_the_same_hashes() -> None:
    orders = book()
    seen = seen_after(SeenSet.empty(), orders, EPOCH)
    for data in (
        write_table(SMALL, small(7)),
        write_orders(orders),
        write_state(seen, orders.take(np.array([0, 2]))),
    ):
        stored, found = stranger_hash(data)
        assert stored == found


# -- the page of documentation -----------------------------------------------------------------


def documented(name: str) -> list[tuple[str, str]]:
    """Columns of a table as ``docs/tables.md`` lists them."""
    page = (ROOT / "docs" / "tables.md").read_text()
    section = page.split(f"\n## {name}, version 1\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| ([\w:]+) \|", section, re.MULTILINE)


@pytest.mark.parametrize("schema", [ORDERS, STATE, STATE_DIFFS, RECEIPTS], ids=lambda s: s.name)
def test_the_page_lists_exactly_the_columns(schema: TableSchema) -> None:
    assert schema.version == 1
    assert documented(schema.name) == [(c.name, c.kind) for c in schema.columns]
