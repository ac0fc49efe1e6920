"""Deployments and result storage of a local stack, as ``prefect.yaml`` has them for a real one.

A deployment tells the Prefect server which flow to run, when, and on which work pool. The exchange
starts this module as a process of its own, once the server answers and the workers are there.
"""

import sys
from datetime import timedelta
from typing import Final

from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.types.entrypoint import EntrypointType

from convexfx.local.automations import automate
from convexfx.local.prefect_server import EPOCH_POOL, PROVE_POOL
from flows.epoch import epoch
from flows.prove import prove
from tasks.adapters.prover_local import SIGNED_MODES
from tasks.adapters.result_bucket import ResultBucket

RESULTS_BLOCK: Final = "convexfx-results"


def results_block_slug() -> str:
    """Value of ``PREFECT_DEFAULT_RESULT_STORAGE_BLOCK``."""
    return f"{ResultBucket.get_block_type_slug()}/{RESULTS_BLOCK}"


def deploy(bucket: str, interval_s: int | None, mode: str) -> None:
    """Save the result storage, deployments and automations on the server in use.

    Parameters
    ----------
    bucket : results go under ``results/`` there, as JSON.
    interval_s : seconds between scheduled epochs; None: no schedule.
    mode : proof mode; only a real proof needs the flow ``prove`` as a deployment.
    """
    ResultBucket(bucket=bucket).save(RESULTS_BLOCK, overwrite=True)
    _epoch_deployment(interval_s).apply(work_pool_name=EPOCH_POOL)
    if mode not in SIGNED_MODES:
        _prove().apply(work_pool_name=PROVE_POOL)
    automate()


def _epoch_deployment(interval_s: int | None) -> RunnerDeployment:
    deployment = epoch.to_deployment(
        name="epoch",
        interval=timedelta(seconds=interval_s) if interval_s else None,
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
        ),
        description="Collect, clear, validate, diff, prove, submit, settle one epoch.",
        tags=["convexfx"],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(deployment, RunnerDeployment)
    return deployment


def _prove() -> RunnerDeployment:
    deployment = prove.to_deployment(
        name="prove",
        description="Make, verify and store one proof; the mode is named in the request.",
        tags=["convexfx"],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(deployment, RunnerDeployment)
    return deployment


def main(arguments: list[str]) -> None:
    """``python -m convexfx.local.deployments BUCKET INTERVAL_S MODE``: deploy to the server in use.

    INTERVAL_S 0 means that there is no schedule.
    """
    bucket, interval, mode = arguments
    deploy(bucket, int(interval) or None, mode)


if __name__ == "__main__":
    main(sys.argv[1:])
