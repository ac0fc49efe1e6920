"""Merkle tree over chunks of 64 rows, and the proof that a chunk stands in it.

A table of orders or vaults has one root, and a chunk can be shown to belong to it by a few hashes.
Chunks keep the tree small: hashing 64 rows at once costs little more than hashing their bytes. An
odd last node is promoted unchanged; no chunk gives 32 zero bytes. Source: ``docs/spec.md`` section
1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from convexfx_core.encoding.canonical import Writer
from convexfx_core.encoding.hashing import TAG_CHUNK, TAG_NODE, tagged_hash
from convexfx_core.errors import CodecError

CHUNK_ROWS: Final = 64
EMPTY_ROOT: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class ChunkProof:
    """Opening of one chunk of a table.

    Attributes
    ----------
    chunk : place of the chunk, from 0.
    chunks : number of chunks of the table.
    siblings : 32-byte hashes met on the way up, lowest first; promoted levels have none.
    """

    chunk: int
    chunks: int
    siblings: tuple[bytes, ...]


def chunk_hashes(rows: bytes, row_bytes: int) -> list[bytes]:
    """Hashes of the chunks of 64 rows of ``row_bytes`` bytes; the last chunk may be shorter.

    Raises :class:`CodecError` if ``rows`` is no whole number of rows.
    """
    if row_bytes <= 0 or len(rows) % row_bytes:
        raise CodecError("rows", f"a multiple of {row_bytes} bytes", len(rows))
    step = CHUNK_ROWS * row_bytes
    view = memoryview(rows)
    return [tagged_hash(TAG_CHUNK, view[i : i + step]) for i in range(0, len(rows), step)]


def parents(level: Sequence[bytes]) -> list[bytes]:
    """The next level up: pairs hashed, an odd last node promoted unchanged."""
    paired = len(level) - len(level) % 2
    above = [tagged_hash(TAG_NODE, level[i], level[i + 1]) for i in range(0, paired, 2)]
    return above + list(level[paired:])


def root(leaves: Sequence[bytes]) -> bytes:
    """Merkle root of leaf hashes; 32 zero bytes for none."""
    if not leaves:
        return EMPTY_ROOT
    level = list(leaves)
    while len(level) > 1:
        level = parents(level)
    return level[0]


def prove_chunk(leaves: Sequence[bytes], chunk: int) -> ChunkProof:
    """Inclusion proof of leaf ``chunk``; :class:`CodecError` if there is none."""
    if not 0 <= chunk < len(leaves):
        raise CodecError("chunk", f"an index below {len(leaves)}", chunk)
    siblings, level, index = [], list(leaves), chunk
    while len(level) > 1:
        if index ^ 1 < len(level):
            siblings.append(level[index ^ 1])
        level, index = parents(level), index >> 1
    return ChunkProof(chunk, len(leaves), tuple(siblings))


def root_of_proof(leaf: bytes, proof: ChunkProof) -> bytes:
    """Root that follows from ``leaf`` standing where ``proof`` says.

    Raises :class:`CodecError` if the number of siblings does not fit the place.
    """
    if not 0 <= proof.chunk < proof.chunks:
        raise CodecError("chunk", f"an index below {proof.chunks}", proof.chunk)
    node, index, width = leaf, proof.chunk, proof.chunks
    remaining = list(proof.siblings)
    while width > 1:
        if index ^ 1 < width:
            if not remaining:
                raise CodecError("siblings", "one hash for each level", len(proof.siblings))
            other = remaining.pop(0)
            pair = (other, node) if index & 1 else (node, other)
            node = tagged_hash(TAG_NODE, *pair)
        index, width = index >> 1, (width + 1) >> 1
    if remaining or any(len(sibling) != 32 for sibling in proof.siblings):
        raise CodecError("siblings", "one 32-byte hash for each level", len(proof.siblings))
    return node


def seal_root(tag: str, merkle_root: bytes, rows: int) -> bytes:
    """``H(tag, merkle_root || number of rows as u64)``: the root of a table."""
    return tagged_hash(tag, merkle_root, Writer().u64(rows).getvalue())


def verify_chunk(
    tag: str, claimed_root: bytes, rows: int, chunk_rows: bytes, row_bytes: int, proof: ChunkProof
) -> bool:
    """Whether ``chunk_rows`` are the rows of chunk ``proof.chunk`` of a table of ``rows`` rows."""
    if row_bytes <= 0 or proof.chunks != -(-rows // CHUNK_ROWS):
        return False
    expected = min(CHUNK_ROWS, rows - proof.chunk * CHUNK_ROWS) * row_bytes
    if proof.chunk < 0 or expected <= 0 or len(chunk_rows) != expected:
        return False
    try:
        top = root_of_proof(tagged_hash(TAG_CHUNK, chunk_rows), proof)
    except CodecError:
        return False
    return seal_root(tag, top, rows) == claimed_root


def table_root(tag: str, rows: bytes, row_bytes: int) -> bytes:
    """Root of a table of fixed-width rows that stand in canonical order, 32 bytes."""
    return seal_root(tag, root(chunk_hashes(rows, row_bytes)), len(rows) // row_bytes)
