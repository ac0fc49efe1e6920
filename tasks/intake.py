"""From messages of the inbox to candidates and reject records, strictly, losing nothing.

A message is whatever a stranger put in the queue. Each of its items becomes a candidate or a record
that says by a code why not, so that ``collect`` can delete the message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexfx_core.admission.book import LeftOut
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import CodecError, RejectCode, RejectedOrder
from convexfx_core.orders.codes import code_of
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.orders.signed import Domain, SignedOrder
from convexfx_core.orders.signed_columns import OrderColumns
from convexfx_core.wire.bundle import check_bundle, parse_json_bundle, parse_parquet_bundle
from convexfx_core.wire.inbox import BundleMessage, parse_message
from convexfx_core.wire.orders import ItemResult, parse_items
from tasks.ports import Message, Store


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """One message and what became of its items.

    Attributes
    ----------
    message : as delivered.
    orders : its good items.
    rejects : record of its bad ones, in a shape that ``rejects/`` keeps; empty if there are none.
    whole : the message as a whole could not be read.
    """

    message: Message
    orders: OrderColumns
    rejects: tuple[dict[str, Any], ...]
    whole: bool = False


def read_messages(
    messages: Sequence[Message], store: Store, domain: Domain
) -> tuple[Received, ...]:
    """Parse messages, fetch their bundles, check every item with its signature.

    A bundle that several messages name is read for the first of them; the others bring nothing new.
    """
    bundles = Bundles(store, domain)
    return tuple(_read(message, bundles, domain) for message in messages)


def read_message(message: Message, store: Store, domain: Domain) -> Received:
    """One message; see :func:`read_messages`."""
    return read_messages((message,), store, domain)[0]


def _read(message: Message, bundles: "Bundles", domain: Domain) -> Received:
    try:
        parsed = parse_message(message.body.encode("utf-8", "surrogatepass"))
        if isinstance(parsed, BundleMessage):
            return bundles.read(message, parsed)
        return _from_results(message, parse_items(parsed.items, domain), parsed.items)
    except RejectedOrder as error:
        return Received(message, OrderColumns.of([]), (_record(0, error),), whole=True)


class Bundles:
    """The bundles that a run reads: each costs its bytes twice at most, whoever names it how often.

    A message takes 200 bytes to name a bundle of 500 MB, and may be wrong about its count. So the
    first reading is remembered: what was wrong, or how many items there truly are.

    Parameters
    ----------
    store, domain : where bundles lie, and what their orders must name.
    """

    def __init__(self, store: Store, domain: Domain) -> None:
        self._store, self._domain = store, domain
        self._counts: dict[str, int] = {}
        self._read: set[str] = set()
        self._refused: dict[tuple[str, int | None], RejectedOrder] = {}

    def read(self, message: Message, named: BundleMessage) -> Received:
        """The items of a bundle, none if an earlier message brought them; ``RejectedOrder``."""
        key, count = named.key, named.count
        if (known := self._counts.get(key, count)) != count:
            raise RejectedOrder(RejectCode.BUNDLE_COUNT, "count", f"{count} items", known)
        if key in self._read:
            return Received(message, OrderColumns.of([]), ())
        for asked in ((key, None), (key, count)):
            if asked in self._refused:
                raise self._refused[asked]
        try:
            received = self._fetched(message, named)
        except RejectedOrder as error:
            self._remember(named, error)
            raise
        self._read.add(key)
        self._counts[key] = count
        return received

    def _remember(self, named: BundleMessage, error: RejectedOrder) -> None:
        if error.code != RejectCode.BUNDLE_COUNT:
            self._refused[named.key, None] = error
            return
        self._refused[named.key, named.count] = error
        if isinstance(error.observed, int):
            self._counts[named.key] = error.observed

    def _fetched(self, message: Message, named: BundleMessage) -> Received:
        body = _bundle(named, self._store)
        if not named.columnar:
            return _from_results(message, parse_json_bundle(body, named.count, self._domain), ())
        return _from_columns(message, *parse_parquet_bundle(body, named.count, self._domain))


def _bundle(message: BundleMessage, store: Store) -> bytes:
    try:
        body = store.get(message.key)
    except CodecError as error:
        raise RejectedOrder(
            RejectCode.BUNDLE_TOO_LARGE, "bundle", error.expected, error.observed
        ) from None
    if body is None:
        raise RejectedOrder(RejectCode.BUNDLE_MISSING, "key", "an object there", message.key)
    check_bundle(message, body)
    return body


def _from_results(
    message: Message, results: Sequence[ItemResult], items: Sequence[object]
) -> Received:
    good = [result for result in results if isinstance(result, SignedOrder)]
    bad = tuple(
        _record(place, result, items[place] if items else None)
        for place, result in enumerate(results)
        if isinstance(result, RejectedOrder)
    )
    return Received(message, OrderColumns.of(good), bad)


def _from_columns(message: Message, columns: OrderColumns, codes: NDArray[np.uint8]) -> Received:
    bad = tuple(
        {
            "index": int(place),
            "code": str(code_of(int(codes[place]))),
            "order_id": columns.order_ids[place].tobytes().hex(),
        }
        for place in np.flatnonzero(codes)
    )
    return Received(message, columns.take(codes == 0), bad)


def _record(place: int, error: RejectedOrder, item: object = None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "index": place,
        "code": error.code,
        "field": error.field,
        "detail": error.line(),
    }
    if item is not None:
        record["raw_sha256"] = sha256(json_bytes(item)).hexdigest()
    return record


def reject_object(received: Received) -> bytes | None:
    """Bytes of the reject object of a message, None if all its items are good."""
    if not received.rejects:
        return None
    raw = received.message.body.encode("utf-8", "surrogatepass")
    return json_bytes(
        {
            "version": 1,
            "message_sha256": sha256(raw).hexdigest(),
            "whole": received.whole,
            "items": list(received.rejects),
        }
    )


def unreadable_object(key: str, error: CodecError) -> bytes:
    """Bytes of the reject object of an object of the bucket that should hold orders."""
    item = {
        "index": 0,
        "code": str(RejectCode.BUNDLE_FORMAT),
        "field": key,
        "detail": error.line(),
    }
    return json_bytes({"version": 1, "message_sha256": None, "whole": True, "items": [item]})


def admission_rejects(refused: LeftOut[RejectCode]) -> bytes:
    """Bytes of the reject object of candidates that no epoch could admit."""
    items = [
        {
            "index": place,
            "code": str(refused.code(place)),
            "order_id": refused.orders.order_ids[place].tobytes().hex(),
        }
        for place in range(len(refused.orders))
    ]
    return json_bytes({"version": 1, "message_sha256": None, "whole": False, "items": items})


def as_candidates(columns: Sequence[OrderColumns], epoch: int) -> SealedOrders:
    """New orders as candidates that ``epoch`` would seal first."""
    return SealedOrders.joined([SealedOrders.sealed(part, epoch) for part in columns])


def ids_of(orders: SealedOrders | OrderColumns) -> NDArray[np.void]:
    """Order ids as one comparable column of K items."""
    return np.ascontiguousarray(orders.order_ids).view("V32").reshape(-1)
