"""The devnet held to the golden vectors of the codec: the page of bytes is what both obey."""

import json
from pathlib import Path
from typing import Any

import pytest

from devnet.gateway import codec as gateway
from devnet.gateway.execution import check_signatures, signature_threads
from devnet.gateway.refusal import Refused
from devnet.gateway.verifiable import Debit, Mint, Reader, Signed
from devnet.settlement import codec as settlement
from devnet.settlement.agreement import signed_by
from devnet.settlement.messages import decode_debit, decode_mint, decode_terms

FOLDER = Path(__file__).resolve().parents[2] / "vectors" / "codec"


def vectors(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def named(rows: list[Any]) -> list[Any]:
    return [pytest.param(row, id=str(row.get("name", at))) for at, row in enumerate(rows)]


@pytest.mark.parametrize("row", named(vectors("hashes")["networks"]))
def test_networks(row: Any) -> None:
    assert gateway.network_id(row["name"]).hex() == row["id"]
    assert settlement.h("cfx.network.v1", row["name"].encode()).hex() == row["id"]


@pytest.mark.parametrize("row", named(vectors("hashes")["tagged"]))
def test_tagged_hashes(row: Any) -> None:
    data = bytes.fromhex(row["data"])
    assert gateway.tagged_hash(row["tag"], data).hex() == row["hash"]
    assert settlement.h(row["tag"], data).hex() == row["hash"]


@pytest.mark.parametrize("row", named(vectors("hashes")["owners"]))
def test_owners_and_addresses(row: Any) -> None:
    owner = bytes.fromhex(row["owner"])
    assert gateway.base58_text(owner) == settlement.b58(owner) == row["owner_base58"]
    key = gateway.parse_address(row["address"], "address")
    assert settlement.address(row["address"], "address") == key
    assert key[0] == owner
    assert gateway.address_text(key) == str(settlement.Address(*key)) == row["address"]


@pytest.mark.parametrize("row", named(vectors("tables")["tables"]))
def test_table_roots(row: Any) -> None:
    size = row["row_bytes"]
    data = bytes((7 * j + 3) % 251 for j in range(row["rows"] * size))
    rows = [data[at : at + size] for at in range(0, len(data), size)]
    assert gateway.table_root(row["tag"], rows).hex() == row["root"]
    assert settlement.merkle_root(data, size).hex() == row["merkle_root"]
    assert settlement.table(row["tag"], data, size).hex() == row["root"]


@pytest.mark.parametrize("row", named(vectors("messages")["debit_allowances"]))
def test_debits(row: Any) -> None:
    network, payload = bytes.fromhex(row["network_id"]), bytes.fromhex(row["payload"])
    read = Reader(network).read(row["verifiable"])
    assert isinstance(read, Debit)
    assert read.signed.payload == payload
    assert read.signed.digest.hex() == row["order_id"]
    decoded = decode_debit(payload, network)
    assert decoded.digest.hex() == row["order_id"]
    assert (str(decoded.debited), str(decoded.credited)) == (row["debited"], row["credited"])
    assert decoded.nonce == int(row["new_nonce"])
    allowances = [[str(token), str(amount)] for token, amount in decoded.allowances]
    assert allowances == row["allowances"]
    assert decoded.auxiliary.hex() == row["auxiliary"]
    assert (read.debited, read.credited) == (decoded.debited, decoded.credited)
    assert read.allowances == decoded.allowances


@pytest.mark.parametrize("row", named(vectors("messages")["mints"]))
def test_mints(row: Any) -> None:
    network, payload = bytes.fromhex(row["network_id"]), bytes.fromhex(row["payload"])
    read = Reader(network).read(row["verifiable"])
    assert isinstance(read, Mint)
    assert read.signed.payload == payload
    assert read.signed.digest.hex() == row["hash"]
    decoded = decode_mint(payload, network)
    assert (decoded.digest.hex(), str(decoded.mint)) == (row["hash"], row["mint"])
    assert decoded.creates == (row["operation"] == 0)
    assert (decoded.name, decoded.symbol) == (row["token_name"], row["token_symbol"])
    credits = [[str(vault), str(amount)] for vault, amount in decoded.credits]
    assert credits == row["credits"]
    assert read.credits == decoded.credits


def fields(terms: Any) -> Any:
    return {
        "kind": terms.kind,
        "receive": terms.receive,
        "limit_kind": terms.limit_kind,
        "limit_e": terms.exponent,
        "limit_m": str(terms.mantissa),
        "min_fill": str(terms.min_fill),
        "valid_until": str(terms.valid_until),
        "pays": terms.pays.hex(),
    }


@pytest.mark.parametrize("row", named(vectors("terms")["valid"]))
def test_terms(row: Any) -> None:
    raw = bytes.fromhex(row["bytes"])
    expected = {name: value for name, value in row.items() if name not in ("bytes", "name")}
    ours = gateway.parse_terms(raw)
    assert ours is not None
    assert fields(ours) == fields(decode_terms(raw)) == expected


DOMAIN = vectors("orders")["domain"]


@pytest.mark.parametrize("row", named(vectors("orders")["accepted"]))
def test_order_rows(row: Any) -> None:
    network = bytes.fromhex(DOMAIN["network_id"])
    read = Reader(network).read(row["verifiable"])
    assert isinstance(read, Debit)
    assert read.signed.digest.hex() == row["order_id"]
    terms = gateway.parse_terms(read.auxiliary)
    assert terms is not None
    tokens = gateway.registry_tokens(bytes.fromhex(DOMAIN["registry_section"]))
    (token, budget), *others = read.allowances
    assert others == []
    made = gateway.order_row(read.debited[0], read.nonce, tokens.index(token), budget, terms)
    assert made.hex() == row["row"]


def test_the_registry_names_the_domains_tokens() -> None:
    tokens = gateway.registry_tokens(bytes.fromhex(DOMAIN["registry_section"]))
    found = [gateway.address_text(token) for token in tokens]
    assert found == [asset["token"] for asset in DOMAIN["assets"]]


@pytest.mark.parametrize("row", named(vectors("signatures")["cases"]))
def test_signatures(row: Any) -> None:
    message, key = bytes.fromhex(row["message"]), bytes.fromhex(row["pub_key"])
    signature = bytes.fromhex(row["signature"])
    assert signed_by(key, message, signature) == row["accepted"]
    threads = signature_threads()
    try:
        check_signatures([Signed(message, b"", key, signature)], threads)
        accepted = True
    except Refused as refusal:
        accepted = refusal.rule != "SIGNATURE"
    threads.shutdown()
    assert accepted == row["accepted"]
