"""Stage of the proving pool: witness in, proof object out."""

import time
from typing import Any, Final
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from convexfx_core.errors import PeerUnreachable
from tasks.injected_faults import fault_point
from tasks.ports import ProofJob
from tasks.process import proving
from tasks.stage import stage

SHOWN_EVERY_S: Final = 1.0


@stage("make-proof")
def make_proof(job: dict[str, Any]) -> dict[str, Any]:
    """Make the proof unless it is stored already; its description.

    The proof object is written by conditional put, so two workers on one job leave one proof. A
    prover that is lost in the middle, or runs out of memory, is asked again.
    """
    wanted = ProofJob(**job)
    shown = f"epoch {wanted.epoch}: {wanted.mode}"
    progress = create_progress_artifact(progress=0.0, key=f"proof-{wanted.mode}", description=shown)
    assert isinstance(progress, UUID)
    prover = proving()
    fault_point("prove.asked")
    prover.request(wanted, ProgressArtifact(progress, shown))
    fault_point("prove.made")
    made = prover.result(wanted)
    if made is None:
        raise PeerUnreachable("prover", f"a stored proof of job {wanted.job_id}", "nothing")
    update_progress_artifact(artifact_id=progress, progress=100.0, description=shown)
    return made.description


class ProgressArtifact:
    """Shows a prover's progress in the orchestrator, at most once a second.

    Parameters
    ----------
    artifact : its id. description : what its description begins with.
    """

    def __init__(self, artifact: UUID, description: str) -> None:
        self._artifact = artifact
        self._description = description
        self._next = 0.0

    def __call__(self, fraction: float, stage: str) -> None:
        """Take an event of the prover; the end is shown by whoever stored the proof."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + SHOWN_EVERY_S
        percent = min(99.0, max(0.0, 100.0 * fraction))
        text = f"{self._description}, {stage}" if stage else self._description
        update_progress_artifact(artifact_id=self._artifact, progress=percent, description=text)
