"""Stage 5: ask the proving pool for a proof and wait for the proof object."""

from contextlib import suppress
from time import monotonic_ns
from typing import Any, Final

from convexfx_core.errors import CommitUnknown, ExecutionCode, ExecutionError, PeerUnreachable
from tasks.chain import manifest_of
from tasks.context import Context
from tasks.injected_faults import fault_point
from tasks.objects import Ref, as_object, epoch_key, proof_prefix, sha256_hex
from tasks.ports import Clock, ProofJob, ProofResult, Prover, Store
from tasks.process import current
from tasks.proof_check import check_description, require_agreed
from tasks.proof_job import claim_job
from tasks.stage import milliseconds_since, stage

FIRST_POLL_S: Final = 0.05
POLL_S: Final = 0.5
"""Pauses double from the first to this one: who waits for seconds hardly waits longer."""
REQUEST_AGAIN_S: Final = 10.0
"""Requests are idempotent; a run that died is noticed by the next one."""
WAIT_S_MAX: Final = {"attested": 300.0, "executed": 600.0}
WAIT_S_PROOF_MAX: Final = 4 * 3_600.0


@stage("prove")
def prove(sealed: dict[str, Any], diffs: dict[str, Any]) -> dict[str, Any] | None:
    """A proof object of the epoch's witness in the configured mode; None when nothing settles.

    The job id is derived from program and SDL hash, so asking twice makes one proof. Where an
    earlier epoch took that id for another witness, the epoch enters the id (``tasks.proof_job``).
    The mode never changes silently: the proof names it. What an intent named stays, whatever the
    settings say now.

    Raises
    ------
    LawViolated, ExecutionError
        The guest says that a law is broken, or stopped, or another program was agreed on since the
        seal: the epoch is aborted.
    PublicValueMismatch
        The proof's public values are not those of the witness.
    ProofError
        The proof names another mode or program.
    """
    fault_point("prove")
    start, ctx = monotonic_ns(), current()
    if diffs["sdl_hash"] is None:
        return None
    intended = proof_of_intent(ctx.store, sealed["epoch"])
    if intended is not None:
        return intended | {"milliseconds": milliseconds_since(start)}
    require_program(ctx, manifest_of(ctx.store, sealed["epoch"]))
    sdl_hash, witness = bytes.fromhex(diffs["sdl_hash"]), diffs["witness"]
    job = claim_job(ctx.store, ctx.program_hash, sdl_hash, ctx.proof_mode, sealed["epoch"], witness)
    made = await_result(ctx.prover, ctx.clock, job)
    values = bytes.fromhex(diffs["public_values"])
    check_description(made.description, ctx.proof_mode, ctx.program_hash, values)
    fault_point("prove.done")
    return {
        "job_id": job.job_id,
        "mode": job.mode,
        "proof": reference_to(ctx.store, made.proof_key),
        "proof_description": reference_to(ctx.store, made.description_key),
        "milliseconds": milliseconds_since(start),
    }


def proof_of_intent(store: Store, epoch: int) -> dict[str, Any] | None:
    """The proof that an earlier attempt began to submit, None if none got so far."""
    key = epoch_key(epoch, "intent.json")
    body = store.get(key)
    if body is None:
        return None
    intent = as_object(body, key)
    described = proof_prefix(intent["job_id"], intent["mode"]) + "proof.json"
    return {
        "job_id": intent["job_id"],
        "mode": intent["mode"],
        "proof": intent["proof"],
        "proof_description": reference_to(store, described),
    }


def require_program(ctx: Context, found: tuple[Ref, dict[str, Any]] | None) -> None:
    """The program of the settings is the one of the epoch's manifest, if one is there.

    Raises
    ------
    ExecutionError
        Another one was agreed on since: the epoch cannot settle under either.
    AgreementError
        It is not the agreement's, so that nothing can settle for now.
    """
    if found is not None and found[1]["program_hash"] != ctx.program_hash.hex():
        require_agreed(ctx)
        expected = f"{found[1]['program_hash']}, as sealed"
        code = ExecutionCode.MESSAGE_FORMAT
        raise ExecutionError(code, "program_hash", expected, ctx.program_hash.hex())


def reference_to(store: Store, key: str) -> Ref:
    """Reference to what stands under ``key``."""
    return Ref(key=key, sha256=sha256_hex(store.get(key) or b""))


def await_result(prover: Prover, clock: Clock, job: ProofJob) -> ProofResult:
    """Request the proof unless it is stored, and wait for it by the clock's monotonic time.

    A prover that does not answer while a proof is awaited is no failure: it may be under way.

    Raises
    ------
    PeerUnreachable
        The first request did not reach the prover.
    CommitUnknown
        It did not come in time; ask again.
    """
    if (made := prover.result(job)) is not None:
        return made
    limit_s, pause = WAIT_S_MAX.get(job.mode, WAIT_S_PROOF_MAX), FIRST_POLL_S
    begun = clock.monotonic()
    prover.request(job)
    asked = clock.monotonic()
    while True:
        if clock.monotonic() - asked >= REQUEST_AGAIN_S:
            with suppress(PeerUnreachable):
                prover.request(job)
            asked = clock.monotonic()
        # Before the limit is asked for: a prover may make the proof while it takes the request.
        if (made := prover.result(job)) is not None:
            return made
        if clock.monotonic() - begun >= limit_s:
            break
        clock.sleep(pause)
        pause = min(2 * pause, POLL_S)
    raise CommitUnknown(f"proof {job.job_id}", f"a proof within {limit_s:.0f} s", "none")
