"""Stage 5: ask the proving pool for a proof and wait for the proof object."""

from hashlib import sha256
from time import monotonic_ns
from typing import Any, Final

from prefect import task

from convexfx_core.errors import CommitUnknown, PublicValueMismatch
from tasks.context import Context, current
from tasks.fault import fault_point
from tasks.objects import Ref, sha256_hex
from tasks.ports import ProofJob, ProofResult
from tasks.stage import (
    RETRIES,
    RETRY_DELAYS_S,
    RETRY_JITTER,
    STAGE_CACHE,
    milliseconds_since,
    worth_retrying,
)

POLL_S: Final = 0.5
REQUEST_AGAIN_S: Final = 10.0
"""Requests are idempotent; a run that died is noticed by the next one."""
WAIT_S_MAX: Final = {"attested": 300.0, "executed": 600.0}
WAIT_S_PROOF_MAX: Final = 3_600.0


@task(
    name="prove",
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER,
    retry_condition_fn=worth_retrying,
    persist_result=True,
    cache_policy=STAGE_CACHE,
)
def prove(sealed: dict[str, Any], diffs: dict[str, Any]) -> dict[str, Any] | None:
    """A proof object of the epoch's witness in the configured mode; None when nothing settles.

    The job id is derived from program and SDL hash, so asking twice makes one proof. The mode never
    changes silently: the proof names it.

    Raises
    ------
    PublicValueMismatch
        The proof's public values are not those of the witness.
    """
    fault_point("prove")
    start, ctx = monotonic_ns(), current()
    if diffs["sdl_hash"] is None:
        return None
    job = ProofJob(
        job_id=sha256(ctx.program_hash + bytes.fromhex(diffs["sdl_hash"])).hexdigest(),
        mode=ctx.proof_mode,
        epoch=sealed["epoch"],
        witness_key=diffs["witness"]["key"],
        witness_sha256=diffs["witness"]["sha256"],
    )
    made = await_proof(ctx, job)
    if made.description["public_values"] != diffs["public_values"]:
        raise PublicValueMismatch("public_values", diffs["public_values"], "others")
    fault_point("prove.done")
    body = ctx.store.get(made.proof_key) or b""
    described = ctx.store.get(made.description_key) or b""
    return {
        "job_id": job.job_id,
        "mode": job.mode,
        "proof": Ref(key=made.proof_key, sha256=sha256_hex(body)),
        "proof_description": Ref(key=made.description_key, sha256=sha256_hex(described)),
        "milliseconds": milliseconds_since(start),
    }


def await_proof(ctx: Context, job: ProofJob) -> ProofResult:
    """Request the proof unless it is stored, and wait for it.

    Raises
    ------
    CommitUnknown
        It did not come in time; ask again.
    """
    limit_s, waited = WAIT_S_MAX.get(job.mode, WAIT_S_PROOF_MAX), 0.0
    while (made := ctx.prover.result(job)) is None:
        if waited >= limit_s:
            raise CommitUnknown(f"proof {job.job_id}", f"a proof within {limit_s:.0f} s", "none")
        if waited % REQUEST_AGAIN_S == 0:
            ctx.prover.request(job)
        ctx.clock.sleep(POLL_S)
        waited += POLL_S
    return made
