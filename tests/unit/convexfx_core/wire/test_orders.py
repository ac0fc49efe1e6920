"""VERIFIABLEs as JSON: rebuilt byte for byte, each fault with its code and its field."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from convexfx_core.encoding.canonical_json import json_bytes, strict_json
from convexfx_core.errors import RejectedOrder
from convexfx_core.identity import base58_encode
from convexfx_core.orders.payload import (
    Allowance,
    Credit,
    DebitAllowance,
    MintOperation,
    MintPayload,
)
from convexfx_core.wire.delta import VERIFIABLE
from convexfx_core.wire.orders import (
    debit_allowance,
    order_json,
    parse_items,
    parse_verifiable,
    verifiable_json,
)
from tests.support.signed_cases import (
    address,
    cancel,
    code_of_call,
    domain,
    key,
    limit_order,
    payload,
    short_id,
    verifiable,
)

Change = Callable[[dict[str, Any]], object]
TOKEN, OTHER = str(address("mint USD")), str(address("mint EUR"))
PASSKEY = {"authenticator_data": "x", "client_data": "{}", "pub_key": "x", "signature": "x"}
MULTISIG = {"pub_key": {"signers": {"x": 1}, "threshold": 1}, "signatures": []}


def edited(change: Change) -> dict[str, Any]:
    item = copy.deepcopy(verifiable())
    change(item)
    return item


def body(item: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = item["DebitAllowance"]["payload"]
    return message


def content(item: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body(item)["content"]
    return found


def ed25519(item: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = item["DebitAllowance"]["signature"]["Ed25519"]
    return found


def signature(**variant: object) -> Change:
    return lambda item: item["DebitAllowance"].update(signature=variant)


def in_content(**fields: object) -> Change:
    return lambda item: content(item).update(fields)


def amount(value: object) -> Change:
    return lambda item: content(item).update(allowances={TOKEN: value})


def fungible(value: object) -> Change:
    return amount({"Fungible": value})


def auxiliary(value: object) -> Change:
    return lambda item: body(item).update(auxiliary=value)


TERMS = list(payload()[200:])
REFUSED: dict[str, tuple[Change, str]] = {
    "unknown key": (lambda v: v["DebitAllowance"].update(memo=1), "SCHEMA"),
    "unknown key in payload": (lambda v: body(v).update(memo=1), "SCHEMA"),
    "unknown key in content": (in_content(debited="x"), "SCHEMA"),
    "unknown key in signature": (lambda v: ed25519(v).update(pubkey="x"), "SCHEMA"),
    "no payload": (lambda v: v["DebitAllowance"].pop("payload"), "SCHEMA"),
    "no signature": (lambda v: v["DebitAllowance"].pop("signature"), "SCHEMA"),
    "no auxiliary": (lambda v: body(v).pop("auxiliary"), "SCHEMA"),
    "no nonce": (lambda v: content(v).pop("new_nonce"), "SCHEMA"),
    "no shard": (lambda v: content(v).pop("debited_shard"), "SCHEMA"),
    "two variants": (lambda v: v.update(Swap={}), "VERIFIABLE_KIND"),
    "nonce as text": (in_content(new_nonce="1"), "SCHEMA"),
    "nonce true": (in_content(new_nonce=True), "SCHEMA"),
    "nonce null": (in_content(new_nonce=None), "SCHEMA"),
    "nonce -1": (in_content(new_nonce=-1), "NONCE_RANGE"),
    "nonce 0": (in_content(new_nonce=0), "NONCE_RANGE"),
    "nonce 2^63": (in_content(new_nonce=1 << 63), "NONCE_RANGE"),
    "nonce 2^64": (in_content(new_nonce=1 << 64), "NONCE_RANGE"),
    "nonce 2^200": (in_content(new_nonce=1 << 200), "NONCE_RANGE"),
    "nonce 1.0": (in_content(new_nonce=1.0), "FLOAT_NUMBER"),
    "shard 0": (in_content(debited_shard=0), "SCHEMA"),
    "shard 2^64": (in_content(debited_shard=1 << 64), "SCHEMA"),
    "another shard": (in_content(debited_shard=8), "SHARD_MISMATCH"),
    "credited no address": (in_content(credited="alice"), "SCHEMA"),
    "credited a number": (in_content(credited=1), "SCHEMA"),
    "credited shard 0": (in_content(credited=TOKEN.replace(",7", ",0")), "SCHEMA"),
    "credited another": (in_content(credited=str(address("bob"))), "CREDITED_MISMATCH"),
    "credited elsewhere": (in_content(credited=str(address("pool", 8))), "CREDITED_MISMATCH"),
    "no allowance": (in_content(allowances={}), "ALLOWANCE_COUNT"),
    "two allowances": (
        in_content(allowances={TOKEN: {"Fungible": 1}, OTHER: {"Fungible": 1}}),
        "ALLOWANCE_COUNT",
    ),
    "seventeen allowances": (
        in_content(allowances={str(address(f"t{i}")): {"Fungible": 1} for i in range(17)}),
        "ALLOWANCE_COUNT",
    ),
    "allowances a list": (in_content(allowances=[]), "SCHEMA"),
    "native token": (in_content(allowances={"Native": {"Fungible": 1}}), "ASSET_UNKNOWN"),
    "unknown token": (
        in_content(allowances={str(address("bob")): {"Fungible": 1}}),
        "ASSET_UNKNOWN",
    ),
    "bare amount": (amount(5), "ALLOWANCE_KIND"),
    "other amount": (amount({"Gold": 5}), "ALLOWANCE_KIND"),
    "two amounts": (amount({"Fungible": 5, "NonFungible": []}), "ALLOWANCE_KIND"),
    "collectible": (amount({"NonFungible": [1]}), "ALLOWANCE_KIND"),
    "amount as text": (fungible("5"), "SCHEMA"),
    "amount 5.0": (fungible(5.0), "FLOAT_NUMBER"),
    "amount -1": (fungible(-1), "BUDGET_NEGATIVE"),
    "amount 0": (fungible(0), "BUDGET_ZERO"),
    "amount 2^62": (fungible(1 << 62), "AMOUNT_RANGE"),
    "amount 2^64": (fungible(1 << 64), "AMOUNT_RANGE"),
    "another amount": (fungible(999_999_999), "SIGNATURE"),
    "another nonce": (in_content(new_nonce=2), "SIGNATURE"),
    "another asset": (in_content(allowances={str(address("mint JPY")): {"Fungible": 10**9}}),
                      "SIGNATURE"),
    "auxiliary empty": (auxiliary([]), "TERMS"),
    "auxiliary short": (auxiliary(TERMS[:-1]), "TERMS"),
    "auxiliary long": (auxiliary([*TERMS, 0]), "TERMS"),
    "auxiliary huge": (auxiliary([0] * 1_025), "TERMS"),
    "auxiliary 256": (auxiliary([256, *TERMS[1:]]), "SCHEMA"),
    "auxiliary -1": (auxiliary([-1, *TERMS[1:]]), "SCHEMA"),
    "auxiliary 1.0": (auxiliary([1.0, *TERMS[1:]]), "FLOAT_NUMBER"),
    "auxiliary true": (auxiliary([True, *TERMS[1:]]), "SCHEMA"),
    "auxiliary text": (auxiliary("AQ=="), "SCHEMA"),
    "passkey": (signature(Passkey=PASSKEY), "SIGNATURE_KIND"),
    "multisig": (signature(Multisig=MULTISIG), "SIGNATURE_KIND"),
    "other signature": (signature(Rsa={}), "SIGNATURE_KIND"),
    "two signatures": (signature(Ed25519={}, Passkey={}), "SIGNATURE_KIND"),
    "bare signature": (lambda v: v["DebitAllowance"].update(signature="x"), "SIGNATURE_KIND"),
    "key cut": (lambda v: ed25519(v).update(pub_key="abc"), "PUBLIC_KEY"),
    "key not base58": (lambda v: ed25519(v).update(pub_key="0" * 44), "PUBLIC_KEY"),
    "key in hex": (lambda v: ed25519(v).update(pub_key=key("alice").public.hex()), "PUBLIC_KEY"),
    "key a number": (lambda v: ed25519(v).update(pub_key=1), "SCHEMA"),
    "another key": (lambda v: ed25519(v).update(pub_key=base58_encode(key("bob").public)),
                    "SIGNATURE"),
    "signature cut": (lambda v: ed25519(v).update(signature="abc"), "SIGNATURE"),
    "signature of zeros": (lambda v: ed25519(v).update(signature="1" * 64), "SIGNATURE"),
}  # fmt: skip


def test_a_verifiable_is_rebuilt_byte_for_byte() -> None:
    order = parse_verifiable(verifiable(), domain())
    assert order.payload == payload()
    assert order.terms == limit_order().terms
    assert order_json(order) == verifiable()
    assert parse_verifiable(verifiable(payload(cancel())), domain()).budget == 0


def test_it_survives_text() -> None:
    text = json_bytes(verifiable())
    assert parse_verifiable(strict_json(text), domain()).payload == payload()


@pytest.mark.parametrize("name", REFUSED)
def test_refused_verifiables(name: str) -> None:
    change, code = REFUSED[name]
    assert code_of_call(lambda: parse_verifiable(edited(change), domain())) == code


@pytest.mark.parametrize(
    "item",
    [None, 1, "x", [], {}, {"Swap": {}}, {"NftMint": {}}, {"debitallowance": {}}, {"": {}}],
)
def test_other_values_are_no_verifiable(item: object) -> None:
    assert code_of_call(lambda: parse_verifiable(item, domain())) == "VERIFIABLE_KIND"


def test_the_line_names_the_field() -> None:
    for name, field in {
        "nonce as text": "verifiable.DebitAllowance.payload.content.new_nonce",
        "auxiliary 256": "verifiable.DebitAllowance.payload.auxiliary[0]",
        "unknown key": "verifiable.DebitAllowance.memo",
    }.items():
        with pytest.raises(RejectedOrder) as caught:
            parse_verifiable(edited(REFUSED[name][0]), domain())
        assert caught.value.field == field


@pytest.mark.parametrize("name", ["a\nb", "\u00e9", "\ud800", "x" * 10_000, "\0"], ids=short_id)
def test_a_foreign_key_is_named_in_one_short_printable_line(name: str) -> None:
    with pytest.raises(RejectedOrder) as caught:
        parse_verifiable(edited(lambda v: v["DebitAllowance"].update({name: 1})), domain())
    line = caught.value.line()
    assert line.isprintable()
    assert line.isascii()
    assert len(line) < 400


def test_one_bad_item_leaves_its_neighbours_alone() -> None:
    items = [verifiable(), *(edited(change) for change, _ in REFUSED.values()), None, verifiable()]
    results = parse_items(items, domain())
    codes = [r.code if isinstance(r, RejectedOrder) else None for r in results]
    expected = [code for _, code in REFUSED.values()]
    assert codes == [None, *expected, "VERIFIABLE_KIND", None]


def test_a_verifiable_of_another_network_is_another_message() -> None:
    elsewhere = replace(domain(), network_id=bytes(32))
    assert code_of_call(lambda: parse_verifiable(verifiable(), elsewhere)) == "SIGNATURE"


def test_allowances_are_sorted_whatever_the_sequence_of_keys() -> None:
    tokens = sorted(address(f"mint {name}") for name in ("USD", "EUR", "JPY"))
    parts = replace(
        DebitAllowance.from_bytes(payload()),
        allowances=tuple(Allowance(token, i) for i, token in enumerate(tokens)),
    )
    item = verifiable_json(parts, key("alice").public, bytes(64))
    content(item)["allowances"] = dict(reversed(content(item)["allowances"].items()))
    model = VERIFIABLE.validate_python(item)
    assert debit_allowance(model, key("alice").public, domain().network_id) == parts


@pytest.mark.parametrize("operation", list(MintOperation))
def test_mints_there_and_back(operation: MintOperation) -> None:
    create = operation is MintOperation.CREATE
    mint = MintPayload(
        domain().network_id, address("mint USD"), 3, operation,
        "US dollar" if create else "", "USD" if create else "",
        (Credit(address("pool"), 5), Credit(address("bob", 9), 6)), b"\7",
    )  # fmt: skip
    public = key("mint USD").public
    item = verifiable_json(mint, public, bytes(64))
    assert json.loads(json_bytes(item)) == item
    VERIFIABLE.validate_python(item)
    assert code_of_call(lambda: parse_verifiable(item, domain())) == "VERIFIABLE_KIND"
