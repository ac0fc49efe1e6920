"""The flow of the proving pool: make one proof, verify it, store it under the job's id."""

from typing import Any

from prefect import flow

from tasks.make_proof import make_proof


@flow(name="prove", retries=0, persist_result=True, result_serializer="json", log_prints=False)
def prove(job: dict[str, Any]) -> dict[str, Any]:
    """Prove the job that ``proofs/{job_id}/{mode}/request.json`` describes."""
    return make_proof(job)
