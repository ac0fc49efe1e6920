"""The open batch: what would be cleared if the next epoch were sealed now. Nothing is written.

It holds the orders that wait, the reference prices of this moment and the inventory behind the
last epoch, cleared once and kept for a moment: a preview then costs one clearing and not two.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from convexfx.api.chain_index.index import Index
from convexfx_core.clearing import propose
from convexfx_core.identity import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, hash_rows
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.orders.signed import ORDER_PAYLOAD_BYTES
from convexfx_core.orders.signed_columns import byte_rows, decode_payloads
from convexfx_core.records.tables import read_orders, read_state
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.witness.build import clearing_case
from tasks.chain import manifest_of, read_head
from tasks.context import Context
from tasks.objects import get_object, state_key
from tasks.ports import Quotes
from tasks.seal import draft_epoch, prepare

FRESH_S: Final = 1.0
"""How long a look at the open batch serves further previews."""


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """The orders that stand open, and what the clearing makes of them.

    Attributes
    ----------
    epoch : the next one with an outcome. quotes : its reference prices.
    case : its clearing problem. proposal : what the solver finds for it.
    """

    epoch: int
    quotes: Quotes
    case: ClearingCase
    proposal: Proposal


class OpenBatches:
    """Looks at the open batch, at most once a second while nothing changes.

    Parameters
    ----------
    ctx, index : ports and what is known; queued orders are those that this API took in.
    now : monotonic seconds.
    """

    def __init__(
        self, ctx: Context, index: Index, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._ctx = ctx
        self._index = index
        self._now = now
        self._last: tuple[tuple[int, int | None, int], float, OpenBatch] | None = None

    def look(self) -> OpenBatch:
        """The open batch.

        Raises
        ------
        ConfigurationError
            Reference prices are stale or deviate: no epoch would be sealed now.
        ClearingRefused
            The open orders have no acceptable clearing.
        PeerUnreachable, GatewayError
            Store or gateway does not answer.
        """
        state = self._index.head, self._index.sealed_epoch, self._index.waiting
        if self._last and self._last[0] == state and self._now() < self._last[1]:
            return self._last[2]
        found = self._read()
        self._last = state, self._now() + FRESH_S, found
        return found

    def _read(self) -> OpenBatch:
        ctx = self._ctx
        ground = prepare(ctx, read_head(ctx.store))
        epoch = ground.head.epoch + 1
        candidates = SealedOrders.joined([self._sealed_or_carried(epoch), self._queued(epoch)])
        draft = draft_epoch(ctx, ground, candidates)
        case = clearing_case(draft.opening, draft.batch.orders.rows)
        return OpenBatch(epoch, ground.quotes, case, propose(case))

    def _sealed_or_carried(self, epoch: int) -> SealedOrders:
        """The orders of ``epoch`` where it is sealed, else those that it will begin with."""
        sealed = manifest_of(self._ctx.store, epoch)
        if sealed is not None:
            return read_orders(get_object(self._ctx.store, sealed[1]["orders"]))
        body = self._ctx.store.get(state_key(epoch - 1)) if epoch > 1 else None
        return SealedOrders.empty() if body is None else read_state(body)[1]

    def _queued(self, epoch: int) -> SealedOrders:
        """Orders in the inbox that this API put there; their signatures were checked then."""
        payloads = byte_rows(self._index.queued_payloads(), ORDER_PAYLOAD_BYTES)
        rows, codes = decode_payloads(payloads, self._ctx.domain)
        count = len(rows)
        orders = SealedOrders(
            rows,
            hash_rows(payloads),
            np.full(count, epoch, dtype=np.uint64),
            payloads,
            np.zeros((count, PUBLIC_KEY_BYTES), dtype=np.uint8),
            np.zeros((count, SIGNATURE_BYTES), dtype=np.uint8),
        )
        return orders.take(codes == 0)
