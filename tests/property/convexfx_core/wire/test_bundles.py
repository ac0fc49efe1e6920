"""Bundles with spoilt items: as many results as items, the good ones accepted, no other."""

import gzip
import json
from io import BytesIO

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import RejectCode, RejectedOrder
from convexfx_core.orders.codes import code_of
from convexfx_core.orders.signed_columns import byte_rows
from convexfx_core.wire.bundle import (
    BUNDLE_SCHEMA,
    parquet_bundle,
    parse_json_bundle,
    parse_parquet_bundle,
)
from convexfx_core.wire.delta import VERIFIABLE
from convexfx_core.wire.inbox import parse_message
from convexfx_core.wire.schema import schema_documents
from convexfx_core.wire.swap import SWAP
from tests.property.convexfx_core.wire.test_mutations import spoilt_values
from tests.support.signed_cases import (
    cancel,
    code_of_call,
    domain,
    key,
    limit_order,
    payload,
    verifiable,
)
from tests.unit.convexfx_core.wire.test_swap import as_signed

PATIENT = settings(deadline=None)
"""Other work on the machine is no failure."""

COUNT = 12
PAYLOADS = [payload(limit_order(nonce=i + 1)) for i in range(COUNT - 1)] + [payload(cancel())]
SIGNATURES = [key("alice").sign(data) for data in PAYLOADS]
ITEMS = [verifiable(data) for data in PAYLOADS]
SPOILT = st.dictionaries(
    st.integers(0, COUNT - 1), st.tuples(st.integers(0, 367), st.integers(1, 255)), max_size=6
)


@given(SPOILT)
@settings(PATIENT, max_examples=60)
def test_parquet_rows_are_judged_one_by_one(spoilt: dict[int, tuple[int, int]]) -> None:
    columns = [
        byte_rows(PAYLOADS, 272).copy(),
        byte_rows([key("alice").public] * COUNT, 32).copy(),
        byte_rows(SIGNATURES, 64).copy(),
    ]
    for row, (at, change) in spoilt.items():
        column, place = (0, at) if at < 272 else (1, at - 272) if at < 304 else (2, at - 304)
        columns[column][row, place] ^= change
    orders, codes = parse_parquet_bundle(parquet_bundle(*columns), COUNT, domain())
    assert len(orders) == len(codes) == COUNT
    assert set(np.flatnonzero(codes)) == set(spoilt)
    assert all(code_of(int(code)) in RejectCode for code in codes[codes > 0])
    good = [i for i in range(COUNT) if i not in spoilt]
    assert [row.tobytes() for row in orders.take(codes == 0).payloads] == [
        PAYLOADS[i] for i in good
    ]


@given(st.dictionaries(st.integers(0, COUNT - 1), st.integers(0, 10_000), max_size=6))
@settings(PATIENT, max_examples=60)
def test_json_lines_are_judged_one_by_one(spoilt: dict[int, int]) -> None:
    lines = [json_bytes(item) for item in ITEMS]
    for row, at in spoilt.items():
        place = at % (len(lines[row]) - 1)
        lines[row] = lines[row][:place] + b"\x7f" + lines[row][place + 1 :]
    data = gzip.compress(b"".join(lines))
    results = parse_json_bundle(data, COUNT, domain())
    refused = {i for i, result in enumerate(results) if isinstance(result, RejectedOrder)}
    assert refused == set(spoilt)
    assert [r.payload for r in results if not isinstance(r, RejectedOrder)] == [
        data for i, data in enumerate(PAYLOADS) if i not in spoilt
    ]


@given(st.binary(max_size=400))
@settings(PATIENT)
def test_any_bytes_as_a_bundle(data: bytes) -> None:
    codes = {None, "BUNDLE_FORMAT", "BUNDLE_COUNT", "BUNDLE_TOO_LARGE"}
    assert code_of_call(lambda: parse_json_bundle(data, 1, domain())) in codes
    assert code_of_call(lambda: parse_parquet_bundle(data, 1, domain())) in codes


@given(st.binary(max_size=200))
@settings(PATIENT)
def test_any_bytes_as_a_message(data: bytes) -> None:
    assert code_of_call(lambda: parse_message(data)) in set(RejectCode)


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4"])
@pytest.mark.parametrize("group", [1, 5, COUNT])
def test_parquet_however_it_is_written(compression: str, group: int) -> None:
    columns = [PAYLOADS, [key("alice").public] * COUNT, SIGNATURES]
    arrays = [
        pa.array(values, type=field.type)
        for values, field in zip(columns, BUNDLE_SCHEMA, strict=True)
    ]
    sink = BytesIO()
    table = pa.Table.from_arrays(arrays, schema=BUNDLE_SCHEMA)
    pq.write_table(table, sink, compression=compression, row_group_size=group)
    orders, codes = parse_parquet_bundle(sink.getvalue(), COUNT, domain())
    assert not codes.any()
    assert [row.tobytes() for row in orders.payloads] == PAYLOADS


@pytest.mark.parametrize(
    ("name", "adapter", "value"),
    [("verifiable", VERIFIABLE, verifiable()), ("swap", SWAP, as_signed())],
)
def test_the_published_schema_and_the_parser_agree(
    name: str, adapter: object, value: object
) -> None:
    """What the parser takes, the schema takes; what only the schema takes differs in text alone."""
    checker = jsonschema.Draft202012Validator(schema_documents()[name])
    agreed = 0
    for spoilt in spoilt_values(value):
        try:
            adapter.validate_python(spoilt)
            parsed = True
        except ValidationError:
            parsed = False
        shaped = checker.is_valid(json.loads(json.dumps(spoilt)))
        assert shaped or not parsed, spoilt
        agreed += shaped == parsed
    assert agreed >= 100
