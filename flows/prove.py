"""The flow that makes one proof, verifies it and stores it under the job's id.

A worker of the proving pool runs it. The modes without a proof need no flow: the epoch's own run
calls the one stage that stands here.
"""

from typing import Any

from prefect import flow

from tasks.make_proof import make_proof


@flow(name="prove", retries=0, persist_result=True, result_serializer="json", log_prints=False)
def prove(job: dict[str, Any]) -> dict[str, Any]:
    """Prove the job that ``proofs/{job_id}/{mode}/request.json`` describes."""
    return make_proof(job)
