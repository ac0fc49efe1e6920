"""What an epoch hands to the next one: live orders, and the ids that it must not admit again.

An order that an epoch did not consume waits for the next one, until its own last epoch. The inbox
may deliver an order twice, hours apart. Ids that were sealed are kept, so that a second copy is
acknowledged and not sealed again. This runs when the epoch has its outcome.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from convexfx_core.admission.book import Batch
from convexfx_core.admission.row_rules import expired
from convexfx_core.encoding.key_columns import (
    canonical_order,
    find_keys,
    key_bytes,
    key_words,
    words_before,
)
from convexfx_core.errors import CodecError
from convexfx_core.identity import HASH_BYTES
from convexfx_core.limits import EXPIRY_EPOCHS_MAX
from convexfx_core.orders.sealed import SealedOrders


@dataclass(frozen=True, slots=True, eq=False)
class SeenSet:
    """Order ids that were sealed, strictly increasing.

    Attributes
    ----------
    ids : u8[M, 32].
    until_epoch : u64[M], the last epoch that must not admit the id anew.
    """

    ids: NDArray[np.uint8]
    until_epoch: NDArray[np.uint64]

    def __post_init__(self) -> None:
        """Refuse other shapes and sequences with ``CodecError``."""
        count = len(self.ids)
        if self.ids.shape != (count, HASH_BYTES) or self.until_epoch.shape != (count,):
            raise CodecError("seen", "M ids of 32 bytes and M epochs", self.ids.shape)
        words = key_words(self.ids)
        if not words_before(words[:-1], words[1:]).all():
            raise CodecError("seen.ids", "strictly increasing ids")

    def __len__(self) -> int:
        """Number of ids."""
        return len(self.ids)

    @classmethod
    def empty(cls) -> Self:
        """No ids: before the first epoch."""
        return cls(np.empty((0, HASH_BYTES), dtype=np.uint8), np.empty(0, dtype=np.uint64))

    def holds(self, order_ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Whether each of u8[K, 32] ids was sealed before, bool[K]."""
        return find_keys(key_words(self.ids), key_words(order_ids)) >= 0


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """Unsettled orders after an epoch.

    Attributes
    ----------
    orders : candidates of the next epoch, in canonical order.
    expired : orders whose last epoch this was, in canonical order.
    """

    orders: SealedOrders
    expired: SealedOrders


def carry_over(batch: Batch, left: NDArray[np.bool_]) -> Carried:
    """Orders that live on after the batch's epoch, and those that do not.

    Parameters
    ----------
    batch : the epoch's batch; its parked orders live on too.
    left : bool[K] over ``batch.orders``, those that were not consumed. An aborted epoch consumed
        none, so all of them are left.
    """
    unsettled = SealedOrders.joined([batch.orders.take(left), batch.parked.orders])
    order = canonical_order(unsettled.rows["owner"], unsettled.rows["nonce"])
    rows = unsettled.rows[order]
    ends = expired(rows["valid_until"], unsettled.sealed_epoch[order], batch.epoch + 1)
    return Carried(unsettled.take(order[~ends]), unsettled.take(order[ends]))


def unseen(candidates: SealedOrders, seen: SeenSet) -> SealedOrders:
    """Of newly received orders those that no epoch sealed before; the others are acknowledged."""
    return candidates.take(~seen.holds(candidates.order_ids))


def seen_after(seen: SeenSet, candidates: SealedOrders, epoch: int) -> SeenSet:
    """Ids that must not be admitted anew after ``epoch``, which sealed ``candidates``.

    Every id is kept for 1,440 epochs from its seal: as long as any order lives, and also when its
    own order ended sooner, so that whoever sends it once more cannot have it sealed, and given
    another outcome, once more.
    """
    ids = np.concatenate([seen.ids, candidates.order_ids])
    last = candidates.sealed_epoch + np.uint64(EXPIRY_EPOCHS_MAX)
    until = np.concatenate([seen.until_epoch, last])
    alive = until > epoch
    words, until = key_words(ids[alive]), until[alive]
    order = canonical_order(words, until)[::-1]
    words, until = words[order], until[order]
    first = np.ones(len(words), dtype=np.bool_)
    first[1:] = (words[1:] != words[:-1]).any(axis=1)
    return SeenSet(key_bytes(words[first][::-1]), until[first][::-1])
