"""Golden vectors: built again to the byte, and recomputed without the code that wrote them."""

import json
from fractions import Fraction
from hashlib import sha256
from typing import Any

import nacl.exceptions
import nacl.signing
import pytest

from convexfx_core.errors import RejectedOrder
from convexfx_core.orders.signed import decode_order
from convexfx_core.orders.terms import Terms
from convexfx_core.wire.orders import parse_verifiable
from convexfx_core.wire.swap import is_swap, parse_swap, swap_order
from tests.support.signed_cases import code_of_call, domain
from tests.vectors.codec_vectors import FOLDER, build


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_bytes())


def tagged(tag: str, data: bytes) -> str:
    return sha256(tag.encode().ljust(16, b"\0") + data).hexdigest()


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def test_files_are_what_the_code_writes() -> None:
    written = build()
    assert {path.stem for path in FOLDER.glob("*.json")} == set(written)
    for name, data in written.items():
        assert (FOLDER / f"{name}.json").read_bytes() == data, name


def test_hashes() -> None:
    value = load("hashes")
    for case in value["tagged"]:
        assert tagged(case["tag"], unhex(case["data"])) == case["hash"]
    for case in value["networks"]:
        assert tagged("cfx.network.v1", case["name"].encode()) == case["id"]
    for case in value["owners"]:
        seed = sha256(case["name"].encode()).digest()
        public = bytes(nacl.signing.SigningKey(seed).verify_key)
        assert (seed.hex(), public.hex()) == (case["seed"], case["pub_key"])
        assert sha256(public).hexdigest() == case["owner"]
        assert case["address"] == f"{case['owner_base58']},7"


def test_tables_and_openings() -> None:
    openings = 0
    for case in load("tables")["tables"]:
        size = case["rows"] * case["row_bytes"]
        rows = bytes((7 * j + 3) % 251 for j in range(size))
        assert sha256(rows).hexdigest() == case["sha256_of_rows"]
        count = case["rows"].to_bytes(8, "little")
        assert tagged(case["tag"], unhex(case["merkle_root"]) + count) == case["root"]
        step = 64 * case["row_bytes"]
        leaves = [tagged("cfx.chunk.v1", rows[i : i + step]) for i in range(0, size, step)]
        if len(leaves) < 2:
            assert case["merkle_root"] == (leaves[0] if leaves else "00" * 32)
        for opening in case["openings"]:
            assert leaves[opening["chunk"]] == opening["leaf"]
            assert climbed(opening, len(leaves)) == case["merkle_root"]
            openings += 1
    assert openings == 2 * (4 + 8)


def climbed(opening: dict[str, Any], width: int) -> str:
    node, place, siblings = opening["leaf"], opening["chunk"], list(opening["siblings"])
    while width > 1:
        if place % 2:
            node = tagged("cfx.node.v1", unhex(siblings.pop(0) + node))
        elif place + 1 < width:
            node = tagged("cfx.node.v1", unhex(node + siblings.pop(0)))
        place, width = place // 2, -(-width // 2)
    assert not siblings
    return node


def test_terms() -> None:
    value = load("terms")
    for case in value["valid"]:
        fields = {k: v for k, v in case.items() if k not in ("bytes", "pays")}
        terms = Terms(**{k: int(v) for k, v in fields.items()}, pays=unhex(case["pays"]))
        assert terms.to_bytes().hex() == case["bytes"]
        assert Terms.from_bytes(unhex(case["bytes"])) == terms
    for case in value["invalid"]:
        assert code_of_call(lambda c=case: Terms.from_bytes(unhex(c["bytes"]))) == case["code"]


def test_limits_hold_as_inequalities() -> None:
    value = load("limits")
    for case in value["limits"]:
        scale = Fraction(10) ** (case["decimals_receive"] - case["decimals_pay"])
        exact = scale / Fraction(case["limit_ratio"])
        mantissa, unit = int(case["limit_m"]), Fraction(2) ** -case["limit_e"]
        assert 1 << 62 <= mantissa < 1 << 63
        assert (mantissa - 1) * unit < exact <= mantissa * unit
    for case in value["min_fills"]:
        exact = Fraction(case["fraction"]) * int(case["budget"])
        assert int(case["min_fill"]) - 1 < exact <= int(case["min_fill"])


def test_accepted_orders() -> None:
    value = load("orders")
    for case in value["accepted"]:
        order = parse_verifiable(case["verifiable"], domain())
        payload = unhex(case["payload"])
        assert order.payload == payload
        assert sha256(payload).hexdigest() == case["order_id"]
        nacl.signing.VerifyKey(unhex(case["pub_key"])).verify(payload, unhex(case["signature"]))
        row = unhex(case["row"])
        assert row[:40] == payload[56:88] + payload[136:144]
        assert row[40:48] == payload[184:192] == int(case["budget"]).to_bytes(8, "little")
        assert row[48:72] == payload[216:240]
        assert row[72:74] == case["pay"].to_bytes(2, "little")
        assert row[74:78] == payload[206:208] + payload[210:212]
        assert row[78:] == bytes([payload[204], payload[208]])


def test_refused_orders() -> None:
    cases = load("orders")["refused"]
    assert len({case["code"] for case in cases}) >= 16
    for case in cases:
        with pytest.raises(RejectedOrder) as caught:
            decode_order(unhex(case["payload"]), domain())
        assert caught.value.code == case["code"], case["name"]


def test_swaps() -> None:
    for case in load("orders")["swaps"]:
        assert is_swap(case["swap"])
        order = swap_order(parse_swap(case["swap"]), domain())
        assert order.payload.hex() == case["payload"]


def test_messages_are_signed() -> None:
    value = load("messages")
    cases = value["debit_allowances"] + value["mints"]
    assert len(cases) == 9
    for case in cases:
        payload = unhex(case["payload"])
        assert len(payload) % 8 == 0
        assert sha256(payload).hexdigest() == case.get("order_id", case.get("hash"))
        nacl.signing.VerifyKey(unhex(case["pub_key"])).verify(payload, unhex(case["signature"]))


def test_signatures_as_the_high_level_library_judges_them() -> None:
    verdicts = set()
    for case in load("signatures")["cases"]:
        try:
            nacl.signing.VerifyKey(unhex(case["pub_key"])).verify(
                unhex(case["message"]), unhex(case["signature"])
            )
            accepted = True
        except nacl.exceptions.BadSignatureError:
            accepted = False
        assert accepted == case["accepted"], case["name"]
        verdicts.add((case["name"].split(",")[0], accepted))
    assert {("plain", True), ("mixed order", True), ("mixed order", False)} <= verdicts
    assert ("key is the identity", True) not in verdicts
