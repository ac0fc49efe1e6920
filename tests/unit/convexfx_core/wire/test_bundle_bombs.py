"""Bundles that cost more than they weigh: refused by their size, before the work."""

import gzip
import random
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import convexfx_core.orders.signed_columns as order_columns
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import RejectedOrder
from convexfx_core.identity import verify_rows
from convexfx_core.limits import (
    BUNDLE_EXPANSION_MAX,
    BUNDLE_ROW_BYTES_MIN,
    ROWS_ANY_SIZE,
    TEXT_BYTES_ANY_SIZE,
)
from convexfx_core.orders.signed import SignedOrder
from convexfx_core.orders.signed_columns import byte_rows, read_columns
from convexfx_core.wire import bundle
from convexfx_core.wire.bundle import (
    BUNDLE_SCHEMA,
    bundle_lines,
    parquet_bundle,
    parse_json_bundle,
    parse_parquet_bundle,
    read_parquet_bundle,
)
from tests.support.child_cost import BOMB_BYTES_MAX, cost_of
from tests.support.signed_cases import (
    code_of_call,
    domain,
    key,
    limit_order,
    payload,
    verifiable,
)

ROWS = 1 << 16
SETUP = """
from convexfx_core.wire.bundle import bundle_lines, read_parquet_bundle
"""


def equal_rows(count: int = ROWS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One signed order, so many times."""
    order = payload()
    row = (order, key("alice").public, key("alice").sign(order))
    whole = (np.frombuffer(part * count, np.uint8).reshape(count, -1) for part in row)
    payloads, keys, signatures = whole
    return payloads, keys, signatures


def nonces_only(count: int = ROWS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct payloads under one signature: they compress nearly as well as equal ones."""
    payloads, keys, signatures = equal_rows(count)
    payloads = payloads.copy()
    payloads[:, 144:152] = np.arange(1, count + 1, dtype="<u8").view(np.uint8).reshape(-1, 8)
    return payloads, keys, signatures


def signature_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows that reach the verification from now on, call by call."""
    reached: list[int] = []

    def counting(*arguments: Any) -> np.ndarray:
        reached.append(len(arguments[3]))
        return verify_rows(*arguments)

    monkeypatch.setattr(order_columns, "verify_rows", counting)
    return reached


@pytest.mark.parametrize("text", [b"\n", b"\0", b"{}\n", b"[1]\n"])
def test_gzip_that_swells(text: bytes) -> None:
    data = gzip.compress(text * ((64 << 20) // len(text)))
    cost = cost_of(SETUP, "bundle_lines(data, 1 << 20)", data)
    assert cost.said.startswith("BUNDLE_TOO_LARGE")
    assert cost.peak_bytes < BOMB_BYTES_MAX


def test_lines_are_counted_before_they_are_cut() -> None:
    """Text that fits its bound and is nothing but line ends, as many as fit into it."""
    noise = random.Random(5).randbytes(1 << 20)
    data = gzip.compress(bytes(byte | 1 for byte in noise) + b"\n" * (24 << 20))
    cost = cost_of(SETUP, "bundle_lines(data, 1_000)", data)
    assert cost.said.startswith("BUNDLE_COUNT")
    assert cost.peak_bytes < BOMB_BYTES_MAX


def test_a_count_that_the_bytes_cannot_hold_is_refused() -> None:
    """K signatures take 64 K bytes, compressed or not; a thousand rows need no such proof."""
    for count, code in ((ROWS_ANY_SIZE, None), (ROWS_ANY_SIZE + 2, "BUNDLE_COUNT")):
        data = gzip.compress(b"{}\n" * count)
        assert len(data) < BUNDLE_ROW_BYTES_MIN * 2
        assert code_of_call(lambda d=data, n=count: bundle_lines(d, n)) == code
    free = ROWS_ANY_SIZE + len(parquet_bundle(*equal_rows(2_000))) // BUNDLE_ROW_BYTES_MIN
    for count, code in ((free, None), (free + 20, "BUNDLE_COUNT")):
        data = parquet_bundle(*equal_rows(count))
        assert code_of_call(lambda d=data, n=count: read_parquet_bundle(d, n)) == code


def test_an_honest_bundle_stays_far_inside_the_bounds() -> None:
    payloads = [payload(limit_order(nonce=i + 1)) for i in range(2_000)]
    signatures = [key("alice").sign(data) for data in payloads]
    text = b"".join(json_bytes(verifiable(data)) for data in payloads)
    data = gzip.compress(text, 9)
    assert len(text) * 3 < BUNDLE_EXPANSION_MAX * len(data)
    assert len(text) > TEXT_BYTES_ANY_SIZE
    assert len(bundle_lines(data, 2_000)) == 2_000
    columns = byte_rows([key("alice").public] * 2_000, 32), byte_rows(signatures, 64)
    rows = (byte_rows(payloads, 272), *columns)
    for compression in ("zstd", "gzip", "brotli"):
        sink = BytesIO()
        arrays = [
            pa.array([row.tobytes() for row in part], type=field.type)
            for part, field in zip(rows, BUNDLE_SCHEMA, strict=True)
        ]
        pq.write_table(
            pa.Table.from_arrays(arrays, schema=BUNDLE_SCHEMA), sink, compression=compression
        )
        assert len(read_parquet_bundle(sink.getvalue(), 2_000)[0]) == 2_000


@pytest.mark.parametrize("rows", [equal_rows, nonces_only])
def test_parquet_of_few_bytes_and_many_rows(rows: Any) -> None:
    data = parquet_bundle(*rows(1 << 18))
    cost = cost_of(SETUP, "read_parquet_bundle(data, 1 << 18)", data)
    assert cost.said.startswith("BUNDLE_COUNT")
    assert cost.peak_bytes < BOMB_BYTES_MAX


def test_equal_rows_cost_one_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = signature_calls(monkeypatch)
    orders, codes = parse_parquet_bundle(parquet_bundle(*equal_rows(900)), 900, domain())
    assert reached == [1]
    assert len(orders) == 900
    assert not codes.any()


def test_rows_that_differ_anywhere_are_judged_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal payloads with another signature or, refused earlier, another key."""
    payloads, keys, signatures = (column.copy() for column in equal_rows(6))
    signatures[1, 5] ^= 1
    signatures[4, 5] ^= 1
    keys[2, 0] ^= 1
    reached = signature_calls(monkeypatch)
    codes = read_columns(payloads, keys, signatures, domain())[1]
    assert (codes == 0).tolist() == [True, False, False, True, False, True]
    assert codes[1] == codes[4] != codes[2]
    assert reached == [2]


def test_equal_lines_are_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[object] = []
    parse = bundle.parse_verifiable

    def counting(item: object, where: Any) -> object:
        parsed.append(item)
        return parse(item, where)

    monkeypatch.setattr(bundle, "parse_verifiable", counting)
    good, bad = json_bytes(verifiable()), b'{"Other":1}\n'
    results = parse_json_bundle(gzip.compress(good * 400 + bad * 400), 800, domain())
    assert [isinstance(result, SignedOrder) for result in results] == [True] * 400 + [False] * 400
    assert len(parsed) == 2


def noise(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that hold nothing and do not compress."""
    rng = np.random.default_rng(7)
    payloads, keys, signatures = (
        rng.integers(0, 256, (count, width), dtype=np.uint8) for width in (272, 32, 64)
    )
    return payloads, keys, signatures


def test_pages_that_say_more_than_their_rows_are_not_opened() -> None:
    """The footer stays honest: only who looks at the pages notices."""
    data = bytearray(parquet_bundle(*noise(4_000)))
    assert len(read_parquet_bundle(bytes(data), 4_000)[0]) == 4_000
    chunk = pq.ParquetFile(BytesIO(data)).metadata.row_group(0).column(0)
    at = chunk.dictionary_page_offset
    assert data[at : at + 3] == b"\x15\x04\x15"  # field 1, dictionary page, field 2
    size = data[at + 3 : at + 7]
    assert [byte < 128 for byte in size] == [False, False, False, True]
    data[at + 3 : at + 7] = b"\xfe\xff\xff\x7f"
    with pytest.raises(RejectedOrder, match="bytes for its rows") as caught:
        read_parquet_bundle(bytes(data), 4_000)
    assert caught.value.code == "BUNDLE_FORMAT"
