"""After epochs that were aborted in a row, a part of the vaults waits, so that others go on.

An order that no law refuses may still end every epoch that has it: a clearing that does not
converge, a prover or a network that cannot take it. Two such epochs may be a failure that passes.
Then of the vaults with orders from before only a half is let in, then the other half, then quarters
in turn, until an epoch settles and the next one takes all. Whoever is new is under no suspicion.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from convexfx_core.admission.book import PARK_CODES, Batch, LeftOut
from convexfx_core.encoding.key_columns import canonical_order
from convexfx_core.errors import ParkCode
from convexfx_core.orders.sealed import SealedOrders

PARTS_MAX: Final = 64

Part = tuple[int, int]
"""Place of a part and the number of parts."""


def next_part(last: Part | None, failed_before: bool) -> Part | None:
    """The part behind an aborted epoch; None: all vaults.

    Parameters
    ----------
    last : its own part.
    failed_before : the epoch before it was aborted, too.
    """
    if last is None:
        return (0, 2) if failed_before else None
    place, parts = last
    if place + 1 < parts:
        return place + 1, parts
    return 0, (2 * parts if parts < PARTS_MAX else 2)


def part_of(manifest: Mapping[str, Any]) -> Part | None:
    """The part that a manifest names; None: all vaults."""
    named = manifest.get("part")
    if named is None:
        return None
    place, parts = named
    return int(place), int(parts)


def narrowed(batch: Batch, part: Part | None) -> Batch:
    """The batch without the vaults of other parts; their orders are parked behind an earlier one.

    Vaults with an order that an earlier epoch sealed are counted in the order of their owners: the
    i-th of m is in part ``i * parts // m``. A part without any order is all vaults.
    """
    if part is None:
        return batch
    owners = np.ascontiguousarray(batch.orders.rows["owner"]).view("V32").reshape(-1)
    old = np.unique(owners[batch.orders.sealed_epoch < batch.epoch])
    places = np.arange(len(old)) * part[1] // max(len(old), 1)
    waits = np.isin(owners, old[places != part[0]])
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
    code = np.full(len(more), PARK_CODES.index(ParkCode.BEHIND_PARKED), dtype=np.uint8)
    order = canonical_order(orders.rows["owner"], orders.rows["nonce"])
    codes = np.concatenate([parked.codes, code])[order]
    return LeftOut(orders.take(order), codes, parked.names)
