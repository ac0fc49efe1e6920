"""Orders of one epoch as columns, read from its receipts or from its candidates.

This is the only module that knows how those objects are laid out.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, Self, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from convexfx.api.chain_index.order_state import (
    PLACE,
    REJECTED_PREFIX,
    STATES,
    OrderFacts,
    OrderState,
)
from convexfx_core.encoding.key_columns import key_words
from convexfx_core.encoding.parquet_bounds import open_parquet
from convexfx_core.encoding.parquet_table import Texts, read_table, table_bounds
from convexfx_core.errors import CodecError, RejectCode
from convexfx_core.limits import ORDERS_MAX
from convexfx_core.orders.row import NO_ASSET
from convexfx_core.records.receipts import RECEIPTS, Status, Then
from convexfx_core.records.tables import ORDERS

_CANDIDATE_COLUMNS: Final = ("order_id", "owner", "nonce", "pay", "receive", "budget")
_CANCELLED: Final = REJECTED_PREFIX + RejectCode.CANCELLED


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What an epoch did with K orders: reasons and limits as texts, amounts u64[K]."""

    reason: Texts
    paid: NDArray[np.uint64]
    received: NDArray[np.uint64]
    fee: NDArray[np.uint64]
    filling_limit: Texts

    def take(self, index: NDArray[np.bool_]) -> Self:
        """The rows where a mask holds."""
        return type(self)(
            Texts(self.reason.codes[index], self.reason.names),
            self.paid[index],
            self.received[index],
            self.fee[index],
            Texts(self.filling_limit.codes[index], self.filling_limit.names),
        )


@dataclass(frozen=True, slots=True, eq=False)
class OrderTable:
    """K orders of an epoch, increasing by owner.

    Attributes
    ----------
    epoch : its number.
    ids, owners : u8[K, 32].
    nonces, budgets : u64[K]. pay, receive : u16[K].
    states : u8[K], places in ``STATES``.
    outcomes : None while the epoch has none.
    """

    epoch: int
    ids: NDArray[np.uint8]
    owners: NDArray[np.uint8]
    nonces: NDArray[np.uint64]
    pay: NDArray[np.uint16]
    receive: NDArray[np.uint16]
    budgets: NDArray[np.uint64]
    states: NDArray[np.uint8]
    outcomes: Outcomes | None = None

    def __len__(self) -> int:
        """Number of orders."""
        return len(self.ids)

    @property
    def id_words(self) -> NDArray[np.uint64]:
        """Order ids as K x 4 words."""
        return key_words(self.ids)

    def take(self, index: NDArray[np.bool_]) -> Self:
        """The rows where a mask holds."""
        names = ("ids", "owners", "nonces", "pay", "receive", "budgets", "states")
        columns: dict[str, Any] = {name: getattr(self, name)[index] for name in names}
        outcomes = None if self.outcomes is None else self.outcomes.take(index)
        return replace(self, outcomes=outcomes, **columns)

    def in_states(self, states: frozenset[OrderState]) -> NDArray[np.bool_]:
        """Whether each order is in one of the states, bool[K]."""
        return np.isin(self.states, [PLACE[state] for state in states])

    def counts(self) -> dict[str, int]:
        """Number of orders by state; states without orders are absent."""
        found = np.bincount(self.states, minlength=len(STATES))
        return {str(state): int(found[place]) for place, state in enumerate(STATES) if found[place]}

    def of_owner(self, owner: bytes) -> list[int]:
        """Positions of an owner's orders, in nonce order."""
        words = key_words(self.owners)
        wanted = key_words(np.frombuffer(owner, dtype=np.uint8).reshape(1, 32))
        first = words[:, 0].astype(np.uint64)
        low, high = (
            int(np.searchsorted(first, wanted[0, 0].astype(np.uint64), side=side))
            for side in ("left", "right")
        )
        near = np.flatnonzero((words[low:high] == wanted).all(axis=1))
        return [int(place) + low for place in near]

    def facts(self, position: int) -> OrderFacts:
        """One order as plain values."""
        facts = OrderFacts(
            order_id=self.ids[position].tobytes(),
            owner=self.owners[position].tobytes(),
            nonce=int(self.nonces[position]),
            pay=int(self.pay[position]),
            receive=int(self.receive[position]),
            budget=int(self.budgets[position]),
            state=STATES[self.states[position]],
            epoch=self.epoch,
            in_chain=True,
        )
        out = self.outcomes
        if out is None:
            return facts
        return replace(
            facts,
            reason=out.reason.names[out.reason.codes[position]] or None,
            paid=int(out.paid[position]),
            received=int(out.received[position]),
            fee=int(out.fee[position]),
            filling_limit=out.filling_limit.names[out.filling_limit.codes[position]] or None,
        )


def receipts_table(data: bytes, epoch: int) -> OrderTable:
    """Orders of ``receipts.parquet``.

    Raises
    ------
    CodecError
        Anything else than the receipts of that epoch, or another row hash.
    """
    found: dict[str, Any] = read_table(RECEIPTS, data, rows_max=ORDERS_MAX)
    if (found["epoch"] != epoch).any():
        raise CodecError("receipts.epoch", str(epoch), "another one")
    return OrderTable(
        epoch,
        found["order_id"],
        found["owner"],
        found["nonce"],
        found["pay"],
        found["receive"],
        found["budget"],
        _states(found["status"], found["then"], found["reason"], found["receive"]),
        Outcomes(
            found["reason"], found["paid"], found["received"], found["fee"], found["filling_limit"]
        ),
    )


def candidates_table(data: bytes, epoch: int, state: OrderState = OrderState.SEALED) -> OrderTable:
    """Orders of a candidates object, all in one state; signatures and payloads are not read.

    Raises
    ------
    CodecError
        Not such a Parquet file. Its hash is the caller's business.
    """
    try:
        file = open_parquet(data, "orders.parquet", table_bounds(ORDERS, ORDERS_MAX))
        table = file.read(columns=list(_CANDIDATE_COLUMNS))
    except (pa.ArrowException, OSError, KeyError) as error:
        raise CodecError("orders.parquet", "a Parquet file", type(error).__name__) from None
    if table.column_names != list(_CANDIDATE_COLUMNS):
        raise CodecError("orders.parquet", ", ".join(_CANDIDATE_COLUMNS), table.column_names)
    nonces, pay, receive, budgets = (
        np.asarray(table.column(name).to_numpy()) for name in _CANDIDATE_COLUMNS[2:]
    )
    states = np.full(table.num_rows, PLACE[state], dtype=np.uint8)
    ids, owners = (_keys(table.column(name)) for name in _CANDIDATE_COLUMNS[:2])
    return OrderTable(epoch, ids, owners, nonces, pay, receive, budgets, states)


def empty_table(epoch: int) -> OrderTable:
    """No orders."""
    keys, words = np.empty((0, 32), dtype=np.uint8), np.empty(0, dtype=np.uint64)
    assets, states = np.empty(0, dtype=np.uint16), np.empty(0, dtype=np.uint8)
    return OrderTable(epoch, keys, keys, words, assets, assets, words, states)


def _keys(chunked: Any) -> NDArray[np.uint8]:
    array = chunked.combine_chunks()
    raw = np.frombuffer(array.buffers()[1] or b"", dtype=np.uint8)
    return raw[32 * array.offset : 32 * (array.offset + len(array))].reshape(-1, 32)


def _states(
    status: Texts, then: Texts, reason: Texts, receive: NDArray[np.uint16]
) -> NDArray[np.uint8]:
    """State of each receipt, u8[K]."""
    is_status, is_then = _matcher(status), _matcher(then)
    found = np.full(len(receive), PLACE[OrderState.UNFILLED], dtype=np.uint8)
    for place, rows in (
        (OrderState.FILLED, is_status(Status.FILLED)),
        (OrderState.PARTIAL, is_status(Status.PARTIAL)),
        (OrderState.CONSUMED, (receive == NO_ASSET) & is_then(Then.CONSUMED)),
        (OrderState.CARRIED, is_then(Then.CARRIED)),
        (OrderState.PARKED, is_status(Status.PARKED) & is_then(Then.CARRIED)),
        (OrderState.EXPIRED, is_then(Then.EXPIRED)),
        (OrderState.REJECTED, is_status(Status.REJECTED)),
        (OrderState.CANCELLED, (receive != NO_ASSET) & _matcher(reason)(_CANCELLED)),
    ):
        found[rows] = PLACE[place]
    return found


def _matcher(column: Texts) -> Any:
    names = list(column.names)

    def matches(text: str) -> NDArray[np.bool_]:
        code = names.index(text) if text in names else -1
        return cast(NDArray[np.bool_], column.codes == code)

    return matches
