"""The devnet's two codecs, written from the specification alone, read the codec's vectors."""

import json
from typing import Any

import pytest

from devnet.gateway import codec as gateway
from devnet.settlement import codec as settlement
from devnet.settlement.invalid import Invalid
from devnet.settlement.messages import decode_debit, decode_mint
from tests.vectors.codec_vectors import FOLDER


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_bytes())


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def test_hashes_and_identities() -> None:
    value = load("hashes")
    for case in value["tagged"]:
        data = unhex(case["data"])
        assert gateway.tagged_hash(case["tag"], data).hex() == case["hash"]
        assert settlement.h(case["tag"], data).hex() == case["hash"]
    for case in value["networks"]:
        assert gateway.network_id(case["name"]).hex() == case["id"]
    for case in value["owners"]:
        owner = unhex(case["owner"])
        assert gateway.base58_text(owner) == settlement.b58(owner) == case["owner_base58"]
        assert gateway.parse_address(case["address"], "address") == (owner, 7)
        assert settlement.address(case["address"], "address") == (owner, 7)


def test_table_roots() -> None:
    for case in load("tables")["tables"]:
        width = case["row_bytes"]
        rows = bytes((7 * j + 3) % 251 for j in range(case["rows"] * width))
        parts = [rows[i : i + width] for i in range(0, len(rows), width)]
        assert gateway.table_root(case["tag"], parts).hex() == case["root"]
        assert settlement.table(case["tag"], rows, width).hex() == case["root"]


def holdings(pairs: list[list[str]]) -> list[tuple[tuple[bytes, int], int]]:
    return [(gateway.parse_address(vault, "vault"), int(amount)) for vault, amount in pairs]


def test_debit_allowances() -> None:
    for case in load("messages")["debit_allowances"]:
        debited = gateway.parse_address(case["debited"], "debited")
        credited = gateway.parse_address(case["credited"], "credited")
        allowances, auxiliary = holdings(case["allowances"]), unhex(case["auxiliary"])
        network, nonce = unhex(case["network_id"]), int(case["new_nonce"])
        payload = gateway.debit_payload(network, debited, credited, nonce, allowances, auxiliary)
        assert payload.hex() == case["payload"], case["name"]
        message = decode_debit(payload, network)
        assert message.digest.hex() == case["order_id"]
        assert (message.debited, message.credited) == (debited, credited)
        assert (message.nonce, list(message.allowances)) == (nonce, allowances)
        assert message.auxiliary == auxiliary


def test_mints() -> None:
    for case in load("messages")["mints"]:
        vault, network = gateway.parse_address(case["mint"], "mint"), unhex(case["network_id"])
        names = (case["token_name"], case["token_symbol"]) if case["operation"] == 0 else None
        payload = gateway.mint_payload(
            network, vault, int(case["new_nonce"]), names, holdings(case["credits"]),
            unhex(case["auxiliary"]),
        )  # fmt: skip
        assert payload.hex() == case["payload"], case["name"]
        message = decode_mint(payload, network)
        assert message.digest.hex() == case["hash"]
        assert message.creates == (names is not None)
        assert list(message.credits) == holdings(case["credits"])


def test_order_rows() -> None:
    value = load("orders")
    network = unhex(value["domain"]["network_id"])
    tokens = gateway.registry_tokens(unhex(value["domain"]["registry_section"]))
    for case in value["accepted"]:
        message = decode_debit(unhex(case["payload"]), network)
        terms = gateway.parse_terms(message.auxiliary)
        assert terms is not None
        ((token, budget),) = message.allowances
        row = gateway.order_row(
            message.debited.owner, message.nonce, tokens.index(tuple(token)), budget, terms
        )
        assert row.hex() == case["row"], case["name"]


def test_bytes_that_are_no_payload_at_all_are_refused_there_too() -> None:
    value = load("orders")
    network = unhex(value["domain"]["network_id"])
    malformed = [
        case
        for case in value["refused"]
        if case["code"] in ("PAYLOAD", "VERIFIABLE_KIND", "VERSION_UNKNOWN", "NETWORK_MISMATCH")
    ]
    assert len(malformed) >= 8
    for case in malformed:
        with pytest.raises(Invalid):
            decode_debit(unhex(case["payload"]), network)
