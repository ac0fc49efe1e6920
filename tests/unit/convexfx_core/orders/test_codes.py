"""Golden lines: what somebody reads for each code that the codec and the wire can answer with."""

import gzip
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from convexfx_core.errors import CodecError, RejectCode, RejectedOrder
from convexfx_core.identity import base58_encode
from convexfx_core.orders.signed import decode_order, read_signed_order
from convexfx_core.orders.terms import limit_from_ratio
from convexfx_core.wire.bundle import bundle_lines, check_bundle
from convexfx_core.wire.inbox import BundleMessage, parse_message
from convexfx_core.wire.orders import parse_verifiable
from convexfx_core.wire.swap import parse_swap, swap_order
from tests.support.signed_cases import (
    address,
    cancel,
    domain,
    key,
    limit_order,
    patched,
    payload,
    short_id,
    verifiable,
)

GOOD = payload()
ALICE = key("alice")
SHA = "0" * 64
BUNDLE = BundleMessage(version=1, kind="bundle", key=f"inbox/{SHA}.parquet", sha256=SHA, count=1)


def decoding(data: bytes) -> Callable[[], object]:
    return lambda: decode_order(data, domain())


def ordering(**changes: Any) -> Callable[[], object]:
    return decoding(payload(limit_order(**changes)))


def message(body: bytes) -> Callable[[], object]:
    return lambda: parse_message(body)


def item(**parts: Any) -> Callable[[], object]:
    value = verifiable()
    value["DebitAllowance"].update(parts)
    return lambda: parse_verifiable(value, domain())


def with_allowances(**allowances: Any) -> Callable[[], object]:
    value = verifiable()
    tokens = {str(address(f"mint {name}")): amount for name, amount in allowances.items()}
    value["DebitAllowance"]["payload"]["content"]["allowances"] = tokens
    return lambda: parse_verifiable(value, domain())


def swap(**fields: Any) -> Callable[[], object]:
    value = {
        "owner": base58_encode(ALICE.owner), "pay_asset": "USD", "receive_asset": "EUR",
        "budget": "1", "nonce": 1, "pub_key": base58_encode(ALICE.public),
        "signature": "0x" + "00" * 64, **fields,
    }  # fmt: skip
    return lambda: swap_order(parse_swap({"Swap": value}), domain())


def signed(signer: str, public: bytes) -> Callable[[], object]:
    return lambda: read_signed_order(GOOD, public, key(signer).sign(GOOD), domain())


LINES: list[tuple[Callable[[], object], str]] = [
    (
        message(b" " * 204_801),
        "MESSAGE_TOO_LARGE: json: expected at most 204800 bytes, found 204801",
    ),
    (message(b"\xff"), "NOT_ASCII: json: expected ASCII bytes only"),
    (
        message(b"{"),
        "NOT_JSON: json: expected valid JSON, found Expecting property name enclosed in double "
        "quotes: line 1 column 2 (char 1)",
    ),
    (message(b'{"a":1,"a":1}'), "DUPLICATE_KEY: json: expected each key once, found a"),
    (message(b"[1.5]"), "FLOAT_NUMBER: json: expected an integer or a decimal string, found 1.5"),
    (message(b"[]"), "SCHEMA: message: expected a JSON object, found list"),
    (message(b'{"version":2}'), "VERSION_UNKNOWN: version: expected 1, found 2"),
    (
        message(b'{"version":1,"kind":"x"}'),
        "KIND_UNKNOWN: kind: expected verifiables or bundle, found 'x'",
    ),
    (
        message(b'{"version":1,"kind":"verifiables","items":[' + b"1," * 1_000 + b"1]}"),
        "TOO_MANY_ITEMS: items: expected at most 1000, found 1001",
    ),
    (
        lambda: check_bundle(BUNDLE, b""),
        f"BUNDLE_HASH: sha256: expected {SHA}, found "
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    (
        lambda: bundle_lines(gzip.compress(bytes(9)), 1, bytes_max=8),
        "BUNDLE_TOO_LARGE: bundle: expected at most 536870912 bytes, found more than 8",
    ),
    (
        lambda: bundle_lines(gzip.compress(b"1\n2"), 3),
        "BUNDLE_COUNT: count: expected 3 items, found 2",
    ),
    (
        lambda: bundle_lines(b"xy", 1),
        "BUNDLE_FORMAT: bundle: expected gzip, found Error -3 while decompressing data: "
        "incorrect header check",
    ),
    (decoding(GOOD[:100]), "PAYLOAD: payload: expected 272 bytes, found 100"),
    (
        lambda: parse_verifiable({"NftMint": {}}, domain()),
        "VERIFIABLE_KIND: verifiable: expected one of 'DebitAllowance', 'FungibleTokenMint', found "
        "{'NftMint': {}}",
    ),
    (
        item(
            signature={"Multisig": {"pub_key": {"signers": {}, "threshold": 1}, "signatures": []}}
        ),
        "SIGNATURE_KIND: signature: expected Ed25519, found Multisig",
    ),
    (
        item(memo=1),
        "SCHEMA: verifiable.DebitAllowance.memo: expected no such key, found 1",
    ),
    (
        item(signature={"Ed25519": {"pub_key": "x"}}),
        "SCHEMA: verifiable.DebitAllowance.signature.Ed25519.signature: expected this key, found "
        "{'pub_key': 'x'}",
    ),
    (
        item(signature="x"),
        "SIGNATURE_KIND: verifiable.DebitAllowance.signature: expected an object with one key that "
        "names its kind, found 'x'",
    ),
    (
        swap(nonce="1"),
        "SCHEMA: verifiable.Swap.nonce: expected a valid integer, found '1'",
    ),
    (
        swap(budget="1,0"),
        "SCHEMA: verifiable.Swap.budget: expected a decimal, as a string or a number, found '1,0'",
    ),
    (signed("alice", bytes(31)), "PUBLIC_KEY: pub_key: expected 32 bytes"),
    (signed("bob", ALICE.public), "SIGNATURE: signature: expected a valid Ed25519 signature"),
    (
        decoding(patched(GOOD, 24, bytes(32))),
        f"NETWORK_MISMATCH: network id: expected {domain().network_id.hex()}, found {'0' * 64}",
    ),
    (
        signed("alice", key("bob").public),
        f"OWNER_MISMATCH: pub_key: expected {ALICE.owner.hex()}, found {key('bob').owner.hex()}",
    ),
    (
        decoding(patched(GOOD, 128, b"\10")),
        f"CREDITED_MISMATCH: credited: expected {key('pool').owner.hex()},7, found "
        f"{key('pool').owner.hex()},8",
    ),
    (
        decoding(patched(GOOD, 88, b"\10")),
        "SHARD_MISMATCH: debited_shard: expected 7, found 8",
    ),
    (with_allowances(), "ALLOWANCE_COUNT: allowances: expected exactly one, found 0"),
    (
        with_allowances(USD={"NonFungible": []}),
        "ALLOWANCE_KIND: allowances: expected a Fungible amount, found NonFungibleIds",
    ),
    (
        ordering(receive=3),
        "ASSET_UNKNOWN: receive: expected a registry index below 3, found 3",
    ),
    (swap(pay_asset="XAU"), "ASSET_UNKNOWN: pay_asset: expected USD EUR JPY, found XAU"),
    (ordering(kind=4), "TERMS: kind: expected 1 order, 2 cancel or 3 payout, found 4"),
    (ordering(receive=0), "SELF_PAIR: receive: expected another asset than pay, found 0"),
    (ordering(budget=0), "BUDGET_ZERO: budget: expected at least 1 base unit, found 0"),
    (swap(budget="-1"), "BUDGET_NEGATIVE: budget: expected not below zero, found -1"),
    (
        swap(budget="0.0000001"),
        "AMOUNT_PRECISION: budget: expected at most 6 decimals for USD, found 1E-7",
    ),
    (
        ordering(budget=1 << 62),
        f"AMOUNT_RANGE: budget: expected below 2^62 base units, found {1 << 62}",
    ),
    (
        decoding(payload(cancel(budget=1))),
        "CANCEL_AMOUNT: amount: expected 0 in a cancel, found 1",
    ),
    (
        lambda: limit_from_ratio(Decimal(0), 6, 6),
        "LIMIT_RANGE: limit: expected a positive ratio, found 0",
    ),
    (
        ordering(min_fill=1_000_000_001),
        "MIN_FILL_RANGE: min_fill: expected at most the budget, found 1000000001",
    ),
    (ordering(nonce=0), "NONCE_RANGE: new_nonce: expected 1 to 2^63 - 1, found 0"),
]
ADMISSION = {
    RejectCode.NONCE_STALE, RejectCode.NONCE_TAKEN, RejectCode.CANCELLED, RejectCode.EXPIRED,
    RejectCode.EXPIRY_TOO_FAR, RejectCode.BUNDLE_MISSING,
}  # fmt: skip


@pytest.mark.parametrize(("call", "line"), LINES, ids=[line.split(":")[0] for _, line in LINES])
def test_line(call: Callable[[], object], line: str) -> None:
    with pytest.raises(RejectedOrder) as caught:
        call()
    assert str(caught.value) == line


def test_every_code_of_this_room_has_a_line() -> None:
    assert {line.split(":")[0] for _, line in LINES} == set(RejectCode) - ADMISSION


@pytest.mark.parametrize(
    "text", ["a\nb", "\x1b[31m", "\u00e9", "\ud800", "x" * 10_000], ids=short_id
)
def test_what_stood_there_is_shown_in_one_printable_line(text: str) -> None:
    line = CodecError("field", "something else", text).line()
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 200
