"""Swap of the HTTP API: the payload that the wallet signed, rebuilt from units and decimals."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from convexfx_core.encoding.canonical_json import strict_json
from convexfx_core.errors import RejectedOrder
from convexfx_core.identity import base58_encode
from convexfx_core.orders.signed import order_payload
from convexfx_core.orders.terms import limit_from_ratio
from convexfx_core.wire.swap import is_swap, parse_swap, swap_order
from tests.support.signed_cases import (
    UnsignedOrder,
    code_of_call,
    domain,
    key,
    limit_order,
    payload,
)

ALICE = key("alice")
ORDER = limit_order(min_fill=500_000_000, valid_until=9)
RATIO = "1.1"


def signed_fields(order: UnsignedOrder) -> dict[str, str]:
    return {"signature": base58_encode(ALICE.sign(order_payload(domain(), order)))}


def as_signed(order: UnsignedOrder = ORDER, **changes: Any) -> dict[str, Any]:
    """A Swap that says what ``order`` says; ``changes`` replace fields, None removes one."""
    limit_e, limit_m = limit_from_ratio(Decimal(RATIO), 6, 6)
    order = replace(order, terms=replace(order.terms, limit_e=limit_e, limit_m=limit_m))
    fields = {
        "owner": base58_encode(ALICE.owner),
        "pay_asset": "USD",
        "receive_asset": "EUR",
        "budget": "1000",
        "limit_ratio": RATIO,
        "min_fill_fraction": "0.5",
        "nonce": 1,
        "valid_until_epoch": 9,
        "pub_key": base58_encode(ALICE.public),
        **signed_fields(order),
        **changes,
    }
    return {"Swap": {name: value for name, value in fields.items() if value is not None}}


def accepted(item: object, next_nonce: int | None = None) -> bytes:
    return swap_order(parse_swap(item), domain(), next_nonce).payload


def refused(item: object, next_nonce: int | None = None) -> str | None:
    return code_of_call(lambda: swap_order(parse_swap(item), domain(), next_nonce))


LIMITED = accepted(as_signed())


def test_the_payload_is_rebuilt_byte_for_byte() -> None:
    e, m = limit_from_ratio(Decimal(RATIO), 6, 6)
    assert payload(limit_order(limit_e=e, limit_m=m)) == LIMITED


@pytest.mark.parametrize(
    "changes",
    [
        {"budget": "1000.00"},
        {"budget": 1000},
        {"budget": Decimal("1000.0")},
        {"limit_ratio": Decimal("1.1")},
        {"limit_ratio": "1.10"},
        {"min_fill_fraction": Decimal("0.5")},
        {"owner": "0x" + ALICE.owner.hex()},
        {"owner": "0x" + ALICE.owner.hex().upper()},
        {"pub_key": "0x" + ALICE.public.hex()},
    ],
)
def test_ways_to_write_the_same(changes: dict[str, Any]) -> None:
    assert accepted(as_signed(**changes)) == LIMITED


def test_number_literals_are_read_from_their_text() -> None:
    item = as_signed()
    text = json.dumps([item]).replace('"1000"', "1000.000000").replace('"1.1"', "1.1")
    parsed = strict_json(text.replace('"0.5"', "5e-1").encode(), keep_decimals=True)
    assert accepted(parsed[0]) == LIMITED
    literal = text.replace('"limit_ratio": 1.1', '"limit_ratio": 1.1000000000000000001')
    assert literal != text
    assert refused(strict_json(literal.encode(), keep_decimals=True)[0]) == "SIGNATURE"


def test_signature_in_hex_or_as_delta_writes_it() -> None:
    item = as_signed()
    signature = item["Swap"]["signature"]
    raw = ALICE.sign(LIMITED)
    assert accepted(as_signed(signature="0x" + raw.hex())) == LIMITED
    parts = {"pub_key": base58_encode(ALICE.public), "signature": signature}
    assert accepted(as_signed(signature={"Ed25519": parts})) == LIMITED
    assert accepted(as_signed(signature={"Ed25519": parts}, pub_key=None)) == LIMITED
    other = base58_encode(key("bob").public)
    assert refused(as_signed(signature={"Ed25519": parts}, pub_key=other)) == "PUBLIC_KEY"


def test_what_is_absent_is_what_was_signed_as_absent() -> None:
    plain = limit_order(limit_kind=0, limit_e=0, limit_m=0, min_fill=0, valid_until=0, nonce=12)
    fields = {
        "limit_ratio": None, "min_fill_fraction": None, "valid_until_epoch": None, "nonce": None,
        **signed_fields(plain),
    }  # fmt: skip
    assert accepted(as_signed(**fields), 12) == payload(plain)
    assert refused(as_signed(**fields), 13) == "SIGNATURE"
    assert refused(as_signed(**fields)) == "NONCE_RANGE"
    with_null = as_signed(**fields)
    with_null["Swap"] |= {
        "limit_ratio": None,
        "nonce": None,
        "pub_key": with_null["Swap"]["pub_key"],
    }
    assert accepted(with_null, 12) == payload(plain)
    assert refused(as_signed(**{**fields, "nonce": 11}), 12) == "SIGNATURE"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"owner": None}, "SCHEMA"),
        ({"owner": "alice"}, "SCHEMA"),
        ({"owner": "0x12"}, "SCHEMA"),
        ({"owner": "0x" + "0" * 63}, "SCHEMA"),
        ({"owner": 5}, "SCHEMA"),
        ({"owner": base58_encode(key("bob").owner)}, "OWNER_MISMATCH"),
        ({"pub_key": base58_encode(key("bob").public)}, "OWNER_MISMATCH"),
        ({"pub_key": None}, "PUBLIC_KEY"),
        ({"pub_key": "0x" + "00" * 31}, "PUBLIC_KEY"),
        ({"signature": None}, "SCHEMA"),
        ({"signature": 5}, "SIGNATURE_KIND"),
        ({"signature": "0x" + "00" * 63}, "SIGNATURE"),
        ({"signature": "0x" + "00" * 64}, "SIGNATURE"),
        ({"signature": "..."}, "SIGNATURE"),
        ({"signature": {"Passkey": {"authenticator_data": "", "client_data": "", "pub_key": "",
                                    "signature": ""}}}, "SIGNATURE_KIND"),
        ({"pay_asset": "XAU"}, "ASSET_UNKNOWN"),
        ({"receive_asset": "usd"}, "ASSET_UNKNOWN"),
        ({"receive_asset": "USD"}, "SELF_PAIR"),
        ({"pay_asset": 0}, "SCHEMA"),
        ({"budget": "0"}, "BUDGET_ZERO"),
        ({"budget": 0}, "BUDGET_ZERO"),
        ({"budget": "-1"}, "BUDGET_NEGATIVE"),
        ({"budget": "0.0000001"}, "AMOUNT_PRECISION"),
        ({"budget": "4611686018427.387904"}, "AMOUNT_RANGE"),
        ({"budget": 1 << 64}, "AMOUNT_RANGE"),
        ({"budget": True}, "SCHEMA"),
        ({"budget": "1,000"}, "SCHEMA"),
        ({"budget": "1e3"}, "SCHEMA"),
        ({"budget": " 1000"}, "SCHEMA"),
        ({"budget": "NaN"}, "SCHEMA"),
        ({"budget": Decimal("NaN")}, "FLOAT_NUMBER"),
        ({"budget": 1000.0}, "FLOAT_NUMBER"),
        ({"budget": "9" * 41}, "SCHEMA"),
        ({"limit_ratio": "0"}, "LIMIT_RANGE"),
        ({"limit_ratio": "-1.1"}, "LIMIT_RANGE"),
        ({"limit_ratio": Decimal("1e64")}, "LIMIT_RANGE"),
        ({"limit_ratio": ""}, "SCHEMA"),
        ({"min_fill_fraction": "1.01"}, "MIN_FILL_RANGE"),
        ({"min_fill_fraction": "-0.1"}, "MIN_FILL_RANGE"),
        ({"nonce": 0}, "NONCE_RANGE"),
        ({"nonce": -1}, "NONCE_RANGE"),
        ({"nonce": 1 << 63}, "NONCE_RANGE"),
        ({"nonce": 1 << 64}, "NONCE_RANGE"),
        ({"nonce": "1"}, "SCHEMA"),
        ({"nonce": Decimal("1.0")}, "FLOAT_NUMBER"),
        ({"nonce": 2}, "SIGNATURE"),
        ({"valid_until_epoch": -1}, "SCHEMA"),
        ({"valid_until_epoch": 10}, "SIGNATURE"),
        ({"budget": "1000.000001"}, "SIGNATURE"),
        ({"memo": "x"}, "SCHEMA"),
    ],
)  # fmt: skip
def test_refused_swaps(changes: dict[str, Any], code: str) -> None:
    assert refused(as_signed(**changes)) == code


@pytest.mark.parametrize("item", [None, [], {}, {"Swap": 1}, {"swap": {}}, {"Swap": {}, "x": 1}])
def test_other_values_are_no_swap(item: object) -> None:
    assert refused(item) == "SCHEMA"


def test_which_items_are_swaps() -> None:
    assert is_swap({"Swap": None})
    assert not is_swap({"Swap": {}, "x": 1})
    assert not is_swap({"DebitAllowance": {}})
    assert not is_swap(["Swap"])


def test_the_line_names_the_field() -> None:
    with pytest.raises(RejectedOrder, match=r"SCHEMA: verifiable\.Swap\.budget: .*found '1,000'"):
        parse_swap(as_signed(budget="1,000"))
