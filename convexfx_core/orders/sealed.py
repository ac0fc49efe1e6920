"""Sealed orders: signed orders as columns, with the epoch that first sealed each of them.

This is what the seal fixes and what admission starts from. The epoch matters twice: of two orders
with one nonce the first sealed wins, and an order without an expiry lives in that epoch alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.key_columns import take_rows
from convexfx_core.errors import CodecError
from convexfx_core.identity import HASH_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES
from convexfx_core.orders.row import ORDER_DTYPE
from convexfx_core.orders.signed import ORDER_PAYLOAD_BYTES
from convexfx_core.orders.signed_columns import OrderColumns


@dataclass(frozen=True, slots=True, eq=False)
class SealedOrders:
    """K orders and cancels, columnar; every column has K rows.

    Attributes
    ----------
    rows : order rows of :data:`convexfx_core.orders.row.ORDER_DTYPE`.
    order_ids : u8[K, 32], SHA-256 of the payloads.
    sealed_epoch : u64[K], the epoch that first sealed the order.
    payloads : u8[K, 272], what was signed.
    pub_keys : u8[K, 32].
    signatures : u8[K, 64].
    """

    rows: NDArray[np.void]
    order_ids: NDArray[np.uint8]
    sealed_epoch: NDArray[np.uint64]
    payloads: NDArray[np.uint8]
    pub_keys: NDArray[np.uint8]
    signatures: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Refuse columns of other shapes with ``CodecError``."""
        count = len(self.rows)
        if self.rows.dtype != ORDER_DTYPE:
            raise CodecError("orders.rows", "order rows of 80 bytes", self.rows.dtype)
        for name, shape in (
            ("order_ids", (count, HASH_BYTES)),
            ("sealed_epoch", (count,)),
            ("payloads", (count, ORDER_PAYLOAD_BYTES)),
            ("pub_keys", (count, PUBLIC_KEY_BYTES)),
            ("signatures", (count, SIGNATURE_BYTES)),
        ):
            if getattr(self, name).shape != shape:
                raise CodecError(f"orders.{name}", f"shape {shape}", getattr(self, name).shape)

    def __len__(self) -> int:
        """Number of orders."""
        return len(self.rows)

    @classmethod
    def sealed(cls, columns: OrderColumns, epoch: int) -> Self:
        """Newly received orders that ``epoch`` seals."""
        return cls(
            columns.rows,
            columns.order_ids,
            np.full(len(columns), epoch, dtype=np.uint64),
            columns.payloads,
            columns.pub_keys,
            columns.signatures,
        )

    @classmethod
    def empty(cls) -> Self:
        """No orders at all."""
        return cls(
            np.empty(0, dtype=ORDER_DTYPE),
            np.empty((0, HASH_BYTES), dtype=np.uint8),
            np.empty(0, dtype=np.uint64),
            np.empty((0, ORDER_PAYLOAD_BYTES), dtype=np.uint8),
            np.empty((0, PUBLIC_KEY_BYTES), dtype=np.uint8),
            np.empty((0, SIGNATURE_BYTES), dtype=np.uint8),
        )

    @classmethod
    def joined(cls, tables: Sequence[Self]) -> Self:
        """All orders of several tables, one table behind the other."""
        if not tables:
            return cls.empty()
        return cls(
            np.concatenate([table.rows for table in tables], dtype=ORDER_DTYPE),
            np.concatenate([table.order_ids for table in tables]),
            np.concatenate([table.sealed_epoch for table in tables]),
            np.concatenate([table.payloads for table in tables]),
            np.concatenate([table.pub_keys for table in tables]),
            np.concatenate([table.signatures for table in tables]),
        )

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """The orders at positions, or where a mask of K holds."""
        return type(self)(
            take_rows(self.rows, index),
            self.order_ids[index],
            self.sealed_epoch[index],
            self.payloads[index],
            self.pub_keys[index],
            self.signatures[index],
        )
