"""Table roots and inclusion proofs, against a second, recursive way to compute them."""

from hashlib import sha256

import pytest

from convexfx_core.encoding.merkle import (
    CHUNK_ROWS,
    ChunkProof,
    chunk_hashes,
    prove_chunk,
    root,
    root_of_proof,
    table_root,
    verify_chunk,
)
from convexfx_core.errors import CodecError

ROW = 16
TAG = "cfx.settle.v1"


def rows(count: int) -> bytes:
    return b"".join((7 * i + 3).to_bytes(ROW, "little") for i in range(count))


def tagged(tag: str, data: bytes) -> bytes:
    return sha256(tag.encode().ljust(16, b"\0") + data).digest()


def slow_root(leaves: list[bytes]) -> bytes:
    """Root by recursion: the left part is the largest power of two that leaves something."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else bytes(32)
    left = 1 << ((len(leaves) - 1).bit_length() - 1)
    return tagged("cfx.node.v1", slow_root(leaves[:left]) + slow_root(leaves[left:]))


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 128, 129, 192, 193, 320, 449, 640, 1000])
def test_table_root_equals_the_recursive_one(count: int) -> None:
    data = rows(count)
    step = CHUNK_ROWS * ROW
    leaves = [tagged("cfx.chunk.v1", data[i : i + step]) for i in range(0, len(data), step)]
    expected = tagged(TAG, slow_root(leaves) + count.to_bytes(8, "little"))
    assert table_root(TAG, data, ROW) == expected


def test_row_count_and_tag_are_bound() -> None:
    roots = {table_root(tag, rows(n), ROW) for tag in (TAG, "cfx.left.v1") for n in range(3)}
    assert len(roots) == 6
    assert table_root(TAG, bytes(32), 16) != table_root(TAG, bytes(32), 32)


@pytest.mark.parametrize("count", [1, 64, 65, 129, 300, 449, 700])
def test_every_chunk_can_be_opened_and_nothing_else(count: int) -> None:
    data, step = rows(count), CHUNK_ROWS * ROW
    leaves, table = chunk_hashes(data, ROW), table_root(TAG, data, ROW)
    for chunk in range(len(leaves)):
        part, proof = data[chunk * step : (chunk + 1) * step], prove_chunk(leaves, chunk)
        assert root_of_proof(leaves[chunk], proof) == root(leaves)
        assert verify_chunk(TAG, table, count, part, ROW, proof)
        assert not verify_chunk("cfx.left.v1", table, count, part, ROW, proof)
        assert not verify_chunk(TAG, table, count + 1, part, ROW, proof)
        assert not verify_chunk(TAG, table, count, part[:-1] + b"\xff", ROW, proof)
        assert not verify_chunk(TAG, table, count, part[:-ROW], ROW, proof)
        moved = ChunkProof((chunk + 1) % len(leaves), len(leaves), proof.siblings)
        if len(leaves) > 1:
            assert not verify_chunk(TAG, table, count, part, ROW, moved)


def test_siblings_must_be_exactly_those_of_the_place() -> None:
    leaves = chunk_hashes(rows(300), ROW)
    proof = prove_chunk(leaves, 1)
    for siblings in (
        proof.siblings[:-1],
        (*proof.siblings, bytes(32)),
        (proof.siblings[0][:-1], *proof.siblings[1:]),
    ):
        broken = ChunkProof(1, proof.chunks, siblings)
        with pytest.raises(CodecError, match="siblings"):
            root_of_proof(leaves[1], broken)
        part = rows(300)[64 * ROW : 128 * ROW]
        assert not verify_chunk(TAG, table_root(TAG, rows(300), ROW), 300, part, ROW, broken)


@pytest.mark.parametrize("chunk", [-1, 5])
def test_no_proof_of_a_chunk_that_is_not_there(chunk: int) -> None:
    leaves = chunk_hashes(rows(300), ROW)
    assert len(leaves) == 5
    with pytest.raises(CodecError, match="below 5"):
        prove_chunk(leaves, chunk)
    with pytest.raises(CodecError, match="below 5"):
        root_of_proof(leaves[0], ChunkProof(chunk, 5, ()))


def test_verification_never_raises() -> None:
    table = table_root(TAG, rows(65), ROW)
    assert not verify_chunk(TAG, table, 65, b"", ROW, ChunkProof(0, 2, ()))
    assert not verify_chunk(TAG, table, 65, b"", 0, ChunkProof(0, 2, ()))
    assert not verify_chunk(TAG, table, 65, rows(64), ROW, ChunkProof(-1, 2, ()))
    assert not verify_chunk(TAG, table, 65, rows(64), ROW, ChunkProof(0, 2, ()))
