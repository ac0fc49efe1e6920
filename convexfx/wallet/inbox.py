"""Messages and bundles for the inbox queue and bucket."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import numpy as np

from convexfx.wallet.signing import SignedVerifiable
from convexfx_core.identity import PUBLIC_KEY_BYTES, SIGNATURE_BYTES
from convexfx_core.limits import MESSAGE_BYTES_MAX, MESSAGE_ITEMS_MAX
from convexfx_core.orders.signed import ORDER_PAYLOAD_BYTES
from convexfx_core.orders.signed_columns import byte_rows
from convexfx_core.wire.bundle import json_bundle as json_bundle_bytes
from convexfx_core.wire.bundle import parquet_bundle as parquet_bundle_bytes
from convexfx_core.wire.inbox import bundle_message, inline_message
from tasks.ports import Inbox, Store

INLINE_ITEMS: Final = 100
"""An order is about 900 bytes of JSON; a message carries 200 KiB."""


def inline_messages(orders: Sequence[SignedVerifiable]) -> list[str]:
    """Message bodies that carry the orders themselves, at most 100 each."""
    assert INLINE_ITEMS <= MESSAGE_ITEMS_MAX
    bodies = [
        inline_message([order.verifiable for order in orders[start : start + INLINE_ITEMS]])
        for start in range(0, len(orders), INLINE_ITEMS)
    ]
    assert all(len(body) <= MESSAGE_BYTES_MAX for body in bodies)
    return [body.decode("ascii") for body in bodies]


def json_bundle(orders: Sequence[SignedVerifiable], store: Store) -> str:
    """Put a ``.json.gz`` bundle into the bucket; the message that names it."""
    body = json_bundle_bytes([order.verifiable for order in orders])
    return _bundle(body, "json.gz", len(orders), store)


def parquet_bundle(orders: Sequence[SignedVerifiable], store: Store) -> str:
    """Put a ``.parquet`` bundle into the bucket, for volume; the message that names it."""
    columns = (
        byte_rows((order.payload for order in orders), ORDER_PAYLOAD_BYTES),
        byte_rows((order.pub_key for order in orders), PUBLIC_KEY_BYTES),
        byte_rows((order.signature for order in orders), SIGNATURE_BYTES),
    )
    body = parquet_bundle_bytes(*(np.ascontiguousarray(column) for column in columns))
    return _bundle(body, "parquet", len(orders), store)


def send(orders: Sequence[SignedVerifiable], inbox: Inbox) -> None:
    """Drop orders into the inbox inline."""
    inbox.send(inline_messages(orders))


def _bundle(body: bytes, ending: str, count: int, store: Store) -> str:
    digest = sha256(body).hexdigest()
    key = f"inbox/{digest}.{ending}"
    store.put_new(key, body)
    return bundle_message(key, digest, count).decode("ascii")
