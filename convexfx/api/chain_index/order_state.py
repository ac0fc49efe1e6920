"""States of an order as the API tells them, and which of them are the last word.

An order goes ``queued`` -> ``sealed`` -> ``carried`` or ``parked`` -> ``sealed`` ... until a final
state. Of two answers the later one never names an earlier epoch, and a final state stays.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from convexfx_core.errors import RejectCode
from convexfx_core.orders.row import NO_ASSET


class OrderState(StrEnum):
    """The closed list."""

    QUEUED = "queued"
    SEALED = "sealed"
    PARKED = "parked"
    CARRIED = "carried"
    FILLED = "filled"
    PARTIAL = "partial"
    UNFILLED = "unfilled"
    CONSUMED = "consumed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"


STATES: Final = tuple(OrderState)
PLACE: Final = {state: place for place, state in enumerate(STATES)}
OPEN: Final = frozenset(
    {OrderState.QUEUED, OrderState.SEALED, OrderState.PARKED, OrderState.CARRIED}
)
UNDECIDED: Final = frozenset({OrderState.QUEUED, OrderState.SEALED})
"""States in which the order's epoch has no outcome yet; a long poll waits for their end."""
REVOCABLE: Final = frozenset(
    {
        RejectCode.NONCE_TAKEN,
        RejectCode.CANCELLED,
        RejectCode.EXPIRY_TOO_FAR,
        RejectCode.AMOUNT_RANGE,
        RejectCode.ASSET_UNKNOWN,
    }
)
"""Refusals outside an epoch that another delivery of the same message could escape: they depend on
other orders, on prices or on the epoch's number."""
REJECTED_PREFIX: Final = "rejected:"
"""In front of a reject code where a receipt gives its reason."""


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What is known of one order.

    Attributes
    ----------
    order_id, owner : 32 bytes each; an order that only a reject record names has no owner, and what
        follows from its payload is zero.
    nonce : of the vault.
    pay, receive : registry indices; ``receive`` is 65535 for a cancel.
    budget, paid, received, fee : base units; ``received`` is net of ``fee``.
    epoch : the last one that had the order, None before the first seal.
    reason : of the closed list of receipts, None where there is nothing to explain.
    filling_limit : limit ratio that would have filled it, decimal text.
    in_chain : whether an epoch's own objects say so.
    payload : the signed bytes of a queued order.
    """

    order_id: bytes
    owner: bytes
    nonce: int
    pay: int
    receive: int
    budget: int
    state: OrderState
    epoch: int | None = None
    reason: str | None = None
    paid: int = 0
    received: int = 0
    fee: int = 0
    filling_limit: str | None = None
    in_chain: bool = False
    payload: bytes = field(default=b"", repr=False, compare=False)

    @property
    def is_cancel(self) -> bool:
        """Whether it is a cancel."""
        return self.receive == NO_ASSET

    @property
    def final(self) -> bool:
        """Whether no later answer says anything else."""
        if self.state is OrderState.REJECTED and not self.in_chain:
            return (self.reason or "").removeprefix(REJECTED_PREFIX) not in REVOCABLE
        return self.state not in OPEN
