"""From an epoch's result to the array that the gateway takes: verifiables with their diffs.

Source: ``docs/spec.md`` section 3: all consumed allowances in canonical order, then the payouts of
the filled ones in the same order, the pool's nonces consecutive.
"""

from collections.abc import Sequence
from typing import Any

from convexfx_core.book import Batch
from convexfx_core.errors import ExecutionCode, ExecutionError
from convexfx_core.identity import Address, OwnerId
from convexfx_core.orders import payout_terms
from convexfx_core.payload import Allowance, DebitAllowance
from convexfx_core.state import Opening
from convexfx_core.transition import EpochResult
from convexfx_core.wire_orders import token_diffs_json, verifiable_json

Json = dict[str, Any]


def payout_allowances(opening: Opening, result: EpochResult) -> list[DebitAllowance]:
    """What the operator allows for each filled order, in order: received, to the order's owner."""
    pool = Address(OwnerId(opening.pool.owner), opening.shard)
    payouts = result.payouts
    tokens = [asset.token for asset in opening.registry.assets]
    return [
        DebitAllowance(
            network_id=opening.network_id,
            debited=pool,
            credited=Address(OwnerId(owner.tobytes()), opening.shard),
            new_nonce=nonce,
            allowances=(Allowance(tokens[asset], amount),),
            auxiliary=payout_terms(order_id.tobytes()).to_bytes(),
        )
        for owner, nonce, asset, amount, order_id in zip(
            payouts.owners,
            payouts.nonce.tolist(),
            payouts.asset.tolist(),
            payouts.amount.tolist(),
            payouts.order_ids,
            strict=True,
        )
    ]


def verifiables_with_diffs(
    opening: Opening,
    batch: Batch,
    result: EpochResult,
    pool_key: bytes,
    signatures: Sequence[bytes],
) -> list[Json]:
    """The ordered array for the gateway.

    Parameters
    ----------
    pool_key : the operator's public key, 32 bytes.
    signatures : of :func:`payout_allowances`, 64 bytes each.

    Raises
    ------
    ExecutionError
        ``MESSAGE_FORMAT`` unless there is one signature for each payout.
    """
    payouts = payout_allowances(opening, result)
    if len(signatures) != len(payouts):
        raise ExecutionError(
            ExecutionCode.MESSAGE_FORMAT, "payout signatures", str(len(payouts)), len(signatures)
        )
    pool = Address(OwnerId(opening.pool.owner), opening.shard)
    allowances = _consumed(opening, batch, result, pool)
    paid_out = [
        _executed(payout, pool_key, signature, pool, payout.credited, payout.allowances[0].amount)
        for payout, signature in zip(payouts, signatures, strict=True)
    ]
    return allowances + paid_out


def _consumed(opening: Opening, batch: Batch, result: EpochResult, pool: Address) -> list[Json]:
    orders = batch.orders.take(result.consumed)
    columns = zip(
        orders.payloads, orders.pub_keys, orders.signatures, result.fills.paid.tolist(), strict=True
    )
    made = []
    for payload, key, signature, paid in columns:
        allowance = DebitAllowance.from_bytes(payload.tobytes())
        user = allowance.debited
        made.append(_executed(allowance, key.tobytes(), signature.tobytes(), user, pool, paid))
    return made


def _executed(
    allowance: DebitAllowance,
    key: bytes,
    signature: bytes,
    debited: Address,
    credited: Address,
    amount: int,
) -> Json:
    token = allowance.allowances[0].token
    diffs = [token_diffs_json(debited, {token: -amount})]
    if amount:
        diffs.append(token_diffs_json(credited, {token: amount}))
    return {"verifiable": verifiable_json(allowance, key, signature), "state_diffs": diffs}
