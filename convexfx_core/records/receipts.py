"""Receipts: what became of every candidate of an epoch, and why.

Nobody has to guess why an order was not filled: each candidate has one row with its fate, a reason
from a closed list, and where it helps the limit that would have filled. They follow from batch and
result alone. Columns: ``docs/tables.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray

from convexfx_core.admission.book import Batch
from convexfx_core.admission.row_rules import expired
from convexfx_core.encoding.key_columns import canonical_order, key_bytes, take_rows
from convexfx_core.encoding.parquet_table import (
    Texts,
    Values,
    read_table,
    table_schema,
    write_table,
)
from convexfx_core.limits import ORDERS_MAX
from convexfx_core.market.decimal_text import plain
from convexfx_core.orders.codes import PARK_CODES, REJECT_CODES
from convexfx_core.orders.row import KIND_CANCEL, KIND_ORDER, ORDER_DTYPE
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.fill_reasons import FillReason, fill_reasons, filling_limits
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import Settlement

RECEIPTS: Final = table_schema(
    "receipts", 1,
    {"epoch": "u64", "order_id": "bytes:32", "owner": "bytes:32", "nonce": "u64", "pay": "u16",
     "receive": "u16", "budget": "u64", "status": "text:16", "reason": "text:32", "then": "text:16",
     "paid": "u64", "received": "u64", "fee": "u64", "filling_limit": "text:32"},
)  # fmt: skip
"""``epochs/{n}/receipts.parquet``: one row for each distinct candidate, in canonical order."""


class Status(StrEnum):
    """What the epoch did with a candidate."""

    FILLED = "filled"
    PARTIAL = "partial"
    UNFILLED = "unfilled"
    CANCEL = "cancel"
    PARKED = "parked"
    REJECTED = "rejected"


class Then(StrEnum):
    """What comes after: the nonce is used, the order lives on, or it is over without one."""

    CONSUMED = "consumed"
    CARRIED = "carried"
    EXPIRED = "expired"
    REFUSED = "refused"


STATUSES: Final = tuple(Status)
THENS: Final = tuple(Then)
ABORTED: Final = "aborted"
REASONS: Final = (
    *(reason.text for reason in FillReason),
    *(f"rejected:{code}" for code in REJECT_CODES),
    *(f"parked:{code}" for code in PARK_CODES),
    ABORTED,
)
_BEFORE_REJECTS: Final = len(FillReason) - 1
_BEFORE_PARKS: Final = _BEFORE_REJECTS + len(REJECT_CODES)
"""Numbers of codes count from 1."""
_ABORTED: Final = len(REASONS) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Receipts:
    """K receipts in canonical order; every column has K rows.

    Attributes
    ----------
    epoch : number of the epoch.
    rows : order rows. order_ids : u8[K, 32].
    status, reason, then : u8[K], places in ``STATUSES``, ``REASONS`` and ``THENS``.
    paid, received, fee : u64[K] base units; ``received`` is net of ``fee``, both of receive asset.
    limits : i32[K], places in ``limit_texts``.
    limit_texts : limit ratios that would have filled, pay units per receive unit; first one empty.
    """

    epoch: int
    rows: NDArray[np.void]
    order_ids: NDArray[np.uint8]
    status: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    then: NDArray[np.uint8]
    paid: NDArray[np.uint64]
    received: NDArray[np.uint64]
    fee: NDArray[np.uint64]
    limits: NDArray[np.int32]
    limit_texts: tuple[str, ...]

    def __len__(self) -> int:
        """Number of receipts."""
        return len(self.rows)

    def facts(self, position: int) -> dict[str, Any]:
        """One receipt as plain values: ids in hexadecimal, amounts in base units."""
        row = self.rows[position]
        return {
            "epoch": self.epoch,
            "order_id": self.order_ids[position].tobytes().hex(),
            "owner": row["owner"].tobytes().hex(),
            "nonce": int(row["nonce"]),
            "pay": int(row["pay"]),
            "receive": int(row["receive"]),
            "budget": int(row["budget"]),
            "status": str(STATUSES[self.status[position]]),
            "reason": REASONS[self.reason[position]] or None,
            "then": str(THENS[self.then[position]]),
            "paid": int(self.paid[position]),
            "received": int(self.received[position]),
            "fee": int(self.fee[position]),
            "filling_limit": self.limit_texts[self.limits[position]] or None,
        }

    def take(self, index: NDArray[np.int64]) -> Self:
        """The receipts at positions."""
        return type(self)(
            self.epoch,
            take_rows(self.rows, index),
            self.order_ids[index],
            self.status[index],
            self.reason[index],
            self.then[index],
            self.paid[index],
            self.received[index],
            self.fee[index],
            self.limits[index],
            self.limit_texts,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Clearing:
    """What a settled epoch did with the kind-1 orders of its batch, and what it consumed."""

    case: ClearingCase
    proposal: Proposal
    settlement: Settlement
    consumed: NDArray[np.bool_]


def receipts_of(batch: Batch, clearing: Clearing | None) -> Receipts:
    """Receipts of all candidates of an epoch; ``clearing`` None: the epoch was aborted."""
    parts = [
        _of_batch(batch, clearing) if clearing else _of_aborted(batch),
        _of_parked(batch),
        _of_rejected(batch),
    ]
    joined = _join(batch.epoch, parts)
    return joined.take(canonical_order(joined.rows["owner"], joined.rows["nonce"]))


def write_receipts(receipts: Receipts, lineage: Mapping[str, str] | None = None) -> bytes:
    """Parquet bytes of receipts."""
    columns: dict[str, Values] = {
        "epoch": np.full(len(receipts), receipts.epoch, dtype=np.uint64),
        "order_id": receipts.order_ids,
        "owner": key_bytes(receipts.rows["owner"]),
        "status": Texts(receipts.status.astype(np.int32), STATUSES),
        "reason": Texts(receipts.reason.astype(np.int32), REASONS),
        "then": Texts(receipts.then.astype(np.int32), THENS),
        "filling_limit": Texts(receipts.limits, receipts.limit_texts),
    }
    columns |= {name: receipts.rows[name] for name in ("nonce", "pay", "receive", "budget")}
    columns |= {name: getattr(receipts, name) for name in ("paid", "received", "fee")}
    return write_table(RECEIPTS, columns, lineage)


def read_receipts(data: bytes) -> list[dict[str, Any]]:
    """Receipts from :func:`write_receipts`, each as :meth:`Receipts.facts` gives it.

    Raises
    ------
    CodecError
        Anything else than such a table, or another row hash.
    """
    columns = read_table(RECEIPTS, data, rows_max=ORDERS_MAX)
    plain = {name: _plain(values) for name, values in columns.items()}
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def _plain(values: Values) -> list[Any]:
    if isinstance(values, Texts):
        return [text or None for text in values.texts()]
    column = cast(NDArray[Any], values)
    return [row.tobytes().hex() for row in column] if column.ndim == 2 else column.tolist()


def _of_batch(batch: Batch, clearing: Clearing) -> Receipts:
    orders, count = batch.orders, len(batch.orders)
    clears = orders.rows["kind"] == KIND_ORDER
    reason, limits = np.zeros(count, dtype=np.uint8), np.zeros(count, dtype=np.int32)
    paid, received, fee = (np.zeros(count, dtype=np.uint64) for _ in range(3))
    paid[clears], received[clears] = clearing.proposal.paid, clearing.settlement.received
    fee[clears] = clearing.settlement.fee
    reason[clears] = fill_reasons(clearing.case, clearing.proposal, clearing.settlement)
    n = clearing.case.params.n
    ratios = filling_limits(clearing.case, clearing.settlement)
    place = np.zeros(n * n, dtype=np.int32)
    place[[pay * n + receive for pay, receive in ratios]] = np.arange(1, len(ratios) + 1)
    wants = reason == FillReason.LIMIT
    rows = orders.rows[wants]
    limits[wants] = place[rows["pay"].astype(np.int64) * n + rows["receive"]]
    status = np.full(count, STATUSES.index(Status.UNFILLED), dtype=np.uint8)
    status[paid > 0] = STATUSES.index(Status.PARTIAL)
    status[clears & (reason == FillReason.NONE)] = STATUSES.index(Status.FILLED)
    status[orders.rows["kind"] == KIND_CANCEL] = STATUSES.index(Status.CANCEL)
    then = _afterwards(orders, batch.epoch)
    then[clearing.consumed] = THENS.index(Then.CONSUMED)
    texts = ("", *(plain(ratio) for ratio in ratios.values()))
    return Receipts(
        batch.epoch, orders.rows, orders.order_ids, status, reason, then, paid, received, fee,
        limits, texts,
    )  # fmt: skip


def _of_aborted(batch: Batch) -> Receipts:
    orders = batch.orders
    reason = np.full(len(orders), _ABORTED, dtype=np.uint8)
    return _unpaid(batch, orders, Status.UNFILLED, reason, _afterwards(orders, batch.epoch))


def _of_parked(batch: Batch) -> Receipts:
    orders, reason = batch.parked.orders, batch.parked.codes + np.uint8(_BEFORE_PARKS)
    return _unpaid(batch, orders, Status.PARKED, reason, _afterwards(orders, batch.epoch))


def _of_rejected(batch: Batch) -> Receipts:
    orders, reason = batch.rejected.orders, batch.rejected.codes + np.uint8(_BEFORE_REJECTS)
    then = np.full(len(orders), THENS.index(Then.REFUSED), dtype=np.uint8)
    return _unpaid(batch, orders, Status.REJECTED, reason, then)


def _afterwards(orders: SealedOrders, epoch: int) -> NDArray[np.uint8]:
    ends = expired(orders.rows["valid_until"], orders.sealed_epoch, epoch + 1)
    return np.where(ends, THENS.index(Then.EXPIRED), THENS.index(Then.CARRIED)).astype(np.uint8)


def _unpaid(
    batch: Batch,
    orders: SealedOrders,
    status: Status,
    reason: NDArray[np.uint8],
    then: NDArray[np.uint8],
) -> Receipts:
    statuses = np.full(len(orders), STATUSES.index(status), dtype=np.uint8)
    nothing = np.zeros(len(orders), dtype=np.uint64)
    limits = np.zeros(len(orders), dtype=np.int32)
    return Receipts(
        batch.epoch, orders.rows, orders.order_ids, statuses, reason, then, nothing, nothing,
        nothing, limits, ("",),
    )  # fmt: skip


def _join(epoch: int, parts: list[Receipts]) -> Receipts:
    """All receipts; only the first part has limits that would have filled.

    numpy joins tables in the machine's own byte order unless the dtype is named.
    """
    names = ("order_ids", "status", "reason", "then", "paid", "received", "fee", "limits")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    rows = np.concatenate([part.rows for part in parts], dtype=ORDER_DTYPE)
    return Receipts(epoch=epoch, rows=rows, limit_texts=parts[0].limit_texts, **columns)
