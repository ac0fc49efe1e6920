"""What an epoch leaves to the next one: the ids that were seen, and the orders that are still open.

The seen-set refuses an order that was sealed before, the live orders are candidates again. Both
follow from the chain alone, so ``state/{n}.parquet`` is only a memory: where a process died before
it was written, ``collect`` derives it from the state before and the epoch's own objects.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexfx_core.admission.book import Batch
from convexfx_core.admission.carry import Carried, SeenSet, carry_over, seen_after
from convexfx_core.errors import CommitConflict
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.records.tables import read_orders, read_state, write_state
from tasks.chain import manifest_of, outcome_of, sealed_epoch
from tasks.epoch_result import epoch_result
from tasks.objects import get_object, state_key
from tasks.ports import Store


def read_carry(store: Store, epoch: int) -> tuple[SeenSet, SealedOrders]:
    """Seen-set and live orders after ``epoch``, which has an outcome; none before the first."""
    missing = epoch
    while missing and (body := store.get(state_key(missing))) is None:
        missing -= 1
    found = read_state(body) if missing and body else (SeenSet.empty(), SealedOrders.empty())
    for number in range(missing + 1, epoch + 1):
        found = write_carry(store, number, found)
    return found


def write_carry(
    store: Store, epoch: int, before: tuple[SeenSet, SealedOrders]
) -> tuple[SeenSet, SealedOrders]:
    """Derive and store the state after an epoch from the one before and the epoch's own objects.

    Raises
    ------
    CommitConflict
        The epoch has no manifest or no outcome, or another state was stored for it.
    """
    seen, live = derive_carry(store, epoch, before[0])
    store.put_new(state_key(epoch), write_state(seen, live, {"epoch": str(epoch)}))
    return seen, live


def carry_bytes(store: Store, epoch: int) -> bytes:
    """The bytes of ``state/{n}.parquet``, derived from the state before and the epoch's objects."""
    before, _ = read_carry(store, epoch - 1)
    return write_state(*derive_carry(store, epoch, before), {"epoch": str(epoch)})


def derive_carry(store: Store, epoch: int, before: SeenSet) -> tuple[SeenSet, SealedOrders]:
    """Seen-set and live orders after an epoch with an outcome; nothing is written."""
    sealed, outcome = manifest_of(store, epoch), outcome_of(store, epoch)
    if sealed is None or outcome is None:
        raise CommitConflict(state_key(epoch), "a manifest and an outcome", "none")
    _, batch = sealed_epoch(store, sealed[0])
    carried = carry_over(batch, left_mask(store, sealed[0], batch, outcome))
    candidates = read_orders(get_object(store, sealed[1]["orders"]))
    seen = seen_after(before, candidates, epoch)
    return seen, live_orders(carried, seen)


def left_mask(
    store: Store, manifest: Any, batch: Batch, outcome: dict[str, Any]
) -> NDArray[np.bool_]:
    """Which orders of the batch were not consumed, bool[K]; all of them in an aborted epoch."""
    if outcome["status"] != "settled":
        return np.ones(len(batch.orders), dtype=np.bool_)
    return ~epoch_result(store, manifest, outcome["proposal"]).consumed


def live_orders(carried: Carried, seen: SeenSet) -> SealedOrders:
    """Orders that may still be admitted and that the seen-set holds."""
    return carried.orders.take(seen.holds(carried.orders.order_ids))
