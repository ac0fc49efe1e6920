"""Both codecs of the devnet: what they write, and every byte string that they refuse to read."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from devnet.gateway import codec as gateway
from devnet.gateway.refusal import Refused
from devnet.settlement import codec as settlement
from devnet.settlement.invalid import Invalid
from devnet.settlement.messages import decode_debit, decode_mint, decode_terms
from tests.support.devnet_world import (
    MINTS,
    NETWORK,
    NETWORK_ID,
    POOL,
    TOKENS,
    Debit,
    Mint,
    Wallet,
    b58,
    hex_text,
    le,
    padded,
    table_root,
    tagged,
    terms,
    text,
)

ALICE = Wallet("alice")
DEBIT = Debit(ALICE, POOL, 3, {TOKENS["USD"]: 70, TOKENS["EUR"]: 30}, b"aux")
CREATE = Mint(ALICE, 1, ((POOL, 5), (ALICE.vault(2), 0)), "NEW", auxiliary=b"12345678")


# Hashes


def test_a_tag_is_padded_to_sixteen_bytes() -> None:
    expected = sha256(b"cfx.sdl.v1\0\0\0\0\0\0" + b"ab").digest()
    assert gateway.tagged_hash("cfx.sdl.v1", b"a", b"b") == expected
    assert settlement.h("cfx.sdl.v1", b"ab") == expected


def test_networks_have_an_id() -> None:
    assert gateway.network_id(NETWORK) == NETWORK_ID
    assert gateway.network_id("convexfx-devneT") != NETWORK_ID


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 128, 129, 192, 193, 320, 449])
def test_table_roots_are_equal_on_all_sides(count: int) -> None:
    rows = [le(n) + le(n * n) for n in range(count)]
    expected = table_root("cfx.settle.v1", rows)
    assert gateway.table_root("cfx.settle.v1", rows) == expected
    assert settlement.table("cfx.settle.v1", b"".join(rows), 16) == expected


def test_an_odd_node_is_promoted_unchanged() -> None:
    """Three chunks: the third stands beside the hash of the first two."""
    rows = [le(n) for n in range(64 * 2 + 1)]
    chunks = [
        tagged("cfx.chunk.v1", b"".join(rows[at : at + 64])) for at in range(0, len(rows), 64)
    ]
    left = tagged("cfx.node.v1", chunks[0] + chunks[1])
    root = tagged("cfx.node.v1", left + chunks[2])
    assert gateway.table_root("t", rows) == tagged("t", root + le(129))
    assert settlement.merkle_root(b"".join(rows), 8) == root


def test_an_empty_table_has_a_zero_merkle_root() -> None:
    assert settlement.merkle_root(b"", 8) == bytes(32)
    assert gateway.table_root("t", []) == tagged("t", bytes(32) + le(0))


# Texts


@pytest.mark.parametrize("raw", [bytes(32), b"\0" * 31 + b"\1", b"\xff" * 32, ALICE.owner])
def test_base58_goes_both_ways(raw: bytes) -> None:
    assert gateway.base58_text(raw) == settlement.b58(raw) == b58(raw)
    assert gateway.from_base58(b58(raw), 32, "f") == raw
    assert settlement.unb58(b58(raw), 32, "f") == raw


@pytest.mark.parametrize(
    "value",
    [None, 1, "", "0", "O", "I", "l", b58(b"\1" * 31), b58(b"\1" * 33), b58(ALICE.owner) + " ",
     " " + b58(ALICE.owner), b58(ALICE.owner) + "\n", "1" + b58(ALICE.owner), "1" * 31, "1" * 33,
     b58(ALICE.owner)[:-1] + "\u0661", "z" * 44],
)  # fmt: skip
def test_other_texts_are_no_base58_of_32_bytes(value: Any) -> None:
    with pytest.raises(Refused, match="SCHEMA: f: expected base58 of 32 bytes"):
        gateway.from_base58(value, 32, "f")
    with pytest.raises(Invalid, match="SCHEMA: f: expected base58 of 32 bytes"):
        settlement.unb58(value, 32, "f")


@pytest.mark.parametrize("shard", [1, 10, (1 << 64) - 1])
def test_addresses_go_both_ways(shard: int) -> None:
    vault = ALICE.vault(shard)
    assert gateway.address_text(vault) == text(vault) == str(settlement.Address(*vault))
    assert gateway.parse_address(text(vault), "f") == vault
    assert settlement.address(text(vault), "f") == vault
    assert settlement.hex_address(hex_text(vault), "f") == vault


OWNER = b58(ALICE.owner)


@pytest.mark.parametrize(
    "value",
    [None, OWNER, OWNER + ",", OWNER + ",0", OWNER + ",01", OWNER + ",-1", OWNER + ",+1",
     OWNER + ", 1", OWNER + ",1 ", OWNER + ",1,1", OWNER + ",1.0", OWNER + ",\u0661",
     OWNER + f",{1 << 64}", OWNER[:-1] + ",1", ",1", OWNER + ",a", OWNER + ",\u00b2",
     OWNER + "," + "1" * 5_000],
)  # fmt: skip
def test_other_texts_are_no_addresses(value: Any) -> None:
    with pytest.raises(Refused, match="SCHEMA: f"):
        gateway.parse_address(value, "f")
    with pytest.raises(Invalid, match="SCHEMA: f"):
        settlement.address(value, "f")
    with pytest.raises(Invalid, match="SCHEMA: f"):
        settlement.hex_address(value, "f")


@pytest.mark.parametrize("value", [None, 1, "0", "0g", "AB", " 00", "00 ", "0 0"])
def test_hexadecimal_is_lower_case_and_tight(value: Any) -> None:
    with pytest.raises(Invalid, match="SCHEMA: f: expected hexadecimal"):
        settlement.unhex(value, None, "f")


def test_hexadecimal_has_its_size() -> None:
    assert settlement.unhex("00ff", None, "f") == settlement.unhex("00ff", 2, "f") == b"\0\xff"
    with pytest.raises(Invalid, match="of 3 bytes"):
        settlement.unhex("00ff", 3, "f")


@pytest.mark.parametrize("value", [None, 1, "?", "AA", "A", "AA==\n", " AA==", "A-=="])
def test_base64_is_strict(value: Any) -> None:
    with pytest.raises(Invalid, match="SCHEMA: f: expected base64"):
        settlement.unbase64(value, "f")


@pytest.mark.parametrize("value", [None, "1", 1.0, True, -1, 1 << 64])
def test_integers_are_integers_in_range(value: Any) -> None:
    with pytest.raises(
        Invalid, match="SCHEMA: f: expected an integer of 0 to 18446744073709551615"
    ):
        settlement.integer(value, "f")


# Payloads


def test_the_gateway_writes_what_the_wallet_signed() -> None:
    rows = sorted(DEBIT.allowances.items())
    written = gateway.debit_payload(NETWORK_ID, ALICE.vault(), POOL, 3, rows, b"aux")
    assert written == DEBIT.payload
    assert len(written) == 144 + 48 * 2 + 8 + 8
    minted = gateway.mint_payload(
        NETWORK_ID, ALICE.vault(), 1, ("NEW", "NEW"), CREATE.credits, b"12345678"
    )
    assert minted == CREATE.payload


def test_the_settlement_side_reads_what_the_wallet_signed() -> None:
    debit = decode_debit(DEBIT.payload, NETWORK_ID)
    assert (debit.debited, debit.credited, debit.nonce) == (ALICE.vault(), POOL, 3)
    assert dict(debit.allowances) == DEBIT.allowances
    assert (debit.auxiliary, debit.digest) == (b"aux", DEBIT.order_id)
    mint = decode_mint(CREATE.payload, NETWORK_ID)
    assert (mint.mint, mint.nonce, mint.creates) == (ALICE.vault(), 1, True)
    assert (mint.name, mint.symbol, mint.credits) == ("NEW", "NEW", CREATE.credits)


def cut(size: int) -> Callable[[bytes], bytes]:
    return lambda data: data[: len(data) - size]


def put(place: int, *values: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + bytes(values) + data[place + len(values) :]


DEBITS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut by one": cut(1),
    "cut by eight": cut(8),
    "one more": lambda data: data + b"\0",
    "eight more": lambda data: data + bytes(8),
    "tag": put(0, 0x64),
    "tag padding": put(15, 1),
    "version": put(16, 2),
    "no allowance": put(20, 0),
    "seventeen": put(20, 17),
    "fewer than there are": put(20, 1),
    "padding of auxiliary": put(144 + 96 + 8 + 7, 1),
    "length of auxiliary": put(144 + 96 + 6, 1),
    "auxiliary of 1025": lambda data: data[: 144 + 96] + padded(bytes(1_025)),
    "allowances unsorted": lambda data: data[:144] + data[192:240] + data[144:192] + data[240:],
    "token twice": lambda data: data[:192] + data[144:192] + data[240:],
}


@pytest.mark.parametrize("name", DEBITS)
def test_other_bytes_are_no_debit(name: str) -> None:
    with pytest.raises(Invalid, match="CODEC: DebitAllowance"):
        decode_debit(DEBITS[name](DEBIT.payload), NETWORK_ID)


def test_seventeen_allowances_are_one_too_many() -> None:
    tokens = {(bytes([n]) * 32, 1): n for n in range(17)}
    with pytest.raises(Invalid, match="expected at most 16 allowances"):
        decode_debit(Debit(ALICE, POOL, 3, tokens).payload, NETWORK_ID)
    tokens.pop((bytes(32), 1))
    assert len(decode_debit(Debit(ALICE, POOL, 3, tokens).payload, NETWORK_ID).allowances) == 16


@pytest.mark.parametrize("size", [1, 8, 100, 200])
def test_a_payload_that_is_cut_ends_too_early(size: int) -> None:
    with pytest.raises(Invalid, match="CODEC: DebitAllowance: ends too early"):
        decode_debit(DEBIT.payload[:-size], NETWORK_ID)


MINT_BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": cut(1),
    "more": lambda data: data + bytes(8),
    "tag": lambda data: DEBIT.payload[:16] + data[16:],
    "version": put(16, 0),
    "no credit": put(20, 0),
    "operation": put(104, 2),
    "growth with names": put(104, 1),
    "padding of the name": put(112 + 8 + 3, 1),
    "name that is no text": put(112 + 8, 0xFF),
    "name of 257 bytes": put(112, 1, 1),
}


def test_4097_credits_are_one_too_many() -> None:
    credits = tuple((POOL, n) for n in range(4_097))
    with pytest.raises(Invalid, match="expected at most 4096 credits"):
        decode_mint(Mint(ALICE, 1, credits).payload, NETWORK_ID)
    assert len(decode_mint(Mint(ALICE, 1, credits[1:]).payload, NETWORK_ID).credits) == 4_096


@pytest.mark.parametrize("name", MINT_BYTES)
def test_other_bytes_are_no_mint(name: str) -> None:
    with pytest.raises(Invalid, match="CODEC: FungibleTokenMint"):
        decode_mint(MINT_BYTES[name](CREATE.payload), NETWORK_ID)


def test_growth_has_no_names_and_creation_may_have_none() -> None:
    growth = Mint(ALICE, 1, ((POOL, 5),)).payload
    assert not decode_mint(growth, NETWORK_ID).creates
    assert decode_mint(put(104, 0)(growth), NETWORK_ID).creates


def test_payloads_belong_to_one_network() -> None:
    other = gateway.network_id("other")
    with pytest.raises(Invalid, match="NETWORK"):
        decode_debit(DEBIT.payload, other)
    with pytest.raises(Invalid, match="NETWORK"):
        decode_mint(CREATE.payload, other)


# Terms


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_terms_are_read_alike(kind: int) -> None:
    raw = bytearray(terms(kind, 4, b"\7" * 32, valid_until=9))
    raw[8:12] = le(1, 2) + le(-5, 2, True)
    raw[16:32] = le(1 << 62) + le(77)
    ours, theirs = gateway.parse_terms(bytes(raw)), decode_terms(bytes(raw))
    assert ours is not None
    expected = (kind, 4, 1, -5, 1 << 62, 77, 9, b"\7" * 32)
    for found in (ours, theirs):
        row = (found.kind, found.receive, found.limit_kind, found.exponent, found.mantissa)
        assert (*row, found.min_fill, found.valid_until, found.pays) == expected


@pytest.mark.parametrize(
    "change",
    [cut(1), lambda data: data + b"\0", put(0, 2), put(4, 0), put(4, 4), put(12, 1), put(15, 1)],
)
def test_other_bytes_are_no_terms(change: Callable[[bytes], bytes]) -> None:
    raw = change(terms(1, 4))
    assert gateway.parse_terms(raw) is None
    with pytest.raises(Invalid, match="SDL_SHAPE"):
        decode_terms(raw)


# Rows and registry


def test_order_rows_have_eighty_bytes_in_the_order_of_the_page() -> None:
    raw = bytearray(terms(1, 4, valid_until=9))
    raw[8:12] = le(1, 2) + le(-5, 2, True)
    raw[16:32] = le(1 << 62) + le(77)
    found = gateway.parse_terms(bytes(raw))
    assert found is not None
    row = gateway.order_row(ALICE.owner, 3, 2, 70, found)
    numbers = le(3) + le(70) + le(1 << 62) + le(77) + le(9)
    assert row == ALICE.owner + numbers + le(2, 2) + le(4, 2) + le(-5, 2, True) + b"\1\1"
    assert len(row) == 80


def test_the_registry_names_tokens_in_order() -> None:
    rows = b"".join(
        wallet.owner + le(at + 1) + le(6) + name.encode().ljust(16, b"\0")
        for at, (name, wallet) in enumerate(MINTS.items())
    )
    expected = tuple((wallet.owner, at + 1) for at, wallet in enumerate(MINTS.values()))
    assert gateway.registry_tokens(rows) == expected


# Bounds


def test_base58_is_measured_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """80,000 characters took 4.7 s: the square of their number."""
    decoded: list[int] = []

    def never(value: str) -> object:
        decoded.append(len(value))
        raise ValueError

    monkeypatch.setattr("base58.b58decode", never)
    monkeypatch.setattr("base58.b58decode_int", never)
    for size in (32, 64):
        for long in ("z" * 80_000, "1" * 80_000, "z" * (2 * size + 2)):
            with pytest.raises(Refused, match="SCHEMA"):
                gateway.from_base58(long, size, "key")
            with pytest.raises(Invalid):
                settlement.unb58(long, size, "key")
            with pytest.raises(Refused):
                gateway.parse_address(f"{long},1", "vault")
            with pytest.raises(Invalid):
                settlement.address(f"{long},1", "vault")
    assert set(decoded) <= {0}


@pytest.mark.parametrize("size", [32, 64])
def test_the_longest_base58_is_read(size: int) -> None:
    for raw in (b"\xff" * size, bytes(size), bytes(size - 1) + b"\1"):
        assert gateway.from_base58(b58(raw), size, "key") == raw
        assert settlement.unb58(b58(raw), size, "key") == raw
