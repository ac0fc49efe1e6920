"""``convexfx prove``: ask for a proof of an epoch that was cleared and settled."""

from convexfx_core.errors import CommitConflict
from convexfx_core.identity import base58_decode
from tasks.adapters.clock import SystemClock
from tasks.adapters.keys import read_key
from tasks.adapters.law_program import program_hash
from tasks.adapters.proof_modes import host_or_none, require_mode
from tasks.adapters.prover_local import LocalProver
from tasks.adapters.prover_prefect import PrefectProver
from tasks.adapters.settings import Settings
from tasks.chain import outcome_of
from tasks.ports import Progress, ProofJob, ProofResult, Store
from tasks.proof_job import claim_job
from tasks.prove import await_result


def job_of_epoch(store: Store, number: int, mode: str, program: bytes) -> ProofJob:
    """The proof job of a settled epoch.

    Raises
    ------
    CommitConflict
        The epoch settled no state diffs, so there is nothing to prove.
    """
    outcome = outcome_of(store, number)
    if outcome is None or not outcome["sdl_hash"]:
        seen = outcome["status"] if outcome else "no outcome"
        raise CommitConflict(f"epoch {number}", "an epoch that settled state diffs", seen)
    sdl_hash = base58_decode(outcome["sdl_hash"], 32, "sdl_hash")
    return claim_job(store, program, sdl_hash, mode, number, outcome["witness"])


def prove_epoch(
    settings: Settings, store: Store, number: int, *, pool: bool, progress: Progress
) -> ProofResult:
    """Make the proof in the settings' mode, here or on the proving pool, unless it is stored.

    Parameters
    ----------
    pool : whether the deployment ``prove/prove`` is asked instead of this machine.

    Raises
    ------
    ConfigurationError
        This machine cannot run the mode.
    LawViolated, ExecutionError, ProofError
        There is no proof.
    """
    mode = settings.proof_mode
    job = job_of_epoch(store, number, mode, program_hash(mode, settings.law_program))
    if pool:
        return await_result(PrefectProver(store), SystemClock(), job)
    require_mode(settings)
    attestor = read_key(settings.attestor) if settings.attestor.exists() else None
    prover = LocalProver(store, attestor, program_hash("attested"), host_or_none(settings))
    prover.request(job, progress)
    return await_result(prover, SystemClock(), job)
