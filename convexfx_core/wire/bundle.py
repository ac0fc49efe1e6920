"""Bundles: many signed orders in one object, as gzipped lines of JSON or as Parquet columns.

JSON is for producers that have verifiables already. Parquet holds the signed payloads themselves,
which are decoded as columns, several times faster. Parquet columns: ``payload`` (272 bytes),
``pub_key`` (32), ``signature`` (64), fixed width.
"""

import gzip
import zlib
from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from convexfx_core.encoding.canonical_json import json_bytes, strict_json
from convexfx_core.encoding.parquet_bounds import Bounds, open_parquet
from convexfx_core.errors import CodecError, RejectCode, RejectedOrder
from convexfx_core.identity import PUBLIC_KEY_BYTES, SIGNATURE_BYTES
from convexfx_core.limits import (
    BUNDLE_BYTES_MAX,
    BUNDLE_EXPANSION_MAX,
    BUNDLE_ITEMS_MAX,
    BUNDLE_ROW_BYTES_MIN,
    MESSAGE_BYTES_MAX,
    ROWS_ANY_SIZE,
    TEXT_BYTES_ANY_SIZE,
)
from convexfx_core.orders.signed import ORDER_PAYLOAD_BYTES, Domain
from convexfx_core.orders.signed_columns import OrderColumns, read_columns
from convexfx_core.wire.inbox import BundleMessage
from convexfx_core.wire.orders import ItemResult, parse_verifiable

BUNDLE_SCHEMA: Final = pa.schema(
    [
        pa.field("payload", pa.binary(ORDER_PAYLOAD_BYTES)),
        pa.field("pub_key", pa.binary(PUBLIC_KEY_BYTES)),
        pa.field("signature", pa.binary(SIGNATURE_BYTES)),
    ]
)
_ROWS: Final = "bundle.rows"
_BOUNDS: Final = Bounds(
    BUNDLE_ITEMS_MAX, BUNDLE_ROW_BYTES_MIN, ORDER_PAYLOAD_BYTES + PUBLIC_KEY_BYTES + SIGNATURE_BYTES
)


def check_bundle(message: BundleMessage, data: bytes) -> None:
    """Refuse an object that is too large or not the one named.

    Raises :class:`RejectedOrder`: BUNDLE_TOO_LARGE or BUNDLE_HASH.
    """
    if len(data) > BUNDLE_BYTES_MAX:
        raise _too_large(len(data), BUNDLE_BYTES_MAX)
    found = sha256(data).hexdigest()
    if found != message.sha256:
        raise RejectedOrder(RejectCode.BUNDLE_HASH, "sha256", message.sha256, found)


def rows_max(size: int) -> int:
    """Most items in a bundle of ``size`` bytes: each of them has a signature."""
    return min(BUNDLE_ITEMS_MAX, ROWS_ANY_SIZE + size // BUNDLE_ROW_BYTES_MIN)


def text_bytes_max(size: int) -> int:
    """Most bytes that a gzipped bundle of ``size`` bytes may inflate to."""
    return min(BUNDLE_BYTES_MAX, TEXT_BYTES_ANY_SIZE + size * BUNDLE_EXPANSION_MAX)


def bundle_lines(data: bytes, count: int, bytes_max: int = BUNDLE_BYTES_MAX) -> list[bytes]:
    """The ``count`` lines of a ``.json.gz`` bundle, without their line ends.

    Raises :class:`RejectedOrder`: BUNDLE_FORMAT, BUNDLE_TOO_LARGE or BUNDLE_COUNT.
    """
    most = min(bytes_max, text_bytes_max(len(data)))
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        text = inflate.decompress(data, most + 1)
    except zlib.error as error:
        raise RejectedOrder(RejectCode.BUNDLE_FORMAT, "bundle", "gzip", str(error)) from None
    if len(text) > most:
        raise _too_large(f"more than {most}", BUNDLE_BYTES_MAX if most == bytes_max else most)
    if not inflate.eof or inflate.unused_data:
        raise RejectedOrder(RejectCode.BUNDLE_FORMAT, "bundle", "one whole gzip member")
    # Counted before the text is cut: an empty line costs thirty times what it weighs.
    ends = text.count(b"\n")
    _check_count(ends + (not text.endswith(b"\n")) if text else 0, count, len(data))
    return text.removesuffix(b"\n").split(b"\n")


def parse_json_bundle(data: bytes, count: int, domain: Domain) -> list[ItemResult]:
    """Each line's order or reason, in sequence; the bundle's own faults raise.

    Equal lines are read once.
    """
    lines = bundle_lines(data, count)
    results: dict[bytes, ItemResult] = {}
    for line in lines:
        if line not in results:
            results[line] = _line_result(line, domain)
    return [results[line] for line in lines]


def parse_parquet_bundle(
    data: bytes, count: int, domain: Domain
) -> tuple[OrderColumns, NDArray[np.uint8]]:
    """All rows and their reject codes (0: accepted), signatures verified.

    Raises :class:`RejectedOrder`: BUNDLE_FORMAT or BUNDLE_COUNT.
    """
    payloads, pub_keys, signatures = read_parquet_bundle(data, count)
    return read_columns(payloads, pub_keys, signatures, domain)


def read_parquet_bundle(
    data: bytes, count: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """The three columns as u8[K, 272], u8[K, 32], u8[K, 64]; nothing in them is checked.

    A null stands as zeros, which no check accepts.
    """
    try:
        parquet = open_parquet(data, "bundle", _BOUNDS)
        _check_count(parquet.metadata.num_rows, count, len(data))
        if not parquet.schema_arrow.equals(BUNDLE_SCHEMA):
            expected = "columns payload, pub_key, signature of 272, 32, 64 bytes"
            raise RejectedOrder(
                RejectCode.BUNDLE_FORMAT, "bundle", expected, str(parquet.schema_arrow)[:200]
            )
        table = parquet.read()
    except CodecError as error:
        code = RejectCode.BUNDLE_COUNT if error.field == _ROWS else RejectCode.BUNDLE_FORMAT
        raise RejectedOrder(code, error.field, error.expected, error.observed) from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RejectedOrder(
            RejectCode.BUNDLE_FORMAT, "bundle", "a Parquet file", str(error)[:200]
        ) from None
    _check_count(table.num_rows, count, len(data))
    payloads, pub_keys, signatures = (rows_of(column) for column in table.columns)
    return payloads, pub_keys, signatures


def json_bundle(items: Sequence[object]) -> bytes:
    """A ``.json.gz`` bundle of VERIFIABLEs; equal items give equal bytes."""
    return gzip.compress(b"".join(json_bytes(item) for item in items), mtime=0)


def parquet_bundle(
    payloads: NDArray[np.uint8], pub_keys: NDArray[np.uint8], signatures: NDArray[np.uint8]
) -> bytes:
    """A ``.parquet`` bundle of u8[K, 272], u8[K, 32], u8[K, 64]."""
    columns = [
        pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(rows.shape[1]), len(rows), [None, pa.py_buffer(rows.tobytes())]
        )
        for rows in (payloads, pub_keys, signatures)
    ]
    sink = BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=BUNDLE_SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def _line_result(line: bytes, domain: Domain) -> ItemResult:
    try:
        return parse_verifiable(strict_json(line, bytes_max=MESSAGE_BYTES_MAX), domain)
    except RejectedOrder as error:
        return error


def rows_of(column: Any) -> NDArray[np.uint8]:
    """Rows of a fixed-width binary Arrow column as u8[K, width]; a null stands as zeros."""
    width = column.type.byte_width
    whole = column.fill_null(bytes(width)).combine_chunks()
    data = np.frombuffer(whole.buffers()[1], dtype=np.uint8)
    start = whole.offset * width
    return data[start : start + len(whole) * width].reshape(len(whole), width)


def _check_count(found: int, count: int, size: int) -> None:
    if found != count:
        raise RejectedOrder(RejectCode.BUNDLE_COUNT, "count", f"{count} items", found)
    if found > (most := rows_max(size)):
        expected = f"at most {most} items in {size} bytes"
        raise RejectedOrder(RejectCode.BUNDLE_COUNT, "count", expected, found)


def _too_large(found: object, most: int) -> RejectedOrder:
    return RejectedOrder(RejectCode.BUNDLE_TOO_LARGE, "bundle", f"at most {most} bytes", found)
