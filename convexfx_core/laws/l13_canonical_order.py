"""L13: orders stand in the canonical order and none twice; so do vaults, the pool not among them.

One batch has one sequence of bytes, so no order can be slipped in or dropped without another root.
Index: order index of a row that does not stand after the one before it in its list; K + i for vault
row i that does not, or that is the pool. Source: ``docs/invariants.md``, L13.
"""

import numpy as np

from convexfx_core.encoding.key_columns import words_before
from convexfx_core.errors import LawViolated
from convexfx_core.laws.decoded_witness import DecodedWitness

LAW = 13


def check_rows(decoded: DecodedWitness) -> None:
    """Row by row; :class:`LawViolated` with the smallest index."""
    previous = None
    for index, row in enumerate(decoded.orders):
        key = (row["owner"].tobytes(), int(row["nonce"]))
        if index not in (0, decoded.consumed_count) and previous is not None and key <= previous:
            raise LawViolated(LAW, index, _text(key), f"after {_text(previous)}")
        previous = key
    pool, before = decoded.witness.pool.owner, b""
    for place, row in enumerate(decoded.witness.vaults):
        owner = row["owner"].tobytes()
        if owner == pool or (place and owner <= before):
            raise LawViolated(
                LAW, len(decoded.orders) + place, owner.hex(), f"after {before.hex()}"
            )
        before = owner


def holds(decoded: DecodedWitness) -> bool:
    """By columns: whether :func:`check_rows` raises nothing."""
    vaults = decoded.witness.vaults["owner"]
    pool = np.frombuffer(decoded.witness.pool.owner, dtype=vaults.dtype)
    return (
        _increasing(decoded.witness.consumed)
        and _increasing(decoded.witness.left)
        and bool(words_before(vaults[:-1], vaults[1:]).all())
        and not bool((vaults == pool).all(axis=1).any())
    )


def _increasing(rows: "np.ndarray[tuple[int], np.dtype[np.void]]") -> bool:
    owner, nonce = rows["owner"], rows["nonce"]
    same = (owner[1:] == owner[:-1]).all(axis=1)
    before = words_before(owner[:-1], owner[1:])
    return bool((before | (same & (nonce[1:] > nonce[:-1]))).all())


def _text(key: tuple[bytes, int]) -> str:
    return f"{key[0].hex()}/{key[1]}"
