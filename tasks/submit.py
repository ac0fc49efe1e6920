"""Stage 6: sign the payouts, write the intent, carry the SDL to its end.

It is the one stage that acts on the world outside. So it writes down first what it is about to send
(the intent), and asks the network before it repeats anything (``tasks.delivery``).
"""

from base64 import b64encode
from dataclasses import replace
from time import monotonic_ns
from typing import Any

from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.identity import base58_encode
from convexfx_core.ledger.vaults import Opening
from convexfx_core.market.reference import reference_to_bytes
from convexfx_core.records.gateway_array import payout_payloads, verifiables_with_diffs
from convexfx_core.transition import EpochResult
from tasks.chain import outcome_of, sealed_epoch
from tasks.context import Context
from tasks.delivery import Delivery, EpochEnded, deliver, failed
from tasks.epoch_result import epoch_result
from tasks.injected_faults import fault_point
from tasks.objects import Ref, epoch_key, get_json, get_object, put_object, sha256_hex
from tasks.ports import Json, PutResult
from tasks.process import current
from tasks.proof_check import check_before_submitting
from tasks.proof_job import job_name
from tasks.stage import milliseconds_since, stage


@stage("submit")
def submit(
    sealed: dict[str, Any],
    checked: dict[str, Any],
    diffs: dict[str, Any],
    proof: dict[str, Any] | None,
) -> dict[str, Any] | None:
    """Settle the SDL on the network; None when the epoch has none.

    Everything that reconciling after a crash needs is in the intent, which is written before the
    first call of the gateway; its proof was checked then, and the network checks it again.

    Returns
    -------
    The SDL's last phase as ``phase``. ``message`` is the gateway's text of a ``ProvingFailed`` and
    empty in every other phase.

    Raises
    ------
    AgreementError, PublicValueMismatch, ProofError
        The proof must not be submitted; nothing was sent.
    """
    fault_point("submit")
    start, ctx = monotonic_ns(), current()
    if proof is None or outcome_of(ctx.store, sealed["epoch"]) is not None:
        return None
    opening, batch = sealed_epoch(ctx.store, sealed["manifest"])
    result = epoch_result(ctx.store, sealed["manifest"], checked["proposal"])
    values = result.public_values.to_bytes()
    key = epoch_key(sealed["epoch"], "intent.json")
    if not ctx.store.exists(key):
        check_before_submitting(ctx, proof["proof"], proof["proof_description"], values)
    payouts = payout_payloads(opening, result)
    signatures = [ctx.operator.sign(payout) for payout in payouts]
    signed = put_object(
        ctx.store, epoch_key(sealed["epoch"], "payout_signatures.bin"), b"".join(signatures)
    )
    verifiables = verifiables_with_diffs(
        opening, batch, result, ctx.operator.public_key, signatures
    )
    delivery = delivery_of(ctx, opening, result, proof)
    left = failed(ctx.gateway.sdl(delivery.sdl_hash))
    body = intent_bytes(diffs, proof, signed)
    first = ctx.store.put_new(key, body) is PutResult.CREATED
    fault_point("submit.intent")
    try:
        state = deliver(ctx, replace(delivery, replaces=left and first), verifiables)
    except EpochEnded:
        return None
    fault_point("submit.done")
    return {
        "intent": Ref(key=key, sha256=sha256_hex(body)),
        "payout_signatures": signed,
        "phase": state.phase.value,
        "message": state.message,
        "milliseconds": milliseconds_since(start),
    }


def intent_bytes(diffs: dict[str, Any], proof: dict[str, Any], signatures: Ref) -> bytes:
    """Intent of an epoch (``docs/spec.md`` section 9) in canonical JSON."""
    value = {
        "version": 1,
        "sdl": diffs["sdl"],
        "sdl_hash": diffs["sdl_hash"],
        "proof": proof["proof"],
        "job_id": proof["job_id"],
        "mode": proof["mode"],
        "payout_signatures": signatures,
    }
    return json_bytes(value)


def delivery_of(
    ctx: Context, opening: Opening, result: EpochResult, proof: dict[str, Any]
) -> Delivery:
    """What to deliver, and how to recognise it: the first consumed vault's two nonces."""
    values = result.public_values
    envelope: Json = {
        "format": "devnet-v1-proof",
        "mode": proof["mode"],
        "program_hash": get_json(ctx.store, proof["proof_description"])["program_hash"],
        "public_values": values.to_bytes().hex(),
        **proof_fields(proof["mode"], get_object(ctx.store, proof["proof"])),
        "reference": b64encode(reference_to_bytes(opening.reference)).decode(),
        "fees_accrued_after": [str(fee) for fee in result.pool_after.fees_accrued],
    }
    return Delivery(
        sdl_hash=base58_encode(values.sdl_hash),
        witness_owner=base58_encode(result.touched_before.owners[0].tobytes()),
        nonce_before=int(result.touched_before.nonces[0]),
        nonce_after=int(result.touched_after.nonces[0]),
        envelope=json_bytes(envelope),
        opening=opening,
        touched=result.touched_before,
        replaces=False,
        contested=proof["job_id"] != job_name(ctx.program_hash, values.sdl_hash),
    )


def proof_fields(mode: str, body: bytes) -> Json:
    """The envelope's proof: empty in mode ``executed``, whose signature stands beside it."""
    encoded = b64encode(body).decode()
    return {"proof": "", "attestation": encoded} if mode == "executed" else {"proof": encoded}
