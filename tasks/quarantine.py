"""Quarantine: one order that ends every epoch must not hold up all the others.

An order that no law refuses may still end each epoch that has it: a clearing that does not
converge, a prover or a network that cannot take it. One aborted epoch may be bad luck. After two
aborted epochs in a row we bisect: half of the vaults with older orders are held back, then the
other half, then quarters, until an epoch settles. The next one takes all vaults again.

It stands in the seal (``tasks.seal``), behind admission. The slice is in the manifest as ``part``,
and follows from the outcomes before it, so that a replay comes to the same one.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from convexfx_core.admission.book import Batch, LeftOut
from convexfx_core.encoding.key_columns import canonical_order
from convexfx_core.errors import ParkCode
from convexfx_core.orders.codes import code_number
from convexfx_core.orders.sealed import SealedOrders

SLICES_MAX: Final = 64
"""After 64 slices the halving begins again: each of 2, 4, .. 64 slices had its turn, 126 epochs."""

Slice = tuple[int, int]
"""Place of the slice, from 0, and the number of slices."""


def next_slice(last: Slice | None, failed_before: bool) -> Slice | None:
    """The slice that the epoch behind an aborted one lets in; None: all vaults.

    Parameters
    ----------
    last : the aborted epoch's own slice.
    failed_before : the epoch before it was aborted, too.
    """
    if last is None:
        return (0, 2) if failed_before else None
    place, count = last
    if place + 1 < count:
        return place + 1, count
    return 0, (2 * count if count < SLICES_MAX else 2)


def slice_of(manifest: Mapping[str, Any]) -> Slice | None:
    """The slice that a manifest names as ``part``; None: all vaults."""
    named = manifest.get("part")
    if named is None:
        return None
    place, count = named
    return int(place), int(count)


def only_slice(batch: Batch, let_in: Slice | None) -> Batch:
    """The batch without the vaults of other slices; their orders wait (``BEHIND_PARKED``).

    Only vaults with an order that an earlier epoch sealed are divided: the i-th of m, by owner, is
    in slice ``i * count // m``. Vaults whose orders are all new are always let in, because they
    cannot have ended that epoch. A slice that leaves no order at all would seal nothing; then all
    vaults are in.
    """
    if let_in is None:
        return batch
    owners = np.ascontiguousarray(batch.orders.rows["owner"]).view("V32").reshape(-1)
    old = np.unique(owners[batch.orders.sealed_epoch < batch.epoch])
    place, count = let_in
    places = np.arange(len(old)) * count // max(len(old), 1)
    waits = np.isin(owners, old[places != place])
    if waits.all():
        return batch
    return Batch(
        epoch=batch.epoch,
        orders=batch.orders.take(np.flatnonzero(~waits)),
        parked=_joined(batch.parked, batch.orders.take(np.flatnonzero(waits))),
        rejected=batch.rejected,
        duplicates=batch.duplicates,
    )


def _joined(parked: LeftOut[ParkCode], more: SealedOrders) -> LeftOut[ParkCode]:
    orders = SealedOrders.joined([parked.orders, more])
    code = np.full(len(more), code_number(ParkCode.BEHIND_PARKED), dtype=np.uint8)
    order = canonical_order(orders.rows["owner"], orders.rows["nonce"])
    codes = np.concatenate([parked.codes, code])[order]
    return LeftOut(orders.take(order), codes, parked.names)
