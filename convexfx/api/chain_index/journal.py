"""Orders that this API queued, kept across a restart.

Without it an order that was queued would be unknown to the next process until an epoch seals it. It
serves answers, never settlement: the inbox alone decides.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from convexfx.api.chain_index.index import Index
from convexfx.api.chain_index.order_state import OrderFacts, OrderState
from convexfx_core.errors import PeerUnreachable, RejectedOrder
from convexfx_core.orders.signed import ORDER_PAYLOAD_BYTES, Domain, decode_order
from tasks.context import Context
from tasks.ports import Depth

RECORDS_MAX: Final = 100_000
"""27 MB; with this many new records the file is begun anew with what still waits."""
EMPTY_S: Final = 60.0
"""A queue that was empty for so long holds nothing back; its depth is approximate."""

log = logging.getLogger("convexfx.api.chain_index.journal")


class Journal:
    """A file of 272-byte payloads; thread-safe.

    Parameters
    ----------
    path : None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.fresh = 0

    def read(self) -> list[bytes]:
        """Payloads in the sequence in which they were queued; a torn last one is dropped."""
        if self._path is None or not self._path.is_file():
            return []
        data, size = self._path.read_bytes(), ORDER_PAYLOAD_BYTES
        return [data[at : at + size] for at in range(0, len(data) - size + 1, size)]

    def append(self, payloads: Sequence[bytes]) -> None:
        """Remember queued orders; a disk that refuses is reported and otherwise ignored."""
        if self._path is None:
            return
        try:
            with self._lock, self._path.open("ab") as file:
                file.write(b"".join(payloads))
                self.fresh += len(payloads)
        except OSError as error:
            log.error("journal %s: %s", self._path, error.strerror)

    def keep(self, wanted: Callable[[bytes], bool]) -> None:
        """Forget every payload that is not wanted."""
        if self._path is None:
            return
        part = self._path.with_name(self._path.name + ".part")
        try:
            with self._lock:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                part.write_bytes(b"".join(payload for payload in self.read() if wanted(payload)))
                os.replace(part, self._path)
                self.fresh = 0
        except OSError as error:
            log.error("journal %s: %s", self._path, error.strerror)


def queued_order(payload: bytes, domain: Domain) -> OrderFacts | None:
    """The order of a payload in the journal, None where it is not of this domain."""
    try:
        order = decode_order(payload, domain)
    except RejectedOrder:
        return None
    return OrderFacts(
        order_id=sha256(payload).digest(),
        owner=bytes(order.owner),
        nonce=order.nonce,
        pay=order.pay,
        receive=order.terms.receive,
        budget=order.budget,
        state=OrderState.QUEUED,
        payload=payload,
    )


class Recovery:
    """What an earlier process queued, and when the inbox turns out not to hold it any longer.

    Parameters
    ----------
    ctx, index, journal : ports, what is known, what was queued.
    """

    def __init__(self, ctx: Context, index: Index, journal: Journal) -> None:
        self._ctx = ctx
        self._index = index
        self._journal = journal
        self._begun = False
        self._ids: set[bytes] = set()
        self._empty_since: float | None = None

    def look(self) -> None:
        """Take the journal in when the chain was read; later compact it, or give orders up."""
        if not self._begun:
            self._begin()
        elif self._journal.fresh > RECORDS_MAX:
            self._compact()
        if self._ids and self._long_empty():
            log.warning("%d queued orders of an earlier process are gone", len(self._ids))
            self._index.forget(self._ids)
            self._ids = set()
            self._compact()

    def _begin(self) -> None:
        self._begun = True
        found = [queued_order(payload, self._ctx.domain) for payload in self._journal.read()]
        orders = [order for order in found if order and not self._index.knows(order.order_id)]
        self._index.add_queued(orders)
        self._ids = {order.order_id for order in orders}
        self._compact()

    def _compact(self) -> None:
        self._journal.keep(lambda payload: self._index.waits(sha256(payload).digest()))

    def _long_empty(self) -> bool:
        try:
            empty = self._ctx.inbox.depth() == Depth(0, 0)
        except PeerUnreachable:
            empty = False
        now = self._ctx.clock.now().timestamp()
        if not empty or self._empty_since is None:
            self._empty_since = now if empty else None
        return self._empty_since is not None and now - self._empty_since >= EMPTY_S
