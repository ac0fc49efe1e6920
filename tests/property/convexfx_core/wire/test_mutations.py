"""Thousands of spoilt payloads and messages: none accepted, each with a code.

``CONVEXFX_MUTATIONS`` multiplies the numbers (1 by default); the seed is printed on failure.
"""

import copy
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import RejectCode, RejectedOrder
from convexfx_core.orders.codes import code_of
from convexfx_core.orders.signed import decode_order, order_payload
from convexfx_core.orders.signed_columns import byte_rows, decode_payloads, read_columns
from convexfx_core.wire.inbox import inline_message, parse_message
from convexfx_core.wire.orders import parse_items, parse_verifiable
from tests.support.signed_cases import (
    cancel,
    changed,
    code_of_call,
    domain,
    key,
    limit_order,
    patched,
    payload,
    verifiable,
)

FACTOR = int(os.environ.get("CONVEXFX_MUTATIONS", "1"))
SEED = 20_240
ORIGINALS = [
    payload(),
    payload(limit_order(limit_kind=0, limit_e=0, limit_m=0, min_fill=0)),
    payload(cancel()),
]
EDGES = [0, 1, 2, 3, 0x7F, 0x80, 0xFF]
WORDS = [
    0,
    1,
    2,
    71,
    72,
    73,
    1 << 31,
    1 << 62,
    (1 << 62) - 1,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
]


def mutated_payloads(count: int, rng: np.random.Generator) -> np.ndarray:
    """u8[count, 272]: one to three bytes or one aligned word changed; never the original."""
    originals = byte_rows(ORIGINALS, 272)
    rows = originals[rng.integers(0, len(originals), count)].copy()
    before = rows.copy()
    for _ in range(int(rng.integers(1, 4))):
        at = rng.integers(0, 272, count)
        rows[np.arange(count), at] = np.where(
            rng.random(count) < 0.5, rng.choice(EDGES, count), rng.integers(0, 256, count)
        )
    words = rows.view("<u8")
    chosen = np.flatnonzero(rng.random(count) < 0.4)
    values = np.array(WORDS, dtype=np.uint64)[rng.integers(0, len(WORDS), len(chosen))]
    words[chosen, rng.integers(0, 34, len(chosen))] = values
    same = (rows == before).all(axis=1)
    rows[same, 271] ^= 1
    return rows


def test_spoilt_payloads_keep_no_signature() -> None:
    count = 8_000 * FACTOR
    rows = mutated_payloads(count, np.random.default_rng(SEED))
    signatures = {data: key("alice").sign(data) for data in ORIGINALS}
    keys = np.tile(np.frombuffer(key("alice").public, dtype=np.uint8), (count, 1))
    seen: set[str] = set()
    for data in ORIGINALS:
        signed = np.tile(np.frombuffer(signatures[data], dtype=np.uint8), (count, 1))
        codes = read_columns(rows, keys, signed, domain())[1]
        assert (codes > 0).all()
        seen |= {str(code_of(int(code))) for code in np.unique(codes)}
    assert {"SIGNATURE", "OWNER_MISMATCH", "TERMS"} <= seen
    assert len(seen) >= 12


def test_scalar_and_columnar_checks_give_the_same_code() -> None:
    rows = mutated_payloads(5_000 * FACTOR, np.random.default_rng(SEED + 1))
    codes = decode_payloads(rows, domain())[1]
    accepted = 0
    for row, number in zip(rows, codes, strict=True):
        data, code = row.tobytes(), code_of(int(number))
        assert code_of_call(lambda d=data: decode_order(d, domain())) == (code and str(code))
        if code is None:
            assert order_payload(domain(), decode_order(data, domain())) == data
            accepted += 1
    assert 0 < accepted < len(rows)


FIELDS: dict[str, list[int]] = {
    "nonce": [0, 1, 2, (1 << 63) - 1, 1 << 63, (1 << 64) - 1],
    "budget": [0, 1, 2, (1 << 62) - 1, 1 << 62, (1 << 64) - 1],
    "receive": [0, 1, 2, 3, 65_534, 65_535],
    "kind": [0, 1, 2, 3, 4, 255, 256, 257, 258, 65_535],
    "limit_kind": [0, 1, 2, 256, 257, 65_535],
    "limit_e": [-32_768, -193, -192, -1, 0, 255, 256, 32_767],
    "limit_m": [0, 1, (1 << 62) - 1, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1],
    "min_fill": [0, 1, 2, (1 << 62) - 1, 1 << 62, (1 << 64) - 1],
    "valid_until": [0, 1, (1 << 64) - 1],
    "pay": [0, 1, 2],
}


def test_every_field_at_its_edges_alone_and_in_pairs() -> None:
    rng = np.random.default_rng(SEED + 2)
    payloads = []
    for _ in range(2_000 * FACTOR):
        base = limit_order() if rng.random() < 0.7 else cancel()
        names = rng.choice(list(FIELDS), size=int(rng.integers(1, 4)), replace=False)
        fields = {str(name): int(rng.choice(np.array(FIELDS[name], dtype=object)))
                  for name in names}  # fmt: skip
        payloads.append(order_payload(domain(), changed(base, **fields)))
    codes = decode_payloads(byte_rows(payloads, 272), domain())[1]
    names = [code_of(int(code)) for code in codes]
    scalar = [code_of_call(lambda d=data: decode_order(d, domain())) for data in payloads]
    assert scalar == [name and str(name) for name in names]
    assert set(names) >= {
        None, RejectCode.NONCE_RANGE, RejectCode.BUDGET_ZERO, RejectCode.AMOUNT_RANGE,
        RejectCode.SELF_PAIR, RejectCode.ASSET_UNKNOWN, RejectCode.TERMS, RejectCode.LIMIT_RANGE,
        RejectCode.MIN_FILL_RANGE, RejectCode.CANCEL_AMOUNT,
    }  # fmt: skip


def test_payloads_of_any_length_are_refused_with_a_code() -> None:
    rng = np.random.default_rng(SEED + 3)
    for length in [*range(272), *range(273, 400), 1_200, 5_000]:
        data = (payload() + bytes(5_000))[:length]
        code = code_of_call(lambda d=data: decode_order(d, domain()))
        assert code in ("PAYLOAD", "TERMS", "ALLOWANCE_COUNT")
        noise = rng.bytes(length)
        assert code_of_call(lambda d=noise: decode_order(d, domain())) in (
            "PAYLOAD",
            "VERIFIABLE_KIND",
        )


MESSAGE = inline_message([verifiable(), verifiable(payload(cancel()))])
INSERTED = [b"\xff", b"\0", b"0", b"1.5", b"e1", b"-", b'"', b",", b"{", b"[", b"null", b"NaN",
            b'"a":1,', b"\\u0000", b"9" * 30]  # fmt: skip


def spoilt_text(rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(MESSAGE)))
    match int(rng.integers(0, 5)):
        case 0:
            return patched(MESSAGE, at, bytes([int(rng.integers(0, 256))]))
        case 1:
            return MESSAGE[:at] + MESSAGE[at + int(rng.integers(1, 9)) :]
        case 2:
            return MESSAGE[:at] + INSERTED[int(rng.integers(0, len(INSERTED)))] + MESSAGE[at:]
        case 3:
            return MESSAGE[:at]
        case _:
            end = at + int(rng.integers(1, 60))
            return MESSAGE[:end] + MESSAGE[at:]


def outcome(body: bytes) -> list[str | None]:
    """Codes of the message's items, or the code of the message."""
    try:
        items = getattr(parse_message(body), "items", [])
    except RejectedOrder as error:
        return [error.code]
    results = parse_items(items, domain())
    return [r.code if isinstance(r, RejectedOrder) else None for r in results]


def test_spoilt_messages_are_refused_and_good_items_survive() -> None:
    rng = np.random.default_rng(SEED + 4)
    original, codes = json.loads(MESSAGE), set()
    for _ in range(3_000 * FACTOR):
        body = spoilt_text(rng)
        found = outcome(body)
        codes.update(found)
        if found == [None, None]:
            assert json.loads(body) == original
        elif None in found:
            items = json.loads(body)["items"]
            good = [item for item, code in zip(items, found, strict=True) if code is None]
            assert all(item in original["items"] for item in good)
    assert codes >= {None, "NOT_JSON", "NOT_ASCII", "SCHEMA", "SIGNATURE", "FLOAT_NUMBER"}


LEAVES: list[Any] = [
    None, True, -1, 0, 1, 255, 256, 1 << 62, 1 << 64, 1.5, "", "1", "x", [], [1], {},
    {"Fungible": 1},
]  # fmt: skip


def spoilt_values(value: Any) -> Iterator[Any]:
    """Copies of a JSON value in which one thing is replaced, removed or added."""
    for leaf in LEAVES:
        if type(leaf) is not type(value) or leaf != value:
            yield copy.deepcopy(leaf)
    if isinstance(value, dict):
        for name in value:
            yield {k: v for k, v in value.items() if k != name}
            yield {(f"{k}x" if k == name else k): v for k, v in value.items()}
            for part in spoilt_values(value[name]):
                yield {**value, name: part}
        yield {**value, "x": 1}
    elif isinstance(value, list):
        yield [*value, 0]
        for i in sorted({0, len(value) // 2, len(value) - 1}) if value else ():
            yield value[:i] + value[i + 1 :]
            for part in spoilt_values(value[i]):
                yield [*value[:i], part, *value[i + 1 :]]


@pytest.mark.parametrize("data", [payload(), payload(cancel())])
def test_no_single_change_of_a_verifiable_is_accepted(data: bytes) -> None:
    item = verifiable(data)
    assert code_of_call(lambda: parse_verifiable(item, domain())) is None
    count = 0
    for spoilt in spoilt_values(item):
        if spoilt == item:
            continue
        code = code_of_call(lambda v=spoilt: parse_verifiable(v, domain()))
        assert code in set(RejectCode), json_bytes(repr(spoilt))
        count += 1
    assert count > 300


def test_no_single_change_of_an_envelope_is_accepted() -> None:
    message = {"version": 1, "kind": "verifiables", "items": [0]}
    for spoilt in spoilt_values(message):
        text = json.dumps(spoilt).encode()
        code = code_of_call(lambda t=text: parse_message(t))
        if code is None:
            assert spoilt.keys() == message.keys()
            assert isinstance(spoilt["items"], list)
            assert outcome(text) == ["VERIFIABLE_KIND"] * len(spoilt["items"])
