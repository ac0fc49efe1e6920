"""Arrow schemas of the objects in the bucket, and the tables to and from Parquet bytes.

Every table carries its version and the SHA-256 of its canonical rows
(:mod:`convexfx_core.encoding.parquet_table`) in its metadata; readers recompute it. Columns:
``docs/tables.md``. Bundles, which wallets write, are in :mod:`convexfx_core.wire.bundle`.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from convexfx_core.admission.book import Batch
from convexfx_core.admission.carry import SeenSet
from convexfx_core.encoding.base58_columns import owner_texts
from convexfx_core.encoding.key_columns import canonical_order, key_bytes, key_words
from convexfx_core.encoding.parquet_table import (
    Columns,
    Optionals,
    Texts,
    Values,
    read_table,
    table_schema,
    write_table,
)
from convexfx_core.errors import CodecError
from convexfx_core.identity import Address
from convexfx_core.ledger.rows import DIFF_ALLOWANCE
from convexfx_core.ledger.vaults import Opening
from convexfx_core.limits import ORDERS_MAX
from convexfx_core.orders.row import ORDER_DTYPE
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.transition import EpochResult

ORDERS: Final = table_schema(
    "orders", 1,
    {"order_id": "bytes:32", "sealed_epoch": "u64", "owner": "bytes:32", "nonce": "u64",
     "kind": "u8", "pay": "u16", "receive": "u16", "budget": "u64", "limit_kind": "u8",
     "limit_e": "i16", "limit_m": "u64", "min_fill": "u64", "valid_until": "u64",
     "payload": "bytes:272", "pub_key": "bytes:32", "signature": "bytes:64"},
)  # fmt: skip
"""``epochs/{n}/orders/{sha256}.parquet``: every candidate of an epoch."""
STATE: Final = table_schema(
    "state", 1,
    {"order_id": "bytes:32", "until_epoch": "u64", "sealed_epoch": "u64", "row": "optional:80",
     "payload": "optional:272", "pub_key": "optional:32", "signature": "optional:64"},
)  # fmt: skip
"""``state/{n}.parquet``: seen ids, increasing; those of live orders with the whole order."""
STATE_ROWS_MAX: Final = 1 << 31
STATE_DIFFS: Final = table_schema(
    "state_diffs", 1,
    {"epoch": "u64", "position": "u32", "kind": "text:16", "order_id": "bytes:32",
     "address": "text:72", "new_nonce": "u64", "token_id": "text:72", "asset": "text:16",
     "amount": "i64", "operation": "text:24"},
)  # fmt: skip
"""``epochs/{n}/state_diffs.parquet``: one row for each token of each state diff."""
DIFF_KINDS: Final = ("allowance", "payout")
DIFF_OPERATION: Final = "TokenDiffs"
_LIVE: Final = ("row", "payload", "pub_key", "signature")
_FIELDS: Final = (
    "nonce", "kind", "pay", "receive", "budget", "limit_kind", "limit_e", "limit_m", "min_fill",
    "valid_until",
)  # fmt: skip


def orders_columns(orders: SealedOrders) -> Columns:
    """Columns of the orders table."""
    columns: dict[str, Values] = {name: orders.rows[name] for name in _FIELDS}
    columns["order_id"], columns["sealed_epoch"] = orders.order_ids, orders.sealed_epoch
    columns["owner"] = key_bytes(orders.rows["owner"])
    columns["payload"], columns["pub_key"] = orders.payloads, orders.pub_keys
    columns["signature"] = orders.signatures
    return columns


def write_orders(orders: SealedOrders, lineage: Mapping[str, str] | None = None) -> bytes:
    """Parquet bytes of an epoch's candidates, in the canonical order of their rows."""
    order = canonical_order(orders.rows["owner"], orders.rows["nonce"])
    if (order[1:] < order[:-1]).any():
        orders = orders.take(order)
    return write_table(ORDERS, orders_columns(orders), lineage)


def read_orders(data: bytes) -> SealedOrders:
    """Candidates from :func:`write_orders`.

    The row hash is checked; that rows say what their payloads say is not (see
    :func:`convexfx_core.orders.signed_columns.read_columns`).

    Raises
    ------
    CodecError
        Anything else than such a table, or another row hash.
    """
    columns = _arrays(read_table(ORDERS, data, rows_max=ORDERS_MAX))
    rows = np.empty(len(columns["nonce"]), dtype=ORDER_DTYPE)
    rows["owner"] = key_words(columns["owner"])
    for name in _FIELDS:
        rows[name] = columns[name]
    return SealedOrders(
        rows,
        columns["order_id"],
        columns["sealed_epoch"],
        columns["payload"],
        columns["pub_key"],
        columns["signature"],
    )


def write_state(
    seen: SeenSet, live: SealedOrders, lineage: Mapping[str, str] | None = None
) -> bytes:
    """Parquet bytes of what an epoch hands to the next one.

    Raises
    ------
    CodecError
        If the id of a live order is not in ``seen``, or is there twice.
    """
    order = canonical_order(key_words(live.order_ids), live.sealed_epoch)
    live = live.take(order)
    present = SeenSet(live.order_ids, live.sealed_epoch).holds(seen.ids)
    if int(present.sum()) != len(live):
        raise CodecError("state.live", "live orders that are in the seen-set", len(live))
    sealed = np.zeros(len(seen), dtype=np.uint64)
    sealed[present] = live.sealed_epoch
    rows = np.ascontiguousarray(live.rows).view(np.uint8).reshape(len(live), ORDER_DTYPE.itemsize)
    columns: dict[str, Values] = {
        "order_id": seen.ids,
        "until_epoch": seen.until_epoch,
        "sealed_epoch": sealed,
        "row": Optionals(present, rows),
        "payload": Optionals(present, live.payloads),
        "pub_key": Optionals(present, live.pub_keys),
        "signature": Optionals(present, live.signatures),
    }
    return write_table(STATE, columns, lineage)


def read_state(data: bytes) -> tuple[SeenSet, SealedOrders]:
    """Seen-set and live orders (canonical order) from :func:`write_state`.

    Raises
    ------
    CodecError
        Anything else than such a table, or another row hash.
    """
    columns = read_table(STATE, data, rows_max=STATE_ROWS_MAX)
    found = _arrays(columns)
    seen = SeenSet(found["order_id"], found["until_epoch"])
    parts = [cast(Optionals, columns[name]) for name in _LIVE]
    present = parts[0].present
    if any((part.present != present).any() for part in parts[1:]):
        raise CodecError("state.row", "a live order whole or not at all")
    rows = np.ascontiguousarray(parts[0].values).view(ORDER_DTYPE).reshape(-1)
    payloads, pub_keys, signatures = (part.values for part in parts[1:])
    live = SealedOrders(
        rows,
        found["order_id"][present],
        found["sealed_epoch"][present],
        payloads,
        pub_keys,
        signatures,
    )
    return seen, live.take(canonical_order(rows["owner"], rows["nonce"]))


def write_state_diffs(
    opening: Opening, batch: Batch, result: EpochResult, lineage: Mapping[str, str] | None = None
) -> bytes:
    """Parquet bytes of an epoch's diff rows, in the sequence in which they are submitted."""
    diffs, assets = result.diffs, opening.registry.assets
    ids = [batch.orders.order_ids[result.consumed], result.payouts.order_ids]
    pool = Address(opening.pool.owner, opening.shard)
    texts = owner_texts(result.touched_before.owners)
    addresses = (str(pool), *(f"{text},{opening.shard}" for text in texts))
    asset = diffs["asset"].astype(np.int32)
    columns: dict[str, Values] = {
        "epoch": np.full(len(diffs), opening.epoch, dtype=np.uint64),
        "position": diffs["position"],
        "kind": Texts((diffs["kind"] - DIFF_ALLOWANCE).astype(np.int32), DIFF_KINDS),
        "order_id": np.concatenate(ids)[diffs["position"]],
        "address": Texts(diffs["vault"].astype(np.int32), addresses),
        "new_nonce": diffs["new_nonce"],
        "token_id": Texts(asset, tuple(str(a.token) for a in assets)),
        "asset": Texts(asset, opening.registry.ids),
        "amount": diffs["amount"],
        "operation": Texts(np.zeros(len(diffs), dtype=np.int32), (DIFF_OPERATION,)),
    }
    return write_table(STATE_DIFFS, columns, lineage)


def _arrays(columns: Mapping[str, Values]) -> dict[str, NDArray[Any]]:
    return {name: value for name, value in columns.items() if isinstance(value, np.ndarray)}
