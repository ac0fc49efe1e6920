"""What the API knows of epochs and orders: the chain, read once, and what it queued itself.

Every answer about an order comes from the last place that has it: an epoch's receipts, the sealed
candidates, a parked object, a reject object, the orders that this API put into the inbox. The chain
always wins, so answers only go forward.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from convexfx.api.chain_index.id_table import IdTable
from convexfx.api.chain_index.order_state import OPEN, REJECTED_PREFIX, OrderFacts, OrderState
from convexfx.api.chain_index.order_table import OrderTable, empty_table
from convexfx.api.chain_index.table_cache import TableCache
from convexfx_core.encoding.key_columns import key_words

REFUSED_MAX: Final = 200_000
"""Reject records outside epochs that are kept; the oldest are forgotten first."""
_CARRIED: Final = frozenset({OrderState.CARRIED, OrderState.PARKED, OrderState.SEALED})


@dataclass(frozen=True, slots=True)
class EpochFacts:
    """An epoch with an outcome.

    Attributes
    ----------
    outcome : the object itself. sha256 : of its bytes.
    states : number of orders by state; empty where its receipts could not be had.
    """

    epoch: int
    outcome: dict[str, Any]
    sha256: str
    states: dict[str, int]


class Index:
    """Thread-safe; one writer follows the chain, the API's threads read.

    Parameters
    ----------
    load : reads the table of an epoch that has receipts, for orders of long ago.
    rows_max : rows of tables that are kept in memory.
    """

    def __init__(self, load: Callable[[int], OrderTable], rows_max: int = 2_000_000) -> None:
        self._lock = threading.RLock()
        self._cache = TableCache(load, rows_max)
        self._ids = IdTable()
        self._epochs: list[EpochFacts] = []
        self._carried = empty_table(0)
        self._sealed: OrderTable | None = None
        self._sealed_ids = IdTable()
        self._outside: dict[bytes, OrderFacts] = {}
        self._by_owner: dict[bytes, set[bytes]] = {}
        self._refused: dict[bytes, str] = {}
        self.caught_up = False

    @property
    def head(self) -> int:
        """Last epoch with an outcome, 0 before the first."""
        return len(self._epochs)

    @property
    def sealed_epoch(self) -> int | None:
        """Epoch that is sealed and has no outcome yet."""
        sealed = self._sealed
        return None if sealed is None else sealed.epoch

    @property
    def waiting(self) -> int:
        """Orders that were queued or parked and that no epoch has sealed yet."""
        return len(self._outside)

    def epochs(self, before: int, limit: int) -> list[EpochFacts]:
        """Epochs below ``before``, the latest first, at most ``limit``."""
        with self._lock:
            last = min(before - 1, len(self._epochs))
            return self._epochs[max(last - limit, 0) : max(last, 0)][::-1]

    def epoch(self, number: int) -> EpochFacts | None:
        """An epoch with an outcome, or None."""
        with self._lock:
            return self._epochs[number - 1] if 1 <= number <= len(self._epochs) else None

    def table(self, epoch: int) -> OrderTable:
        """Orders of an epoch with an outcome."""
        return self._cache.get(epoch)

    def find(self, order_id: bytes) -> OrderFacts | None:
        """What is known of an order, or None."""
        with self._lock:
            if self._sealed is not None and (found := self._sealed_ids.find(order_id)):
                return self._unless_refused(self._sealed.facts(found[1]))
            located = self._ids.find(order_id)
            if located is None:
                return self._outside_facts(order_id)
        epoch, place = located
        return self._cache.get(epoch).facts(place)

    def knows(self, order_id: bytes) -> bool:
        """Whether an order needs no further delivery: sealed, settled, parked, queued, refused."""
        found = self.find(order_id)
        return found is not None and (found.final or found.state is not OrderState.REJECTED)

    def waits(self, order_id: bytes) -> bool:
        """Whether an order was queued and no epoch has sealed or parked it yet."""
        with self._lock:
            found = self._outside_facts(order_id)
        return found is not None and found.state is OrderState.QUEUED

    def queued_payloads(self) -> list[bytes]:
        """Signed bytes of the orders that were queued and that no epoch has sealed or parked."""
        with self._lock:
            return [facts.payload for name, facts in self._outside.items() if self.waits(name)]

    def open_orders(self, owner: bytes) -> list[OrderFacts]:
        """Open orders of an owner, by nonce."""
        with self._lock:
            found = {facts.order_id: facts for facts in self._outside_of(owner)}
            for table in (self._carried, self._sealed):
                if table is not None:
                    rows = [table.facts(place) for place in table.of_owner(owner)]
                    open_rows = [row for row in rows if self._unless_refused(row).state in OPEN]
                    found |= {facts.order_id: facts for facts in open_rows}
        return sorted(found.values(), key=lambda facts: (facts.nonce, facts.order_id))

    def add_queued(self, orders: Iterable[OrderFacts]) -> None:
        """Remember orders that stand in the inbox."""
        with self._lock:
            for facts in orders:
                self._add_outside(facts)

    def forget(self, order_ids: Iterable[bytes]) -> None:
        """Forget queued orders that the inbox no longer holds; the chain's own stay."""
        with self._lock:
            for name in order_ids:
                if self.waits(name):
                    self._drop_outside(name)

    def add_parked(self, table: OrderTable) -> bool:
        """Take in a parked object; whether anything in it is new."""
        with self._lock:
            before = dict(self._outside)
            for place in range(len(table)):
                self._add_outside(replace(table.facts(place), in_chain=False, epoch=None))
            return self._outside != before

    def add_refused(self, codes: dict[bytes, str]) -> bool:
        """Take in reject codes by order id; whether any is new."""
        with self._lock:
            fresh = {name: code for name, code in codes.items() if name not in self._refused}
            self._refused |= fresh
            while len(self._refused) > REFUSED_MAX:
                del self._refused[next(iter(self._refused))]
            return bool(fresh)

    def add_seal(self, table: OrderTable) -> None:
        """Take in the candidates of the next epoch."""
        sealed_ids = IdTable().added(table.id_words, table.epoch)
        with self._lock:
            self._sealed, self._sealed_ids = table, sealed_ids
            self._forget_outside(sealed_ids)

    def add_epoch(self, facts: EpochFacts, table: OrderTable) -> None:
        """Take in the next epoch's outcome with its orders; from now on it is the head.

        Where its receipts could not be had, ``table`` holds its candidates, still ``sealed``.
        """
        if facts.epoch != self.head + 1:
            raise ValueError(f"epoch: expected {self.head + 1}, found {facts.epoch}")
        ids = self._ids.added(table.id_words, facts.epoch)
        carried = table.take(table.in_states(_CARRIED))
        with self._lock:
            self._cache.put(table)
            self._ids, self._carried = ids, carried
            self._epochs.append(facts)
            self._sealed, self._sealed_ids = None, IdTable()
            self._forget_outside(ids)

    def _add_outside(self, facts: OrderFacts) -> None:
        name = facts.order_id
        if self._ids.find(name) or self._sealed_ids.find(name):
            return
        known = self._outside.get(name)
        if known is not None and known.state is OrderState.PARKED:
            return
        self._outside[name] = facts
        self._by_owner.setdefault(facts.owner, set()).add(name)

    def _forget_outside(self, chain: IdTable) -> None:
        if not self._outside:
            return
        names = list(self._outside)
        ids = np.frombuffer(b"".join(names), dtype=np.uint8).reshape(-1, 32)
        for place in np.flatnonzero(chain.holds(key_words(ids))):
            self._drop_outside(names[place])

    def _drop_outside(self, name: bytes) -> None:
        owner = self._outside.pop(name).owner
        self._by_owner[owner].discard(name)
        if not self._by_owner[owner]:
            del self._by_owner[owner]

    def _outside_facts(self, order_id: bytes) -> OrderFacts | None:
        facts, code = self._outside.get(order_id), self._refused.get(order_id)
        if code is None or (facts is not None and facts.state is OrderState.PARKED):
            return facts
        known = facts or OrderFacts(order_id, b"", 0, 0, 0, 0, OrderState.REJECTED)
        return replace(known, state=OrderState.REJECTED, reason=REJECTED_PREFIX + code)

    def _unless_refused(self, sealed: OrderFacts) -> OrderFacts:
        """A candidate, or its refusal for good where a record had it before any epoch.

        Sent once more, such an order may be sealed, only to be refused there again.
        """
        code = self._refused.get(sealed.order_id)
        if code is None or self._ids.find(sealed.order_id):
            return sealed
        reason = REJECTED_PREFIX + code
        told = replace(sealed, state=OrderState.REJECTED, reason=reason, epoch=None, in_chain=False)
        return told if told.final else sealed

    def _outside_of(self, owner: bytes) -> list[OrderFacts]:
        names = self._by_owner.get(owner, ())
        found = [facts for name in names if (facts := self._outside_facts(name)) is not None]
        return [facts for facts in found if facts.state in OPEN]
