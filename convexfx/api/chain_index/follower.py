"""Follows the chain of epochs in the store and keeps the index up to date.

The store has no notifications that could be relied on, so one thread looks every half second:
is there an outcome of the next epoch, a seal, a parked or refused order? It is the only writer of
the chain's side of the index. A store that does not answer stops nothing; it is tried again.
"""

import logging
import threading
from typing import Any, Final

from convexfx.api.chain_index.change_signal import ChangeSignal
from convexfx.api.chain_index.index import EpochFacts, Index
from convexfx.api.chain_index.journal import Recovery
from convexfx.api.chain_index.metrics import Metrics
from convexfx.api.chain_index.order_state import OrderState
from convexfx.api.chain_index.order_table import (
    OrderTable,
    candidates_table,
    empty_table,
    receipts_table,
)
from convexfx_core.errors import CodecError, ConvexFxError, PeerUnreachable
from convexfx_core.records.receipts import write_receipts
from tasks.chain import manifest_of
from tasks.context import Context
from tasks.objects import (
    as_object,
    epoch_key,
    get_object,
    parked_prefix,
    sha256_hex,
)
from tasks.receipts import epoch_receipts

POLL_S: Final = 0.5
GRACE_S: Final = 5.0
"""Receipts are written right behind the outcome; after this long they are derived here instead."""
BACK_OFF_S: Final = 5.0
STOP_S_MAX: Final = 5.0
REJECTS_PREFIX: Final = "rejects/"
REJECTS_EVERY: Final = 8
"""The prefix of rejects grows for ever, so it is listed only now and then."""

log = logging.getLogger("convexfx.api.chain_index.follower")


def read_receipts_table(ctx: Context, epoch: int) -> OrderTable | None:
    """Orders of a stored ``receipts.parquet``; None where there is none or it does not decode."""
    body = ctx.store.get(epoch_key(epoch, "receipts.parquet"))
    if body is None:
        return None
    try:
        return receipts_table(body, epoch)
    except CodecError as error:
        log.error("receipts of epoch %d: %s", epoch, error.line())
        return None


def derived_table(ctx: Context, epoch: int, outcome: dict[str, Any]) -> OrderTable:
    """Orders of an epoch whose receipts are missing, from its manifest and proposal.

    Raises
    ------
    ConvexFxError
        Those objects are missing or changed as well.
    """
    receipts = epoch_receipts(ctx.store, outcome["manifest"], outcome)
    return receipts_table(write_receipts(receipts), epoch)


def load_table(ctx: Context, epoch: int) -> OrderTable:
    """Orders of an epoch with an outcome; where everything else fails its candidates, or none."""
    table = read_receipts_table(ctx, epoch)
    if table is not None:
        return table
    try:
        key = epoch_key(epoch, "outcome.json")
        return derived_table(ctx, epoch, as_object(ctx.store.get(key) or b"", key))
    except PeerUnreachable:
        raise
    except ConvexFxError as error:
        log.error("receipts of epoch %d cannot be derived: %s", epoch, error.line())
    return sealed_table(ctx, epoch) or empty_table(epoch)


def sealed_table(ctx: Context, epoch: int) -> OrderTable | None:
    """Candidates of a sealed epoch, None while it is not sealed or where they cannot be read."""
    try:
        sealed = manifest_of(ctx.store, epoch)
        if sealed is None:
            return None
        return candidates_table(get_object(ctx.store, sealed[1]["orders"]), epoch)
    except PeerUnreachable:
        raise
    except ConvexFxError as error:
        log.error("candidates of epoch %d: %s", epoch, error.line())
        return None


def refused_orders(key: str, body: bytes) -> dict[bytes, str]:
    """Reject codes by order id of one reject object; items without an id are left out."""
    try:
        items = as_object(body, key)["items"]
        return {
            bytes.fromhex(item["order_id"]): str(item["code"])
            for item in items
            if "order_id" in item
        }
    except (ConvexFxError, KeyError, TypeError, ValueError) as error:
        log.error("%s: %r", key, error)
        return {}


class Follower:
    """One writer of the index.

    Parameters
    ----------
    ctx, index, metrics, change_signal : what it reads from, writes to and whom it tells.
    recovery : what an earlier process queued.
    poll_s : pause between two looks.
    grace_s : how long receipts may be missing behind an outcome before they are derived.
    """

    def __init__(
        self,
        ctx: Context,
        index: Index,
        metrics: Metrics,
        change_signal: ChangeSignal,
        recovery: Recovery,
        *,
        poll_s: float = POLL_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._ctx = ctx
        self._index = index
        self._metrics = metrics
        self._change_signal = change_signal
        self._recovery = recovery
        self._poll_s = poll_s
        self._grace_s = grace_s
        self._missing_since: float | None = None
        self._read: set[str] = set()
        self._looks = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.trouble: str | None = None

    def start(self) -> None:
        """Follow in a thread of its own until :meth:`stop`."""
        self._thread = threading.Thread(target=self._run, name="chain-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; one that hangs in a call ends with the process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_S_MAX)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def poll(self) -> bool:
        """Look once; whether anything changed.

        Raises
        ------
        ConvexFxError
            The store does not answer; what was read so far is kept.
        """
        changed = False
        while not self._stop.is_set() and self._take_outcome():
            changed = True
        changed |= self._take_seal()
        changed |= self._take_parked()
        if self._looks % REJECTS_EVERY == 0:
            changed |= self._take_rejects()
        self._looks += 1
        self._recovery.look()
        changed |= not self._index.caught_up
        self._index.caught_up = True
        if changed:
            self._change_signal.announce()
        return changed

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stop.wait(self._poll_s if self._look() else BACK_OFF_S)

    def _look(self) -> bool:
        """Poll, whatever happens; whether it went well."""
        try:
            self.poll()
        except Exception as error:
            line = error.line() if isinstance(error, ConvexFxError) else repr(error)
            if line != self.trouble:
                log.warning("chain cannot be followed: %s", line)
            self.trouble = line
            return False
        if self.trouble is not None:
            log.info("chain is followed again")
        self.trouble = None
        return True

    def _take_outcome(self) -> bool:
        epoch = self._index.head + 1
        key = epoch_key(epoch, "outcome.json")
        body = self._ctx.store.get(key)
        if body is None:
            return False
        table = read_receipts_table(self._ctx, epoch)
        if table is None:
            if not self._waited():
                return False
            table = load_table(self._ctx, epoch)
        self._missing_since = None
        outcome, states = as_object(body, key), table.counts()
        if str(OrderState.SEALED) in states:
            states = {}
        self._index.add_epoch(EpochFacts(epoch, outcome, sha256_hex(body), states), table)
        self._metrics.add_epoch(outcome, states)
        log.info("epoch %d %s", epoch, outcome["status"], extra={"orders": states})
        return True

    def _waited(self) -> bool:
        now = self._ctx.clock.now().timestamp()
        self._missing_since = now if self._missing_since is None else self._missing_since
        return now - self._missing_since >= self._grace_s

    def _take_seal(self) -> bool:
        epoch = self._index.head + 1
        if self._index.sealed_epoch == epoch:
            return False
        table = sealed_table(self._ctx, epoch)
        if table is None:
            return False
        self._index.add_seal(table)
        return True

    def _take_parked(self) -> bool:
        changed = False
        for epoch in (self._index.head, self._index.head + 1):
            for key, body in self._unread(parked_prefix(epoch)):
                try:
                    table = candidates_table(body, epoch, OrderState.PARKED)
                except CodecError as error:
                    log.error("%s: %s", key, error.line())
                    continue
                changed |= self._index.add_parked(table)
        return changed

    def _take_rejects(self) -> bool:
        codes: dict[bytes, str] = {}
        for key, body in self._unread(REJECTS_PREFIX):
            codes |= refused_orders(key, body)
        return self._index.add_refused(codes)

    def _unread(self, prefix: str) -> list[tuple[str, bytes]]:
        """Objects under a prefix that were not read yet."""
        fresh = [key for key in self._ctx.store.list(prefix) if key not in self._read]
        found = [(key, body) for key in fresh if (body := self._ctx.store.get(key)) is not None]
        self._read.update(key for key, _ in found)
        return found
