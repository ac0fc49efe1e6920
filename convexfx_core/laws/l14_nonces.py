"""L14: nonces are consecutive, and whoever moves a price is consumed.

delta debits a vault with its next nonce only, so an order that is not demanded is consumed only to
reach one behind it. A vault's consumed orders have the nonces that follow its own, without a gap,
and the last of them is filled, demanded or a cancel. Its left orders follow those; none is a
cancel, and none is demanded: only of a consumed order does the network see a signature and funds,
so a left one must not have moved a price. The vault rows are exactly the vaults of the consumed
orders. Index: order index; K + i for vault row i that no consumed order names. Source:
``docs/invariants.md``, L14.
"""

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.key_columns import find_keys, same_as_previous
from convexfx_core.errors import LawViolated
from convexfx_core.laws.decoded_witness import DecodedWitness
from convexfx_core.orders.row import KIND_CANCEL, KIND_ORDER

LAW = 14


def check_rows(decoded: DecodedWitness) -> None:
    """Row by row; :class:`LawViolated` with the smallest index."""
    demanded = decoded.demanded()
    last = _check_consumed(decoded, demanded)
    for index in range(decoded.consumed_count, len(decoded.orders)):
        row = decoded.orders[index]
        owner, nonce = row["owner"].tobytes(), int(row["nonce"])
        if row["kind"] != KIND_ORDER:
            raise LawViolated(LAW, index, "a cancel that is left", "consumed cancels")
        if demanded[index]:
            raise LawViolated(LAW, index, int(demanded[index]), "0 of an order that is left")
        if owner in last and nonce != last[owner] + 1:
            raise LawViolated(LAW, index, nonce, last[owner] + 1)
        last[owner] = nonce


def _check_consumed(decoded: DecodedWitness, demanded: NDArray[np.uint64]) -> dict[bytes, int]:
    """Last consumed nonce by owner; ``demanded`` u64[K]."""
    vaults, rows, place = decoded.witness.vaults, decoded.witness.consumed, -1
    last: dict[bytes, int] = {}
    for index, row in enumerate(rows):
        owner, nonce = row["owner"].tobytes(), int(row["nonce"])
        if index == 0 or owner != rows[index - 1]["owner"].tobytes():
            place += 1
            if place >= len(vaults) or vaults[place]["owner"].tobytes() != owner:
                raise LawViolated(LAW, index, "no vault row of the owner", "one")
            last[owner] = int(vaults[place]["nonce"])
        if nonce != last[owner] + 1:
            raise LawViolated(LAW, index, nonce, last[owner] + 1)
        last[owner] = nonce
        ends = index + 1 == len(rows) or owner != rows[index + 1]["owner"].tobytes()
        if ends and not (demanded[index] > 0 or row["kind"] == KIND_CANCEL):
            raise LawViolated(LAW, index, "not demanded", "the vault's last is, or is a cancel")
    if place + 1 != len(vaults):
        raise LawViolated(LAW, len(decoded.orders) + place + 1, "a vault without orders", "none")
    return last


def holds(decoded: DecodedWitness) -> bool:
    """By columns: whether :func:`check_rows` raises nothing, given that L13 holds."""
    rows, left, vaults = decoded.witness.consumed, decoded.witness.left, decoded.witness.vaults
    demanded = decoded.demanded()
    first = ~same_as_previous(rows["owner"])
    starts = np.flatnonzero(first)
    if len(starts) != len(vaults) or (rows["owner"][starts] != vaults["owner"]).any():
        return False
    place = np.cumsum(first) - 1
    step = np.arange(len(rows)) - starts[place] + 1
    if (rows["nonce"] != vaults["nonce"][place] + step.astype(np.uint64)).any():
        return False
    ends = np.append(starts[1:], len(rows))[: len(starts)] - 1
    acts = (demanded[ends] > 0) | (rows["kind"][ends] == KIND_CANCEL)
    if not acts.all() or demanded[len(rows) :].any():
        return False
    return _left_follow(left, rows[ends])


def _left_follow(left: NDArray[np.void], last: NDArray[np.void]) -> bool:
    """Whether left orders are no cancels and follow the last consumed one of their vault."""
    if (left["kind"] != KIND_ORDER).any():
        return False
    same = same_as_previous(left["owner"])
    at = find_keys(last["owner"], left["owner"])
    before = last["nonce"][at] if len(last) else np.zeros(len(left), dtype=np.uint64)
    follows = np.where(same, np.roll(left["nonce"], 1), before) + np.uint64(1)
    bound = same | (at >= 0)
    return not bool((bound & (left["nonce"] != follows)).any())
