"""What an epoch hands to the next one: carried orders, and the ids that it must not admit again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexfx_core.book import Batch
from convexfx_core.sealed_orders import SealedOrders


@dataclass(frozen=True, slots=True, eq=False)
class SeenSet:
    """Order ids that were sealed, strictly increasing.

    Attributes
    ----------
    ids : u8[M, 32].
    until_epoch : u64[M], the last epoch in which the id could be admitted.
    """

    ids: NDArray[np.uint8]
    until_epoch: NDArray[np.uint64]


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
    """Orders that live on after the batch's epoch.

    Parameters
    ----------
    batch : the epoch's batch; its parked orders live on too.
    left : bool[K] over ``batch.orders``, those that were not consumed.
    """
    raise NotImplementedError


def seen_after(seen: SeenSet, candidates: SealedOrders, epoch: int) -> SeenSet:
    """Ids that must not be admitted anew in ``epoch + 1``: bounded by expiry."""
    raise NotImplementedError
