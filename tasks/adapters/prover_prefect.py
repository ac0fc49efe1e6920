"""Has proofs made by the stage ``make-proof``, so that Prefect shows, queues and retries them.

Where it runs depends on the mode. A proof takes minutes and many gigabytes: a run of the flow
``prove`` on the work pool ``sp1-gpu`` makes it, wherever its workers are. The modes without a proof
take milliseconds, while the start of another process, or of another run in this one, takes a second
or more: inside :func:`proving_here` the caller's run calls the stage itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from typing import Any, Final

import httpx
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from convexfx_core.errors import PeerUnreachable
from tasks.adapters.prover_local import SIGNED_MODES, raise_failure, stored_proof
from tasks.ports import Json, Progress, ProofJob, ProofResult, Store, no_progress

DEPLOYMENT: Final = "prove/prove"
ATTEMPTS_MAX: Final = 20
_here: ContextVar[Callable[[Json], Any] | None] = ContextVar("convexfx_make_proof", default=None)


@contextmanager
def proving_here(make: Callable[[Json], Any]) -> Iterator[None]:
    """Inside the block ``make`` makes what the modes ``attested`` and ``executed`` ask for.

    It is called with the job, in this process; what it raises, the request raises.
    """
    token = _here.set(make)
    try:
        yield
    finally:
        _here.reset(token)


class PrefectProver:
    """Asks for proofs by running the deployment ``prove/prove``, or the stage at hand.

    Parameters
    ----------
    store : where requests and proofs stand; the proof object is the truth, not the run's state.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def request(self, job: ProofJob, progress: Progress = no_progress) -> None:
        """Make sure that a run for the job is under way or done.

        A run on the pool that ended without a proof is followed by another one, unless it left a
        failure.
        """
        raise_failure(self._store, job)
        here = _here.get()
        if here is not None and job.mode in SIGNED_MODES:
            here(asdict(job))
            return
        for attempt in range(ATTEMPTS_MAX):
            run = self._run(job, attempt)
            if not run.state or not run.state.is_final() or run.state.is_completed():
                return
        raise PeerUnreachable("prove", f"a proof within {ATTEMPTS_MAX} runs", job.job_id)

    def _run(self, job: ProofJob, attempt: int) -> FlowRun:
        try:
            run = run_deployment(
                DEPLOYMENT,
                parameters={"job": asdict(job)},
                flow_run_name=f"epoch-{job.epoch:08d}-{job.mode}-{attempt}",
                timeout=0,
                idempotency_key=f"{job.job_id}-{job.mode}-{attempt}",
            )
        except (httpx.TransportError, PrefectHTTPStatusError, ObjectNotFound) as error:
            raise PeerUnreachable(
                "Prefect", f"a server with the deployment {DEPLOYMENT}", _first_line(error)
            ) from None
        assert isinstance(run, FlowRun)
        return run

    def result(self, job: ProofJob) -> ProofResult | None:
        """The stored proof of the job, or ``None`` while it is not there."""
        return stored_proof(self._store, job)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
