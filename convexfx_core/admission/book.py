"""Admission: which of an epoch's candidates are its batch, and why each other one is not.

The rules for a vault's orders over time:

1. Equal order ids are one order: the copy that was sealed first.
2. What its row, its expiry or its vault's nonce rules out is rejected
   (:mod:`convexfx_core.admission.row_rules`).
3. For one (vault, nonce) a cancel wins, even over a carried order; otherwise the first sealed,
   then the lowest order id. The others are rejected: ``CANCELLED`` or ``NONCE_TAKEN``.
4. A vault's orders are taken in nonce order up to the first gap (``NONCE_GAP``) or the first order
   whose budget no longer fits the balance before the epoch (``INSUFFICIENT_BALANCE``); that one
   and everything behind it (``BEHIND_PARKED``) is parked.

Everything is columnar; ``tests/support/admission_reference.py`` has the same rules, one order at a
time, and tests compare the two.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from convexfx_core.admission.row_rules import row_rejects
from convexfx_core.encoding.key_columns import (
    WORDS_DTYPE,
    canonical_order,
    find_keys,
    key_words,
    same_as_previous,
    take_rows,
)
from convexfx_core.errors import ParkCode, RejectCode
from convexfx_core.ledger.vaults import Opening, VaultTable
from convexfx_core.orders.codes import ACCEPTED, PARK_CODES, REJECT_CODES, code_number
from convexfx_core.orders.row import KIND_CANCEL
from convexfx_core.orders.sealed import SealedOrders

Code = TypeVar("Code", bound=StrEnum)

_LOW_BITS: Final = 31
"""Budgets are summed in two halves, so that 2^24 of them stay inside 64 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut(Generic[Code]):
    """Orders that are not in the batch, each with its reason.

    Attributes
    ----------
    orders : K orders in canonical order.
    codes : u8[K], numbers of :mod:`convexfx_core.orders.codes`, none of them 0.
    names : the closed list of reasons.
    """

    orders: SealedOrders
    codes: NDArray[np.uint8]
    names: tuple[Code, ...]

    def __len__(self) -> int:
        """Number of orders."""
        return len(self.orders)

    def code(self, position: int) -> Code:
        """Reason of one order."""
        return self.names[int(self.codes[position]) - 1]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """An epoch's admitted orders and cancels.

    Attributes
    ----------
    epoch : number of the epoch.
    orders : admitted, in canonical order (owner, nonce).
    parked : waiting for an earlier nonce or for balance; not rejects.
    rejected : refused for good.
    duplicates : number of candidates that repeated another one's order id.
    """

    epoch: int
    orders: SealedOrders
    parked: LeftOut[ParkCode]
    rejected: LeftOut[RejectCode]
    duplicates: int


def admit(candidates: SealedOrders, opening: Opening) -> Batch:
    """Admit candidates (carried, parked and new ones together, in any sequence) to the epoch.

    Parameters
    ----------
    candidates : whole and signed orders; ``order_ids`` bind owner and nonce.
    opening : domain, params, reference and the vaults before the epoch.

    Returns
    -------
    Batch
        The same for every sequence of the candidates.
    """
    order, rows = _distinct(candidates)
    vault = find_keys(opening.vaults.owners, rows["owner"])
    codes = row_rejects(rows, candidates.sealed_epoch[order], vault, opening)
    places = _winners(candidates, order, rows, codes)
    parked = _park(take_rows(rows, places), vault[places], opening.vaults)
    waits = parked != ACCEPTED
    out = np.flatnonzero(codes != ACCEPTED)
    return Batch(
        epoch=opening.epoch,
        orders=candidates.take(order[places[~waits]]),
        parked=LeftOut(candidates.take(order[places[waits]]), parked[waits], PARK_CODES),
        rejected=LeftOut(candidates.take(order[out]), codes[out], REJECT_CODES),
        duplicates=len(candidates) - len(order),
    )


def _distinct(candidates: SealedOrders) -> tuple[NDArray[np.int64], NDArray[np.void]]:
    """Positions of the distinct candidates in canonical order, and their rows.

    Of equal ids the first sealed copy stays, then the one with the lowest signature. Equal ids are
    ids of one (vault, nonce), so only such groups are looked into.
    """
    order = canonical_order(candidates.rows["owner"], candidates.rows["nonce"])
    rows = take_rows(candidates.rows, order)
    group, tied = _tie_groups(rows)
    at = order[tied]
    if not len(at):
        return order, rows
    ids = key_words(candidates.order_ids[at])
    copies = np.ascontiguousarray(candidates.signatures[at]).view(WORDS_DTYPE)
    ranks = np.lexsort(
        (*_columns(copies), candidates.sealed_epoch[at], *_columns(ids), group[tied])
    )
    kept = np.ones(len(order), dtype=np.bool_)
    kept[tied] = ~same_as_previous(ids[ranks])
    order[tied] = at[ranks]
    return order[kept], take_rows(candidates.rows, order[kept])


def _winners(
    candidates: SealedOrders,
    order: NDArray[np.int64],
    rows: NDArray[np.void],
    codes: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """Places of the accepted rows that win their (vault, nonce), in canonical order.

    Cancels in front, then the first sealed, then the lowest id; the reasons of the others are
    written into ``codes``.
    """
    places = np.flatnonzero(codes == ACCEPTED)
    group, tied = _tie_groups(take_rows(rows, places))
    at = places[tied]
    if not len(at):
        return places
    ids, orders = key_words(candidates.order_ids[order[at]]), rows["kind"][at] != KIND_CANCEL
    sealed = candidates.sealed_epoch[order[at]]
    places[tied] = at[np.lexsort((*_columns(ids), sealed, orders, group[tied]))]
    wins = np.ones(len(places), dtype=np.bool_)
    wins[1:] = group[1:] != group[:-1]
    cancels = rows["kind"][places] == KIND_CANCEL
    cancelled = cancels[np.flatnonzero(wins)[group - 1]] & ~cancels
    codes[places[~wins]] = code_number(RejectCode.NONCE_TAKEN)
    codes[places[~wins & cancelled]] = code_number(RejectCode.CANCELLED)
    return places[wins]


def _tie_groups(rows: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Group number of each row's (owner, nonce), and whether its group has other rows."""
    repeats = same_as_previous(rows["owner"])
    repeats[1:] &= rows["nonce"][1:] == rows["nonce"][:-1]
    tied = repeats.copy()
    tied[:-1] |= repeats[1:]
    return np.cumsum(~repeats), tied


def _columns(words: NDArray[np.uint64]) -> list[NDArray[np.uint64]]:
    """Sort keys of big-endian words, the last word first, as ``lexsort`` takes them."""
    return [column.astype(np.uint64) for column in words.T[::-1]]


def _park(
    rows: NDArray[np.void], vault: NDArray[np.int64], vaults: VaultTable
) -> NDArray[np.uint8]:
    """Park code of each winner in canonical order, ``ACCEPTED`` where it joins the batch, u8[K]."""
    count = len(rows)
    codes = np.full(count, ACCEPTED, dtype=np.uint8)
    if not count:
        return codes
    starts = np.flatnonzero(~same_as_previous(rows["owner"]))
    sizes = np.diff(starts, append=count)
    place = np.arange(count) - np.repeat(starts, sizes)
    known = vault >= 0
    nonces = np.where(known, _pick(vaults.nonces, vault), 0).astype(np.uint64)
    gap = rows["nonce"] - nonces != place.astype(np.uint64) + np.uint64(1)
    short = ~known | _overdrawn(rows, vault, vaults)
    stops = np.where(gap | short, place, count)
    stop = np.repeat(np.minimum.reduceat(stops, starts), sizes)
    codes[place > stop] = code_number(ParkCode.BEHIND_PARKED)
    first = place == stop
    codes[first & short] = code_number(ParkCode.INSUFFICIENT_BALANCE)
    codes[first & gap] = code_number(ParkCode.NONCE_GAP)
    return codes


def _overdrawn(
    rows: NDArray[np.void], vault: NDArray[np.int64], vaults: VaultTable
) -> NDArray[np.bool_]:
    """Whether the running budgets of a vault and asset exceed the balance at each row."""
    key = vault * vaults.n + rows["pay"]
    by_asset = np.argsort(key, kind="stable")
    key, budget = key[by_asset], rows["budget"][by_asset]
    starts = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
    sizes = np.diff(starts, append=len(key))
    low = _running(budget & np.uint64((1 << _LOW_BITS) - 1), starts, sizes)
    high = _running(budget >> np.uint64(_LOW_BITS), starts, sizes) + (low >> np.uint64(_LOW_BITS))
    low &= np.uint64((1 << _LOW_BITS) - 1)
    flat = np.maximum(key, 0)
    balance = vaults.balances.reshape(-1)[flat] if len(vaults) else np.zeros_like(low)
    room_high = balance >> np.uint64(_LOW_BITS)
    room_low = balance & np.uint64((1 << _LOW_BITS) - 1)
    over = np.empty(len(key), dtype=np.bool_)
    over[by_asset] = (high > room_high) | ((high == room_high) & (low > room_low))
    return over


def _running(
    values: NDArray[np.uint64], starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.uint64]:
    total = np.cumsum(values, dtype=np.uint64)
    return total - np.repeat(total[starts] - values[starts], sizes)


def _pick(column: NDArray[np.uint64], index: NDArray[np.int64]) -> NDArray[np.uint64]:
    return column[np.maximum(index, 0)] if len(column) else np.zeros(len(index), dtype=np.uint64)
