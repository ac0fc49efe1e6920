"""Pool, vaults, opening: bytes, sequence, roots."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from convexfx_core.errors import CodecError
from convexfx_core.identity import OwnerId
from convexfx_core.ledger.vaults import (
    PoolState,
    VaultTable,
    domain_bytes,
    owner_words,
    state_root,
    vault_dtype,
    vaults_root,
)
from tests.support.epoch_cases import POOL_OWNER, opening_of, owner

U64_MAX = (1 << 64) - 1
POOL = PoolState(POOL_OWNER, 9, (100, 200, 300), (1, 2, 300))


def table_of(*numbers: int) -> VaultTable:
    """Vaults by number, with balances that tell them apart."""
    return VaultTable.from_rows([(owner(k), k, (k, 10 * k, 100 * k)) for k in numbers], 3)


# -- pool --------------------------------------------------------------------------------------


def test_the_inventory_leaves_the_fees_out() -> None:
    assert POOL.inventory == (99, 198, 0)


def test_fees_above_the_balance_show_as_a_negative_inventory() -> None:
    assert replace(POOL, balances=(0, 0, 299)).inventory == (-1, -2, -1)


def test_the_pool_block_stands_as_the_specification_says() -> None:
    words = (9, 100, 200, 300, 1, 2, 300)
    expected = POOL_OWNER + b"".join(word.to_bytes(8, "little") for word in words)
    assert POOL.to_bytes() == expected
    assert len(expected) == 40 + 16 * 3


def test_the_pool_block_and_back() -> None:
    for pool in (POOL, replace(POOL, nonce=U64_MAX, balances=(U64_MAX,) * 3)):
        assert PoolState.from_bytes(pool.to_bytes(), 3) == pool


@pytest.mark.parametrize("n", [2, 4])
def test_a_pool_block_of_other_assets_does_not_decode(n: int) -> None:
    with pytest.raises(CodecError, match="pool: expected"):
        PoolState.from_bytes(POOL.to_bytes(), n)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"owner": OwnerId(b"\1" * 31)}, "pool.owner"),
        ({"fees_accrued": (1, 2)}, "pool.fees_accrued"),
        ({"nonce": -1}, "pool.nonce"),
        ({"nonce": U64_MAX + 1}, "pool.nonce"),
        ({"balances": (1, 2, -1)}, "pool.balances"),
        ({"balances": (1, 2, U64_MAX + 1)}, "pool.balances"),
        ({"fees_accrued": (1, -2, 3)}, "pool.fees_accrued"),
    ],
)
def test_what_has_no_block_is_refused(changes: dict[str, object], field: str) -> None:
    with pytest.raises(CodecError) as caught:
        replace(POOL, **changes)
    assert caught.value.field == field


# -- vaults ------------------------------------------------------------------------------------


def test_rows_in_any_sequence_make_the_same_table() -> None:
    assert table_of(1, 2, 3).to_bytes() == table_of(3, 1, 2).to_bytes()
    owners = [row.tobytes() for row in table_of(3, 1, 2).owners]
    assert owners == sorted(owner(k) for k in (1, 2, 3))


def test_a_vault_row_stands_as_the_specification_says() -> None:
    table = VaultTable.from_rows([(owner(7), 5, (U64_MAX, 0, 3))], 3)
    words = (5, U64_MAX, 0, 3)
    expected = owner(7) + b"".join(word.to_bytes(8, "little") for word in words)
    assert table.to_bytes() == expected
    assert len(expected) == vault_dtype(3).itemsize == 40 + 8 * 3


def test_vault_rows_and_back() -> None:
    table = table_of(5, 1, 9)
    again = VaultTable.from_bytes(table.to_bytes(), 3)
    assert again.to_bytes() == table.to_bytes()
    assert again.nonces.tolist() == table.nonces.tolist()
    assert (len(again), again.n) == (3, 3)


def test_no_vaults_are_a_table_too() -> None:
    table = VaultTable.from_rows([], 3)
    assert (len(table), table.n, table.to_bytes()) == (0, 3, b"")
    assert len(VaultTable.from_bytes(b"", 3)) == 0
    assert table.find(owner_words([owner(1)])).tolist() == [-1]


def test_rows_out_of_sequence_do_not_decode() -> None:
    data, size = table_of(1, 2, 3).to_bytes(), vault_dtype(3).itemsize
    swapped = data[size : 2 * size] + data[:size] + data[2 * size :]
    with pytest.raises(CodecError, match="strictly increasing owners, found row 1"):
        VaultTable.from_bytes(swapped, 3)


def test_an_owner_twice_does_not_decode() -> None:
    data, size = table_of(1, 2).to_bytes(), vault_dtype(3).itemsize
    with pytest.raises(CodecError, match="row 2"):
        VaultTable.from_bytes(data + data[size:], 3)


def test_a_broken_row_does_not_decode() -> None:
    with pytest.raises(CodecError, match="a multiple of 64 bytes, found 127"):
        VaultTable.from_bytes(table_of(1, 2).to_bytes()[:-1], 3)


@pytest.mark.parametrize(
    ("owners", "nonces", "balances"),
    [
        ((2, 3), (2,), (2, 3)),
        ((2, 4), (3,), (2, 3)),
        ((2, 4), (2,), (1, 3)),
    ],
)
def test_columns_of_other_shapes_are_no_table(
    owners: tuple[int, ...], nonces: tuple[int, ...], balances: tuple[int, ...]
) -> None:
    with pytest.raises(CodecError, match="vaults"):
        VaultTable(
            np.zeros(owners, dtype=">u8"),
            np.zeros(nonces, dtype=np.uint64),
            np.zeros(balances, dtype=np.uint64),
        )


def test_owners_in_the_machine_s_own_byte_order_are_refused() -> None:
    """They would compare as numbers do, but their bytes would be reversed in every hash."""
    table = table_of(1, 2)
    with pytest.raises(CodecError, match="big-endian words"):
        VaultTable(table.owners.astype(np.uint64), table.nonces, table.balances)


def test_vaults_are_found_by_owner() -> None:
    table = table_of(1, 2, 3)
    ordered = sorted(range(1, 4), key=owner)
    found = table.find(owner_words([owner(2), owner(8), owner(1)]))
    assert found.tolist() == [ordered.index(2), -1, ordered.index(1)]


def test_a_part_of_the_table_is_a_table() -> None:
    table = table_of(1, 2, 3)
    part = table.take(np.array([0, 2]))
    assert part.to_bytes() == table.to_bytes()[:64] + table.to_bytes()[128:]
    with pytest.raises(CodecError, match="strictly increasing"):
        table.take(np.array([2, 0]))


# -- roots -------------------------------------------------------------------------------------


def hashed(tag: str, data: bytes) -> bytes:
    return sha256(tag.encode().ljust(16, b"\0") + data).digest()


def test_the_state_root_from_the_specification() -> None:
    table = table_of(1, 2, 3)
    chunk = hashed("cfx.chunk.v1", table.to_bytes())
    vaults = hashed("cfx.vaults.v1", chunk + (3).to_bytes(8, "little"))
    assert vaults_root(table) == vaults
    assert state_root(POOL, table) == hashed("cfx.state.v1", POOL.to_bytes() + vaults)


def test_the_root_of_no_vaults() -> None:
    empty = hashed("cfx.vaults.v1", bytes(32) + bytes(8))
    assert vaults_root(VaultTable.from_rows([], 3)) == empty


@pytest.mark.parametrize(
    "changes",
    [{"nonce": 10}, {"balances": (100, 200, 301)}, {"fees_accrued": (1, 2, 299)},
     {"owner": OwnerId(b"\1" * 32)}],
)  # fmt: skip
def test_every_field_of_the_pool_is_in_the_root(changes: dict[str, object]) -> None:
    table = table_of(1)
    assert state_root(replace(POOL, **changes), table) != state_root(POOL, table)


def test_every_field_of_a_vault_is_in_the_root() -> None:
    base = [(owner(1), 1, (1, 2, 3))]
    others = [(owner(2), 1, (1, 2, 3))], [(owner(1), 2, (1, 2, 3))], [(owner(1), 1, (1, 2, 4))]
    roots = {state_root(POOL, VaultTable.from_rows(rows, 3)) for rows in (base, *others)}
    assert len(roots) == 4


# -- opening -----------------------------------------------------------------------------------


def test_the_domain_section() -> None:
    opening = opening_of({}, epoch=258)
    expected = b"\x07" * 32 + (1).to_bytes(8, "little") + (258).to_bytes(8, "little")
    assert opening.domain_bytes() == expected


def test_a_network_id_of_another_length_is_refused() -> None:
    with pytest.raises(CodecError, match="network_id: expected 32 bytes, found 31"):
        domain_bytes(b"\x07" * 31, 1, 1)
