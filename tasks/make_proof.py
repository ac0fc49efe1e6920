"""Stage of the proving pool: witness in, proof object out."""

from typing import Any
from uuid import UUID

from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from convexfx_core.errors import PeerUnreachable
from tasks.context import proving
from tasks.ports import ProofJob
from tasks.stage import RETRIES, RETRY_DELAYS_S, RETRY_JITTER, worth_retrying


@task(
    name="make-proof",
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER,
    retry_condition_fn=worth_retrying,
    persist_result=False,
)
def make_proof(job: dict[str, Any]) -> dict[str, Any]:
    """Make the proof unless it is stored already; its description.

    The proof object is written by conditional put, so two workers on one job leave one proof.
    """
    wanted = ProofJob(**job)
    progress = create_progress_artifact(
        progress=0.0, key=f"proof-{wanted.mode}", description=f"epoch {wanted.epoch}: {wanted.mode}"
    )
    prover = proving()
    prover.request(wanted)
    made = prover.result(wanted)
    if made is None:
        raise PeerUnreachable("prover", f"a stored proof of job {wanted.job_id}", "nothing")
    assert isinstance(progress, UUID)
    update_progress_artifact(artifact_id=progress, progress=100.0)
    return made.description
