"""Orders one by one and as columns: each reject code has its smallest neighbour here."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from convexfx_core.errors import CodecError, RejectCode
from convexfx_core.identity import Address, OwnerId
from convexfx_core.market.assets import Asset, Registry
from convexfx_core.orders.codes import code_of
from convexfx_core.orders.row import ORDER_DTYPE
from convexfx_core.orders.signed import SignedOrder, decode_order, order_payload, read_signed_order
from convexfx_core.orders.signed_columns import (
    OrderColumns,
    byte_rows,
    decode_payloads,
    order_row,
    read_columns,
)
from tests.support.signed_cases import (
    JPY,
    address,
    cancel,
    code_of_call,
    domain,
    key,
    limit_order,
    patched,
    payload,
)

TOP = (1 << 64) - 1
GOOD = payload()
ACCEPTED = {
    "limit order": GOOD,
    "market order": payload(limit_order(limit_kind=0, limit_e=0, limit_m=0)),
    "least budget": payload(limit_order(budget=1, min_fill=0)),
    "largest budget": payload(limit_order(budget=(1 << 62) - 1, min_fill=(1 << 62) - 1)),
    "last asset": payload(limit_order(receive=JPY)),
    "largest nonce": payload(limit_order(nonce=(1 << 63) - 1)),
    "longest life": payload(limit_order(valid_until=TOP)),
    "cancel": payload(cancel()),
    "cancel with an end": payload(cancel(valid_until=4)),
}
REFUSED = {
    "tag of a mint": (patched(GOOD, 0, b"cfx.mint.v1\0"), "VERIFIABLE_KIND"),
    "version 0": (patched(GOOD, 16, b"\0"), "VERSION_UNKNOWN"),
    "version 2": (patched(GOOD, 16, b"\2"), "VERSION_UNKNOWN"),
    "no allowance": (patched(GOOD, 20, b"\0"), "ALLOWANCE_COUNT"),
    "two allowances": (patched(GOOD, 20, b"\2"), "ALLOWANCE_COUNT"),
    "71 bytes of terms": (patched(GOOD, 192, b"\x47"), "TERMS"),
    "terms bomb": (patched(GOOD, 192, b"\xff" * 8), "TERMS"),
    "network": (patched(GOOD, 24, bytes([GOOD[24] ^ 1])), "NETWORK_MISMATCH"),
    "shard 0": (patched(GOOD, 88, b"\0"), "SHARD_MISMATCH"),
    "shard 8": (patched(GOOD, 88, b"\10"), "SHARD_MISMATCH"),
    "credited owner": (patched(GOOD, 127, bytes([GOOD[127] ^ 1])), "CREDITED_MISMATCH"),
    "credited shard": (patched(GOOD, 128, b"\10"), "CREDITED_MISMATCH"),
    "nonce 0": (payload(limit_order(nonce=0)), "NONCE_RANGE"),
    "nonce 2^63": (payload(limit_order(nonce=1 << 63)), "NONCE_RANGE"),
    "nonce 2^64 - 1": (payload(limit_order(nonce=TOP)), "NONCE_RANGE"),
    "token owner": (patched(GOOD, 144, bytes([GOOD[144] ^ 1])), "ASSET_UNKNOWN"),
    "token owner's end": (patched(GOOD, 175, bytes([GOOD[175] ^ 1])), "ASSET_UNKNOWN"),
    "token shard": (patched(GOOD, 176, b"\10"), "ASSET_UNKNOWN"),
    "token shard 0": (patched(GOOD, 176, bytes(8)), "ASSET_UNKNOWN"),
    "terms version": (patched(GOOD, 200, b"\2"), "TERMS"),
    "kind 0": (payload(limit_order(kind=0)), "TERMS"),
    "kind 4 in the shape of a cancel": (payload(cancel(kind=4)), "TERMS"),
    "limit kind 2 without a limit": (
        payload(limit_order(limit_kind=2, limit_e=0, limit_m=0)),
        "TERMS",
    ),
    "payout": (payload(cancel(kind=3, pays=b"\1" * 32)), "TERMS"),
    "payout of nothing": (payload(cancel(kind=3)), "TERMS"),
    "kind 257": (payload(limit_order(kind=257)), "TERMS"),
    "reserved": (patched(GOOD, 212, b"\1"), "TERMS"),
    "order pays an order": (payload(limit_order(pays=bytes(31) + b"\1")), "TERMS"),
    "limit kind 2": (payload(limit_order(limit_kind=2)), "TERMS"),
    "limit kind 257": (payload(limit_order(limit_kind=257)), "TERMS"),
    "market with a mantissa": (payload(limit_order(limit_kind=0, limit_e=0)), "TERMS"),
    "market with an exponent": (payload(limit_order(limit_kind=0, limit_m=0)), "TERMS"),
    "mantissa": (payload(limit_order(limit_m=(1 << 62) - 1)), "LIMIT_RANGE"),
    "mantissa 2^63": (payload(limit_order(limit_m=1 << 63)), "LIMIT_RANGE"),
    "exponent -193": (payload(limit_order(limit_e=-193)), "LIMIT_RANGE"),
    "exponent 256": (payload(limit_order(limit_e=256)), "LIMIT_RANGE"),
    "receive 3 of 3": (payload(limit_order(receive=3)), "ASSET_UNKNOWN"),
    "receive nothing": (payload(limit_order(receive=65_535)), "ASSET_UNKNOWN"),
    "self pair": (payload(limit_order(receive=0)), "SELF_PAIR"),
    "budget 0": (payload(limit_order(budget=0, min_fill=0)), "BUDGET_ZERO"),
    "budget 2^62": (payload(limit_order(budget=1 << 62)), "AMOUNT_RANGE"),
    "budget 2^64 - 1": (payload(limit_order(budget=TOP)), "AMOUNT_RANGE"),
    "min fill": (payload(limit_order(min_fill=1_000_000_001)), "MIN_FILL_RANGE"),
    "cancel of an amount": (payload(cancel(budget=1)), "CANCEL_AMOUNT"),
    "cancel that receives": (payload(cancel(receive=1)), "TERMS"),
    "cancel with a minimum": (payload(cancel(min_fill=1)), "TERMS"),
    "cancel with a limit": (payload(cancel(limit_kind=1, limit_m=1 << 62)), "TERMS"),
}
SHAPES = {
    "nothing": (b"", "PAYLOAD"),
    "23 bytes": (GOOD[:23], "PAYLOAD"),
    "only a head": (GOOD[:24], "PAYLOAD"),
    "other head": (GOOD[:15] + b"\1" + GOOD[16:24], "VERIFIABLE_KIND"),
    "cut": (GOOD[:-1], "PAYLOAD"),
    "longer": (GOOD + b"\0", "PAYLOAD"),
    "64 bytes of terms": (patched(GOOD, 192, b"\x40")[:-8], "TERMS"),
    "80 bytes of terms": (patched(GOOD, 192, b"\x50") + bytes(8), "TERMS"),
}


def table(payloads: list[bytes]) -> np.ndarray:
    return byte_rows(payloads, 272)


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_payloads(name: str) -> None:
    order = decode_order(ACCEPTED[name], domain())
    assert order_payload(domain(), order) == ACCEPTED[name]


@pytest.mark.parametrize("name", REFUSED | SHAPES)
def test_refused_payloads(name: str) -> None:
    data, code = (REFUSED | SHAPES)[name]
    assert code_of_call(lambda: decode_order(data, domain())) == code


def test_columns_decode_all_of_them_at_once_with_the_same_codes() -> None:
    payloads = [*ACCEPTED.values(), *(data for data, _ in REFUSED.values())]
    rows, codes = decode_payloads(table(payloads), domain())
    names = [None if number == 0 else str(code_of(int(number))) for number in codes]
    assert names == [None] * len(ACCEPTED) + [code for _, code in REFUSED.values()]
    for row, data in zip(rows, ACCEPTED.values(), strict=False):
        order = decode_order(data, domain())
        signed = SignedOrder(
            b"", order.owner, order.nonce, order.pay, order.budget, order.terms, data, b"", b""
        )
        assert np.array([order_row(signed)], dtype=ORDER_DTYPE)[0] == row


def test_columns_of_other_widths_are_refused() -> None:
    with pytest.raises(CodecError, match="rows of 272"):
        decode_payloads(np.zeros((1, 271), dtype=np.uint8), domain())
    with pytest.raises(CodecError, match="rows of 272"):
        decode_payloads(np.zeros(272, dtype=np.uint8), domain())
    with pytest.raises(CodecError, match="rows of 272"):
        byte_rows([GOOD, GOOD[:-1]], 272)


def test_no_payload_at_all() -> None:
    columns, codes = read_columns(
        np.zeros((0, 272), dtype=np.uint8),
        np.zeros((0, 32), dtype=np.uint8),
        np.zeros((0, 64), dtype=np.uint8),
        domain(),
    )
    assert (len(columns), len(codes)) == (0, 0)


def test_tokens_that_share_their_first_words_are_told_apart() -> None:
    head = bytes(range(8))
    owners = [OwnerId(head + bytes(23) + bytes([i])) for i in range(3)]
    tokens = [Address(owners[0], 2), Address(owners[0], 1), Address(owners[1], 1)]
    registry = Registry(tuple(Asset(f"T{i}", 6, token) for i, token in enumerate(tokens)))
    twins = replace(domain(), registry=registry)
    payloads = [order_payload(twins, limit_order(pay=i, receive=(i + 1) % 3)) for i in range(3)]
    unknown = patched(payloads[0], 144, owners[2])
    rows, codes = decode_payloads(table([*payloads, unknown]), twins)
    assert rows["pay"][:3].tolist() == [0, 1, 2]
    assert [code_of(int(c)) for c in codes] == [None, None, None, RejectCode.ASSET_UNKNOWN]


SIGNED = {
    "good": ("alice", "alice", GOOD, None),
    "another key": ("bob", "bob", GOOD, "OWNER_MISMATCH"),
    "another's signature": ("alice", "bob", GOOD, "SIGNATURE"),
    "both": ("bob", "alice", GOOD, "OWNER_MISMATCH"),
    "bad terms first": ("bob", "alice", REFUSED["payout"][0], "TERMS"),
    "cancel": ("alice", "alice", payload(cancel()), None),
}


def test_signed_orders_one_by_one_and_as_columns() -> None:
    data = [case[2] for case in SIGNED.values()]
    keys = [key(case[0]).public for case in SIGNED.values()]
    signatures = [key(case[1]).sign(case[2]) for case in SIGNED.values()]
    expected = [case[3] for case in SIGNED.values()]
    found = [
        code_of_call(lambda parts=parts: read_signed_order(*parts, domain()))
        for parts in zip(data, keys, signatures, strict=True)
    ]
    assert found == expected
    columns, codes = read_columns(
        table(data), byte_rows(keys, 32), byte_rows(signatures, 64), domain()
    )
    assert [code and str(code) for code in map(code_of, codes.tolist())] == expected
    accepted = columns.take(codes == 0)
    assert [row.tobytes() for row in accepted.payloads] == [data[0], data[5]]


def test_an_order_is_the_same_as_value_and_as_row() -> None:
    order = read_signed_order(GOOD, key("alice").public, key("alice").sign(GOOD), domain())
    assert order.order_id == sha256(GOOD).digest()
    assert order.owner == key("alice").owner
    columns = OrderColumns.of([order, order])
    assert columns.payloads[1].tobytes() == GOOD
    assert columns.pub_keys[1].tobytes() == order.pub_key
    assert columns.signatures[1].tobytes() == order.signature
    row = columns.rows[0].tobytes()
    assert len(row) == 80
    assert row[:32] == order.owner
    assert row[32:40] == (1).to_bytes(8, "little")
    assert row[72:80] == bytes([0, 0, 1, 0, 62, 0, 1, 1])
    assert columns.take(np.array([1])).order_ids[0].tobytes() == order.order_id


@pytest.mark.parametrize("length", [0, 31, 33])
def test_keys_of_another_length(length: int) -> None:
    call = code_of_call(lambda: read_signed_order(GOOD, bytes(length), bytes(64), domain()))
    assert call == "PUBLIC_KEY"


def test_columns_of_unequal_length_are_refused() -> None:
    rows, keys = table([GOOD]), byte_rows([key("alice").public], 32)
    with pytest.raises(CodecError, match="pub_keys"):
        read_columns(rows, keys[:0], byte_rows([bytes(64)], 64), domain())
    with pytest.raises(CodecError, match="signatures"):
        read_columns(rows, keys, byte_rows([bytes(64)] * 2, 64), domain())


def test_another_pool_or_network_sees_none_of_these() -> None:
    other = replace(domain(), pool=address("other pool"))
    assert code_of_call(lambda: decode_order(GOOD, other)) == "CREDITED_MISMATCH"
    other = replace(domain(), network_id=bytes(32))
    assert code_of_call(lambda: decode_order(GOOD, other)) == "NETWORK_MISMATCH"
