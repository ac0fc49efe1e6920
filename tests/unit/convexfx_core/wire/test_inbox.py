"""Inbox messages and bundles: the envelope's faults refuse it whole, an item's only itself."""

import gzip
import zlib
from hashlib import sha256
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import RejectedOrder
from convexfx_core.limits import BUNDLE_ITEMS_MAX, MESSAGE_BYTES_MAX, MESSAGE_ITEMS_MAX
from convexfx_core.orders.codes import code_of
from convexfx_core.orders.signed import SignedOrder
from convexfx_core.orders.signed_columns import byte_rows
from convexfx_core.wire.bundle import (
    BUNDLE_SCHEMA,
    bundle_lines,
    check_bundle,
    json_bundle,
    parquet_bundle,
    parse_json_bundle,
    parse_parquet_bundle,
    read_parquet_bundle,
    rows_of,
)
from convexfx_core.wire.inbox import (
    BundleMessage,
    InlineMessage,
    bundle_message,
    inline_message,
    parse_message,
)
from tests.support.signed_cases import (
    cancel,
    code_of_call,
    domain,
    key,
    limit_order,
    payload,
    short_id,
    verifiable,
)

SHA = sha256(b"bundle").hexdigest()


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


INLINE: dict[str, Any] = {"version": 1, "kind": "verifiables", "items": [1]}
BUNDLE: dict[str, Any] = {
    "version": 1, "kind": "bundle", "key": f"inbox/{SHA}.parquet", "sha256": SHA, "count": 3,
}  # fmt: skip


def test_inline_messages_keep_their_items_as_they_are() -> None:
    message = parse_message(inline_message([verifiable(), None, 7]))
    assert isinstance(message, InlineMessage)
    assert message.items == [verifiable(), None, 7]


def test_bundle_messages() -> None:
    for ending, columnar in (("parquet", True), ("json.gz", False)):
        message = parse_message(bundle_message(f"inbox/{SHA}.{ending}", SHA, 5))
        assert isinstance(message, BundleMessage)
        assert (message.sha256, message.count, message.columnar) == (SHA, 5, columnar)


@pytest.mark.parametrize(
    ("base", "changes", "code"),
    [
        (INLINE, {"version": 2}, "VERSION_UNKNOWN"),
        (INLINE, {"version": "1"}, "VERSION_UNKNOWN"),
        (INLINE, {"version": True}, "VERSION_UNKNOWN"),
        (INLINE, {"version": None}, "VERSION_UNKNOWN"),
        (INLINE, {"kind": "orders"}, "KIND_UNKNOWN"),
        (INLINE, {"kind": 1}, "KIND_UNKNOWN"),
        (INLINE, {"kind": []}, "KIND_UNKNOWN"),
        (INLINE, {"items": []}, "SCHEMA"),
        (INLINE, {"items": {}}, "SCHEMA"),
        (INLINE, {"count": 1}, "SCHEMA"),
        (INLINE, {"items": [0] * MESSAGE_ITEMS_MAX}, None),
        (INLINE, {"items": [0] * (MESSAGE_ITEMS_MAX + 1)}, "TOO_MANY_ITEMS"),
        (BUNDLE, {}, None),
        (BUNDLE, {"key": f"inbox/{SHA}.json"}, "SCHEMA"),
        (BUNDLE, {"key": f"inbox/../{SHA}.parquet"}, "SCHEMA"),
        (BUNDLE, {"key": f"epochs/{SHA}.parquet"}, "SCHEMA"),
        (BUNDLE, {"key": f"inbox/{SHA}.parquet\n"}, "SCHEMA"),
        (BUNDLE, {"key": f"inbox/{SHA.upper()}.parquet"}, "SCHEMA"),
        (BUNDLE, {"key": f"inbox/{'0' * 64}.parquet"}, "SCHEMA"),
        (BUNDLE, {"sha256": SHA[:-1]}, "SCHEMA"),
        (BUNDLE, {"sha256": SHA + "0"}, "SCHEMA"),
        (BUNDLE, {"count": 0}, "SCHEMA"),
        (BUNDLE, {"count": "3"}, "SCHEMA"),
        (BUNDLE, {"count": BUNDLE_ITEMS_MAX}, None),
        (BUNDLE, {"count": BUNDLE_ITEMS_MAX + 1}, "TOO_MANY_ITEMS"),
        (BUNDLE, {"items": []}, "SCHEMA"),
    ],
    ids=short_id,
)
def test_envelopes(base: dict[str, Any], changes: dict[str, Any], code: str | None) -> None:
    assert code_of_call(lambda: parse_message(json_bytes({**base, **changes}))) == code


@pytest.mark.parametrize("name", ["version", "kind", "key", "sha256", "count"])
def test_each_part_of_an_envelope_is_needed(name: str) -> None:
    body = json_bytes({k: v for k, v in BUNDLE.items() if k != name})
    codes = {"version": "VERSION_UNKNOWN", "kind": "KIND_UNKNOWN"}
    assert code_of_call(lambda: parse_message(body)) == codes.get(name, "SCHEMA")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "NOT_JSON"),
        (b"[]", "SCHEMA"),
        (b"null", "SCHEMA"),
        (b'{"version":1,"version":1}', "DUPLICATE_KEY"),
        (b'{"version":1.0}', "FLOAT_NUMBER"),
        ('{"kind":"\u00e9"}'.encode(), "NOT_ASCII"),
        (b" " * (MESSAGE_BYTES_MAX + 1), "MESSAGE_TOO_LARGE"),
        (b"\xff\xfe", "NOT_ASCII"),
        (b"[" * 10_000, "NOT_JSON"),
    ],
    ids=short_id,
)
def test_bodies_that_are_no_message(body: bytes, code: str) -> None:
    assert code_of_call(lambda: parse_message(body)) == code


def test_the_largest_message_is_read() -> None:
    body = json_bytes(INLINE)
    assert parse_message(body + b" " * (MESSAGE_BYTES_MAX - len(body)))


def named(data: bytes) -> BundleMessage:
    digest = sha256(data).hexdigest()
    message = parse_message(bundle_message(f"inbox/{digest}.json.gz", digest, 1))
    assert isinstance(message, BundleMessage)
    return message


def test_bundle_is_the_one_named() -> None:
    check_bundle(named(b"data"), b"data")
    assert code_of_call(lambda: check_bundle(named(b"data"), b"date")) == "BUNDLE_HASH"


def test_bundle_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexfx_core.wire.bundle.BUNDLE_BYTES_MAX", 3)
    check_bundle(named(b"123"), b"123")
    assert code_of_call(lambda: check_bundle(named(b"1234"), b"1234")) == "BUNDLE_TOO_LARGE"


def test_json_bundle_has_a_result_for_each_line() -> None:
    items = [verifiable(), {"Swap": {}}, verifiable(payload(cancel()))]
    data = json_bundle(items)
    assert data == json_bundle(items)
    results = parse_json_bundle(data, 3, domain())
    assert isinstance(results[0], SignedOrder)
    assert isinstance(results[1], RejectedOrder)
    assert isinstance(results[2], SignedOrder)


def test_lines_that_are_no_json_spoil_only_themselves() -> None:
    good = json_bytes(verifiable())
    text = b"".join([good, b"{\n", b"\n", b"\xff\n", b'{"a":1.5}\n', b'{"a":1,"a":2}\n', good])
    results = parse_json_bundle(zipped(text), 7, domain())
    codes = [r.code if isinstance(r, RejectedOrder) else None for r in results]
    assert codes == [
        None, "NOT_JSON", "NOT_JSON", "NOT_ASCII", "FLOAT_NUMBER", "DUPLICATE_KEY", None,
    ]  # fmt: skip


def test_last_line_end_may_be_missing_and_counts_must_fit() -> None:
    assert bundle_lines(zipped(b"1\n2"), 2) == [b"1", b"2"]
    assert bundle_lines(zipped(b"1\n2\n"), 2) == [b"1", b"2"]
    assert code_of_call(lambda: bundle_lines(zipped(b"1\n2\n"), 1)) == "BUNDLE_COUNT"
    assert code_of_call(lambda: bundle_lines(zipped(b"1\n2\n"), 3)) == "BUNDLE_COUNT"
    assert code_of_call(lambda: bundle_lines(zipped(b""), 1)) == "BUNDLE_COUNT"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "BUNDLE_FORMAT"),
        (b"1\n", "BUNDLE_FORMAT"),
        (zlib.compress(b"1\n"), "BUNDLE_FORMAT"),
        (zipped(b"1\n")[:-1], "BUNDLE_FORMAT"),
        (zipped(b"1\n") + b"x", "BUNDLE_FORMAT"),
        (zipped(b"1\n") + zipped(b"2\n"), "BUNDLE_FORMAT"),
        (zipped(bytes(1_001)), "BUNDLE_TOO_LARGE"),
        (zipped(bytes(10_000_000)), "BUNDLE_TOO_LARGE"),
    ],
    ids=short_id,
)
def test_gzip_that_is_none_or_bursts(data: bytes, code: str) -> None:
    assert code_of_call(lambda: bundle_lines(data, 1, bytes_max=1_000)) == code


def columns(count: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    payloads = [payload(limit_order(nonce=i + 1)) for i in range(count)]
    signatures = [key("alice").sign(data) for data in payloads]
    signatures[1] = bytes(64)
    keys = [key("alice").public] * count
    return byte_rows(payloads, 272), byte_rows(keys, 32), byte_rows(signatures, 64)


def test_parquet_bundle_has_a_code_for_each_row() -> None:
    data = parquet_bundle(*columns())
    orders, codes = parse_parquet_bundle(data, 4, domain())
    assert [code_of(int(code)) for code in codes] == [None, "SIGNATURE", None, None]
    assert orders.rows["nonce"].tolist() == [1, 2, 3, 4]
    for found, wanted in zip(read_parquet_bundle(data, 4), columns(), strict=True):
        assert np.array_equal(found, wanted)


def written(table: pa.Table, **options: Any) -> bytes:
    sink = BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def good_table() -> pa.Table:
    return pq.read_table(BytesIO(parquet_bundle(*columns())))


def test_parquet_in_several_pieces_and_with_nulls() -> None:
    table = good_table()
    data = written(pa.concat_tables([table, table.slice(1, 2)]), row_group_size=2)
    assert parse_parquet_bundle(data, 6, domain())[0].rows["nonce"].tolist() == [1, 2, 3, 4, 2, 3]
    holes = [
        pa.array([None, *table.column(i).to_pylist()[1:]], type=BUNDLE_SCHEMA.field(i).type)
        for i in range(3)
    ]
    data = written(pa.Table.from_arrays(holes, schema=BUNDLE_SCHEMA))
    codes = parse_parquet_bundle(data, 4, domain())[1]
    assert [code_of(int(c)) for c in codes] == ["VERIFIABLE_KIND", "SIGNATURE", None, None]


def test_parquet_that_is_not_the_documented_one() -> None:
    table = good_table()
    loose = table.set_column(0, "payload", table.column(0).cast(pa.binary()))
    for data in (
        b"",
        b"PAR1" * 10,
        parquet_bundle(*columns())[:-1],
        written(table.select(["payload", "pub_key"])),
        written(table.select(["pub_key", "payload", "signature"])),
        written(table.append_column("memo", pa.array([1, 2, 3, 4]))),
        written(loose),
    ):
        assert code_of_call(lambda data=data: read_parquet_bundle(data, 4)) == "BUNDLE_FORMAT"
    for count in (3, 5):
        data = written(table)
        assert code_of_call(lambda d=data, n=count: read_parquet_bundle(d, n)) == "BUNDLE_COUNT"


def test_parquet_bytes_damaged_anywhere_never_raise_anything_else() -> None:
    data = parquet_bundle(*columns())
    for at in range(0, len(data), 7):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        code = code_of_call(lambda b=bytes(broken): read_parquet_bundle(b, 4))
        assert code in (None, "BUNDLE_FORMAT", "BUNDLE_COUNT")


def test_rows_of_a_slice() -> None:
    column = pa.chunked_array([pa.array([b"ab", b"cd", b"ef"], type=pa.binary(2)).slice(1)])
    assert rows_of(column).tobytes() == b"cdef"
    assert rows_of(pa.chunked_array([], type=pa.binary(2))).shape == (0, 2)
