"""Bodies built to cost much: refused with a code, in time that grows with their length only."""

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest

from convexfx_core.encoding.canonical_json import strict_json
from convexfx_core.errors import RejectedOrder
from convexfx_core.wire.inbox import inline_message, parse_message
from convexfx_core.wire.orders import parse_items
from convexfx_core.wire.swap import parse_swap
from tests.support.signed_cases import code_of_call, domain, verifiable

HEAD = b'{"version":1,"kind":"verifiables","items":['
SIZE = 200_000
SECONDS_MAX = 3.0
"""A quadratic step over 200,000 bytes takes minutes; a linear one some hundredths of a second."""

RAW: dict[str, tuple[bytes, str]] = {
    "escaped quotes": (HEAD + b'"' + b'\\"' * (SIZE // 2), "NOT_JSON"),
    "quotes": (HEAD + b'"' * SIZE, "NOT_JSON"),
    "backslashes": (HEAD + b'"' + b"\\" * SIZE, "NOT_JSON"),
    "brackets": (HEAD + b"[]," * (SIZE // 3) + b"1]}", "TOO_MANY_ITEMS"),
    "open brackets": (HEAD + b"[" * SIZE, "NOT_JSON"),
    "braces": (HEAD + b'{"":' * (SIZE // 4), "NOT_JSON"),
    "one key twice among many": (
        HEAD + b"{" + b"".join(b'"%d":1,' % i for i in range(17_000)) + b'"16999":1}]}',
        "DUPLICATE_KEY",
    ),
    "digits": (HEAD + b"9" * SIZE + b"]}", "NOT_JSON"),
    "fraction": (HEAD + b"0." + b"9" * SIZE + b"]}", "FLOAT_NUMBER"),
    "spaces": (b" " * SIZE, "NOT_JSON"),
    "zero bytes": (bytes(SIZE), "NOT_JSON"),
}


def timed(call: Callable[[], Any]) -> Any:
    started = time.process_time()
    result = call()
    assert time.process_time() - started < SECONDS_MAX
    return result


@pytest.mark.parametrize("name", RAW)
def test_bodies(name: str) -> None:
    body, code = RAW[name]
    assert timed(lambda: code_of_call(lambda: parse_message(body))) == code


def edited(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    item = copy.deepcopy(verifiable())
    change(item["DebitAllowance"])
    return item


def multisig(depth: int, width: int) -> dict[str, Any]:
    inner = [multisig(depth - 1, width)] * width if depth else []
    return {"Multisig": {"pub_key": {"signers": {}, "threshold": 1}, "signatures": inner}}


ITEMS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "many allowances": (
        lambda v: v["payload"]["content"].update(
            allowances={str(i): {"Fungible": 1} for i in range(9_000)}
        ),
        "ALLOWANCE_COUNT",
    ),
    "many wrong allowances": (
        lambda v: v["payload"]["content"].update(allowances={str(i): 1 for i in range(17_000)}),
        "ALLOWANCE_KIND",
    ),
    "long auxiliary": (lambda v: v["payload"].update(auxiliary=[0] * 90_000), "TERMS"),
    "long wrong auxiliary": (lambda v: v["payload"].update(auxiliary=[300] * 40_000), "SCHEMA"),
    "many keys": (lambda v: v.update({str(i): 1 for i in range(17_000)}), "SCHEMA"),
    "long address": (lambda v: v["payload"]["content"].update(credited="z" * 190_000), "SCHEMA"),
    "long key": (lambda v: v["signature"]["Ed25519"].update(pub_key="z" * 190_000), "PUBLIC_KEY"),
    "many wrong signers": (
        lambda v: v.update(
            signature={
                "Multisig": {
                    "pub_key": {"signers": {str(i): -1 for i in range(17_000)}, "threshold": 1},
                    "signatures": [],
                }
            }
        ),
        "SCHEMA",
    ),
    "tree of signatures": (lambda v: v.update(signature=multisig(6, 3)), "SIGNATURE_KIND"),
    "large nonce": (lambda v: v["payload"]["content"].update(new_nonce=10**4_000), "NONCE_RANGE"),
}


@pytest.mark.parametrize("name", ITEMS)
def test_items_and_their_neighbours(name: str) -> None:
    change, code = ITEMS[name]
    body = inline_message([edited(change), verifiable()])
    results = timed(lambda: parse_items(parse_message(body).items, domain()))
    refused, neighbour = results
    assert isinstance(refused, RejectedOrder)
    assert refused.code == code
    assert len(refused.line()) < 500
    assert not isinstance(neighbour, RejectedOrder)


def test_a_signature_nested_deeper_than_any_parser_likes() -> None:
    body = inline_message([edited(lambda v: v.update(signature=multisig(40, 1)))])
    assert code_of_call(lambda: parse_message(body)) == "NOT_JSON"


@pytest.mark.parametrize("number", ["1e9999999999999999999", "1e-99999999999999999999", "1e64"])
def test_numbers_of_the_api_that_would_fill_the_memory(number: str) -> None:
    body = b'[{"Swap":{"budget":%s}}]' % number.encode()
    code = timed(lambda: code_of_call(lambda: parse_swap(strict_json(body, keep_decimals=True)[0])))
    assert code in ("NOT_JSON", "SCHEMA")
