"""The one state transition: an opening, a batch and a proposal become an epoch's result.

This file computes a whole epoch. Admission makes its batch and the clearing its proposal; later
stages prove, submit and record the result. Nothing in it is a choice: amounts follow from the
proposal, diffs and witness from the amounts. The laws are asked about the witness that a verifier
will see, not about the values it was made from.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexfx_core.admission.book import Batch
from convexfx_core.laws.claims import Certificate
from convexfx_core.laws.predicates import Verdict, refuse_unsteady, verdict_of
from convexfx_core.laws.witness_laws import evaluate
from convexfx_core.ledger.diffs import Fills, Payouts, payouts_of, pool_after, vaults_after
from convexfx_core.ledger.vaults import Opening, PoolState, VaultTable
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import Settlement, settle
from convexfx_core.witness.build import build_witness, clearing_case, split_batch
from convexfx_core.witness.layout import encode_witness, with_public_values
from convexfx_core.witness.public_values import PublicValues


@dataclass(frozen=True, slots=True, eq=False)
class EpochResult:
    """Everything that follows from a batch and its proposal.

    Attributes
    ----------
    settlement : rates and amounts of the batch's kind-1 orders, in the batch's sequence.
    certificate : what the laws computed.
    consumed : bool[K] over ``batch.orders``; the others are left and may be carried over.
    fills : the consumed orders with their amounts.
    diffs : diff rows in submission order (:data:`convexfx_core.ledger.rows.DIFF_DTYPE`).
    witness : witness v1 with its public values.
    public_values : what the witness proves.
    sdl_hash : 32 bytes, or None if no order is consumed: then there is nothing to submit or prove.
    verdict : the five predicates.
    touched_before, touched_after : the vaults of the consumed orders' owners.
    pool_before, pool_after : the pool's vault.
    payouts : what the operator signs, outside the core.
    """

    settlement: Settlement
    certificate: Certificate
    consumed: NDArray[np.bool_]
    fills: Fills
    diffs: NDArray[np.void]
    witness: bytes
    public_values: PublicValues
    sdl_hash: bytes | None
    verdict: Verdict
    touched_before: VaultTable
    touched_after: VaultTable
    pool_before: PoolState
    pool_after: PoolState
    payouts: Payouts


def apply_epoch(opening: Opening, batch: Batch, proposal: Proposal) -> EpochResult:
    """Apply a proposal to a batch: exact, pure, all laws checked.

    Parameters
    ----------
    opening : state, parameters and reference of the epoch.
    batch : admitted orders in canonical order.
    proposal : prices and fills for ``clearing_case(opening, batch.orders.rows)``; untrusted.

    Raises
    ------
    ClearingRefused
        The last solver step was not small, or an amount leaves its range.
    LawViolated
        The smallest (law, index) that the proposal breaks.
    ExecutionError
        VAULT_MISSING where the owner of a consumed order has no vault, BALANCE where an amount
        would leave its range.
    """
    refuse_unsteady(proposal)
    rows = batch.orders.rows
    case = clearing_case(opening, rows)
    settlement = settle(case, proposal)
    parts = split_batch(opening, rows, proposal, settlement)
    witness = build_witness(opening, rows, proposal, settlement, parts)
    # The laws read the encoded bytes and derive the public values, which complete the witness.
    draft = encode_witness(witness)
    evaluation = evaluate(draft)
    values = evaluation.public_values
    order_ids = batch.orders.order_ids[parts.consumed]
    return EpochResult(
        settlement=settlement,
        certificate=evaluation.certificate,
        consumed=parts.consumed,
        fills=parts.fills,
        diffs=witness.diffs,
        witness=with_public_values(draft, values.to_bytes()),
        public_values=values,
        sdl_hash=values.sdl_hash if len(parts.fills.rows) else None,
        verdict=verdict_of(case, proposal, evaluation.certificate),
        touched_before=parts.touched,
        touched_after=vaults_after(parts.touched, parts.fills),
        pool_before=opening.pool,
        pool_after=pool_after(opening.pool, parts.fills),
        payouts=payouts_of(parts.fills, order_ids, opening.pool.nonce),
    )
