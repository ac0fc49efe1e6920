"""The whole protocol in one call: verifiables in, verifiables with their executed diffs out.

:func:`execute` is for a caller who has signed orders and an opening at hand and wants the array
that the gateway takes. The pipeline (``flows``) does the same in seven stages that survive a crash.
Here one order that cannot be executed stops the call; there it becomes a reject.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convexfx_core.admission.book import Batch, admit
from convexfx_core.clearing import propose
from convexfx_core.errors import ExecutionCode, ExecutionError, ParkCode, RejectCode, RejectedOrder
from convexfx_core.identity import Address
from convexfx_core.ledger.vaults import Opening
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.orders.signed import Domain, SignedOrder
from convexfx_core.orders.signed_columns import OrderColumns
from convexfx_core.records.gateway_array import payout_payloads, verifiables_with_diffs
from convexfx_core.transition import apply_epoch
from convexfx_core.wire.orders import parse_items
from convexfx_core.wire.vaults import VERIFIABLES_WITH_DIFFS, VerifiableWithDiffs
from convexfx_core.witness.build import clearing_case

_CODES = {  # reasons of admission as an execution names them; any other is MESSAGE_FORMAT
    RejectCode.ASSET_UNKNOWN: ExecutionCode.ASSET_UNKNOWN,
    RejectCode.NONCE_STALE: ExecutionCode.NONCE_NOT_NEXT,
    RejectCode.NONCE_TAKEN: ExecutionCode.NONCE_NOT_NEXT,
    ParkCode.NONCE_GAP: ExecutionCode.NONCE_NOT_NEXT,
    ParkCode.BEHIND_PARKED: ExecutionCode.NONCE_NOT_NEXT,
    ParkCode.INSUFFICIENT_BALANCE: ExecutionCode.BALANCE,
}


@dataclass(frozen=True, slots=True)
class ExecutionState:
    """What an execution stands on.

    Attributes
    ----------
    opening : state, parameters and reference of the epoch.
    pool_key : the operator's public key, 32 bytes.
    sign : the operator's Ed25519 signature of bytes; the only thing here that knows a secret.
    """

    opening: Opening
    pool_key: bytes
    sign: Callable[[bytes], bytes]


def execute(verifiables: Sequence[Any], state: ExecutionState) -> tuple[VerifiableWithDiffs, ...]:
    """Clear signed orders as one epoch and return what the gateway takes, in order.

    Orders that are not consumed (out of the money, last of their vault) are not in the answer.

    Parameters
    ----------
    verifiables : VERIFIABLE objects as plain JSON values, in any sequence.
    state : where the epoch starts, and how the operator signs.

    Raises
    ------
    ExecutionError
        A verifiable cannot be executed: MESSAGE_FORMAT, ASSET_UNKNOWN, VAULT_MISSING, BALANCE or
        NONCE_NOT_NEXT. All or nothing.
    ClearingRefused, LawViolated
        There is no certified clearing.
    """
    opening = state.opening
    batch = _admitted(_parsed(verifiables, opening), opening)
    proposal = propose(clearing_case(opening, batch.orders.rows))
    result = apply_epoch(opening, batch, proposal)
    signatures = [state.sign(payload) for payload in payout_payloads(opening, result)]
    array = verifiables_with_diffs(opening, batch, result, state.pool_key, signatures)
    return tuple(VERIFIABLES_WITH_DIFFS.validate_python(array))


def _parsed(verifiables: Sequence[Any], opening: Opening) -> SealedOrders:
    pool = Address(opening.pool.owner, opening.shard)
    domain = Domain(opening.network_id, pool, opening.registry)
    orders: list[SignedOrder] = []
    for place, found in enumerate(parse_items(verifiables, domain)):
        if isinstance(found, RejectedOrder):
            code = _CODES.get(RejectCode(found.code), ExecutionCode.MESSAGE_FORMAT)
            raise ExecutionError(
                code, f"verifiable {place}: {found.field}", found.expected, found.observed
            ) from found
        orders.append(found)
    columns = OrderColumns.of(orders)
    return SealedOrders(
        columns.rows,
        columns.order_ids,
        np.full(len(columns), opening.epoch, dtype=np.uint64),
        columns.payloads,
        columns.pub_keys,
        columns.signatures,
    )


def _admitted(candidates: SealedOrders, opening: Opening) -> Batch:
    """The batch of all candidates; the first that is left out says why."""
    missing = opening.vaults.find(candidates.rows["owner"]) < 0
    if missing.any():
        order_id = candidates.order_ids[int(np.argmax(missing))].tobytes().hex()
        raise ExecutionError(
            ExecutionCode.VAULT_MISSING, f"order {order_id}", "a vault of its owner", "none"
        )
    batch = admit(candidates, opening)
    for left_out in (batch.rejected, batch.parked):
        if len(left_out):
            reason = left_out.code(0)
            order_id = left_out.orders.order_ids[0].tobytes().hex()
            code = _CODES.get(reason, ExecutionCode.MESSAGE_FORMAT)
            raise ExecutionError(code, f"order {order_id}", "an order of this epoch", reason)
    return batch
