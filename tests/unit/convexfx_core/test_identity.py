"""OwnerIds, base58, addresses: text that means exactly one thing, or nothing."""

from collections.abc import Callable
from hashlib import sha256

import base58
import numpy as np
import pytest

from convexfx_core.encoding.canonical import Reader
from convexfx_core.errors import CodecError
from convexfx_core.identity import (
    Address,
    OwnerId,
    base58_decode,
    base58_encode,
    hash_rows,
    owner_id,
    owner_ids,
)
from tests.support.signed_cases import address, key, short_id

OWNER = OwnerId(sha256(b"owner").digest())


def test_owner_id_is_the_hash_of_the_raw_key() -> None:
    assert owner_id(bytes(32)) == sha256(bytes(32)).digest()
    for length in (0, 31, 33):
        with pytest.raises(CodecError, match="pub_key"):
            owner_id(bytes(length))


def test_columnar_hashes_equal_single_ones() -> None:
    keys = np.arange(5 * 32, dtype=np.uint8).reshape(5, 32)
    assert [row.tobytes() for row in owner_ids(keys)] == [owner_id(k.tobytes()) for k in keys]
    assert hash_rows(keys[::2])[1].tobytes() == sha256(keys[2].tobytes()).digest()
    assert hash_rows(np.zeros((0, 272), dtype=np.uint8)).shape == (0, 32)


@pytest.mark.parametrize("data", [bytes(32), b"\xff" * 32, OWNER, bytes(64), b"\xff" * 64])
def test_base58_round_trip(data: bytes) -> None:
    text = base58_encode(data)
    assert text == base58.b58encode(data).decode()
    assert base58_decode(text, len(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        " " + base58_encode(OWNER),
        base58_encode(OWNER) + "\n",
        base58_encode(OWNER)[:-2],
        base58_encode(OWNER) + "1",
        "1" + base58_encode(OWNER),
        base58_encode(OWNER)[:-1] + "0",
        base58_encode(OWNER)[:-1] + "l",
        base58_encode(OWNER)[:-1] + "\u00e9",
        base58_encode(OWNER[:31]),
        base58_encode(OWNER + b"\0"),
        "z" * 44,
        "z" * 100_000,
    ],
    ids=short_id,
)
def test_other_text_is_no_owner(text: str) -> None:
    with pytest.raises(CodecError, match="owner"):
        base58_decode(text, 32, "owner")


def test_address_text_and_bytes() -> None:
    for shard in (1, 10, (1 << 64) - 1):
        vault = Address(OWNER, shard)
        assert str(vault) == f"{base58_encode(OWNER)},{shard}"
        assert Address.parse(str(vault)) == vault
        assert vault.to_bytes() == OWNER + shard.to_bytes(8, "little")
        assert Address.read(Reader(vault.to_bytes())) == vault


@pytest.mark.parametrize(
    "shard",
    ["", "0", "01", "+1", "-1", " 1", "1 ", "1,1", "1.0", "0x1", "\u0661", str(1 << 64), "9" * 21],
)
def test_shard_text_is_one_canonical_number(shard: str) -> None:
    with pytest.raises(CodecError, match="credited"):
        Address.parse(f"{base58_encode(OWNER)},{shard}", "credited")


REFUSED: list[Callable[[], object]] = [
    lambda: Address(OwnerId(OWNER[:31]), 1),
    lambda: Address(OWNER, 0),
    lambda: Address(OWNER, -1),
    lambda: Address(OWNER, 1 << 64),
    lambda: Address.parse(base58_encode(OWNER)),
    lambda: Address.parse(""),
    lambda: Address.parse(f",{1}"),
    lambda: Address.parse(f"{base58_encode(OWNER[:31])},1"),
    lambda: Address.read(Reader(OWNER + bytes(8))),
    lambda: Address.read(Reader(OWNER)),
]


@pytest.mark.parametrize("call", REFUSED)
def test_refused_addresses(call: Callable[[], object]) -> None:
    with pytest.raises(CodecError):
        call()


def test_addresses_sort_as_owner_bytes_then_shard() -> None:
    low, high = OwnerId(bytes(31) + b"\1"), OwnerId(b"\1" + bytes(31))
    vaults = [Address(high, 1), Address(low, 256), Address(low, 1)]
    assert sorted(vaults) == [Address(low, 1), Address(low, 256), Address(high, 1)]


def test_parsing_is_of_the_owner_that_signs() -> None:
    assert Address.parse(str(address("alice"))).owner == owner_id(key("alice").public)
