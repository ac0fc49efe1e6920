"""Witness v1: everything that the laws read, as bytes (``docs/spec.md`` section 4).

This module knows the layout only. What a section may hold is law L0 (``laws/l00_decode.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.canonical import Reader, Writer
from convexfx_core.errors import CodecError
from convexfx_core.ledger.rows import DIFF_DTYPE
from convexfx_core.ledger.vaults import PoolState
from convexfx_core.orders.row import ORDER_DTYPE, order_bytes
from convexfx_core.witness.public_values import PUBLIC_VALUES_BYTES

WITNESS_MAGIC: Final = b"CFXWIT\0\0"
WITNESS_VERSION: Final = 1
SECTION_NAMES: Final = (
    "domain", "params", "registry", "reference", "vaults", "orders", "prices",
    "fills", "inventory", "ration", "rejects", "amounts", "diffs", "public_values",
)  # fmt: skip
SECTIONS: Final = len(SECTION_NAMES)
FRAME: Final = SECTIONS
"""Index that L0 reports for magic, version, a length that runs past the end, bytes left over."""

PAIR_DTYPE: Final = np.dtype(
    [("pay", "<u2"), ("receive", "<u2"), ("shift", "<u4"), ("rate", "<u8")]
)
DEMAND_DTYPE: Final = np.dtype([("order", "<u8"), ("demanded", "<u8")])
REJECT_DTYPE: Final = np.dtype([("order", "<u8"), ("kind", "<u8")])
AMOUNT_DTYPE: Final = np.dtype([("received", "<u8"), ("fee", "<u8")])


@dataclass(frozen=True, slots=True)
class Witness:
    """The decoded sections; big integers as Python integers, tables as structured arrays.

    Attributes
    ----------
    network_id : 32 bytes. shard, epoch : as sealed.
    params, registry, reference : their sections as bytes.
    pool : the pool's vault before the epoch.
    vaults : ``ledger.vaults.vault_dtype`` rows, the consumed orders' owners before it.
    consumed, left : order rows (``ORDER_DTYPE``), each in canonical order.
    prices : n prices, scale 2^64.
    pairs : :data:`PAIR_DTYPE` rows of the pairs of the orders.
    paid : u64[K_c] base units of the pay asset.
    overflow, inventory_after : n integers each.
    omega : n integers at scale 2^40, or None in an epoch without rationing.
    demanded : :data:`DEMAND_DTYPE` rows of the orders whose demand is not the usual one.
    rejects : :data:`REJECT_DTYPE` rows. amounts : :data:`AMOUNT_DTYPE` rows, K_c.
    diffs : :data:`DIFF_DTYPE` rows in order.
    public_values : 392 bytes, as claimed.
    """

    network_id: bytes
    shard: int
    epoch: int
    params: bytes
    registry: bytes
    reference: bytes
    pool: PoolState
    vaults: NDArray[np.void]
    consumed: NDArray[np.void]
    left: NDArray[np.void]
    prices: tuple[int, ...]
    pairs: NDArray[np.void]
    paid: NDArray[np.uint64]
    overflow: tuple[int, ...]
    inventory_after: tuple[int, ...]
    omega: tuple[int, ...] | None
    demanded: NDArray[np.void]
    rejects: NDArray[np.void]
    amounts: NDArray[np.void]
    diffs: NDArray[np.void]
    public_values: bytes = bytes(PUBLIC_VALUES_BYTES)

    @property
    def n(self) -> int:
        """Number of assets."""
        return len(self.prices)

    @property
    def orders(self) -> NDArray[np.void]:
        """Rows of consumed then left orders: the order index of the laws is a place in it."""
        return np.concatenate([self.consumed, self.left], dtype=ORDER_DTYPE)


def witness_sections(witness: Witness) -> list[bytes]:
    """Return the 14 sections as bytes, without their lengths."""
    domain = Writer().raw(witness.network_id).u64(witness.shard).u64(witness.epoch)
    counts = Writer().u64(len(witness.consumed)).u64(len(witness.left))
    inventory = Writer()
    for row in zip(witness.overflow, witness.inventory_after, strict=True):
        inventory.all_signed(row, 16)
    ration = b""
    if witness.omega is not None:
        ration = Writer().all_signed(witness.omega, 8).getvalue()
        ration += witness.demanded.astype(DEMAND_DTYPE, copy=False).tobytes()
    return [
        domain.getvalue(),
        witness.params,
        witness.registry,
        witness.reference,
        witness.pool.to_bytes() + witness.vaults.tobytes(),
        counts.getvalue() + order_bytes(witness.consumed) + order_bytes(witness.left),
        price_bytes(witness.prices) + witness.pairs.astype(PAIR_DTYPE, copy=False).tobytes(),
        witness.paid.astype("<u8", copy=False).tobytes(),
        inventory.getvalue(),
        ration,
        witness.rejects.astype(REJECT_DTYPE, copy=False).tobytes(),
        witness.amounts.astype(AMOUNT_DTYPE, copy=False).tobytes(),
        witness.diffs.astype(DIFF_DTYPE, copy=False).tobytes(),
        witness.public_values,
    ]


def encode_sections(sections: list[bytes]) -> bytes:
    """Frame 14 sections: magic, version, then each with its length."""
    writer = Writer().raw(WITNESS_MAGIC).u64(WITNESS_VERSION)
    for section in sections:
        writer.u64(len(section)).raw(section)
    return writer.getvalue()


def encode_witness(witness: Witness) -> bytes:
    """Encode a witness; nothing is checked here, so tests can encode false ones."""
    return encode_sections(witness_sections(witness))


def split_sections(data: bytes) -> list[memoryview]:
    """Undo :func:`encode_sections` without copying.

    Raises
    ------
    CodecError
        If magic or version are not ours, a length runs past the end, or bytes are left over.
    """
    view = memoryview(data).toreadonly()
    if bytes(view[:8]) != WITNESS_MAGIC:
        raise CodecError("witness.magic", WITNESS_MAGIC.hex(), bytes(view[:8]).hex())
    if len(view) < 16 or _length(view, 8) != WITNESS_VERSION:
        raise CodecError("witness.version", str(WITNESS_VERSION), bytes(view[8:16]).hex())
    sections, at = [], 16
    for name in SECTION_NAMES:
        if len(view) - at < 8 or len(view) - at - 8 < (size := _length(view, at)):
            raise CodecError(f"witness.{name}", "its length and that many bytes", len(view) - at)
        sections.append(view[at + 8 : at + 8 + size])
        at += 8 + size
    if at != len(view):
        raise CodecError("witness", "no bytes after the last section", len(view) - at)
    return sections


def with_public_values(data: bytes, public_values: bytes) -> bytes:
    """Put the claimed public values, which are the last section, into an encoded witness."""
    return data[:-PUBLIC_VALUES_BYTES] + public_values


def price_bytes(prices: Sequence[int]) -> bytes:
    """Prices as section 6 begins with them and as they are hashed: 16 bytes each."""
    return Writer().all_unsigned(prices, 16, "price").getvalue()


def _length(view: memoryview, at: int) -> int:
    return Reader(view[at : at + 8], "witness").u64("length")
