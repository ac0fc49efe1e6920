"""What every stage's Prefect task has in common: cache key, and which failures are tried again."""

import hashlib
from functools import cache
from pathlib import Path
from time import monotonic_ns
from typing import Any, Final

from prefect import Task
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import exponential_backoff

import convexfx_core
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import CommitUnknown, ConvexFxError, PeerUnreachable, ProofError
from tasks.injected_faults import InjectedFault

RETRIES: Final = 5
RETRY_DELAYS_S: Final = exponential_backoff(backoff_factor=1)
RETRY_JITTER: Final = 0.5


@cache
def code_version() -> str:
    """Digest of the protocol's source, 16 hex digits: a changed rule is another cache key."""
    digest = hashlib.sha256()
    for path in sorted(Path(convexfx_core.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def stage_cache_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """Key of a stage's result: epoch, task, inputs, code. No ``/`` in it."""
    inputs = hashlib.sha256(json_bytes(parameters)).hexdigest()[:32]
    epoch = parameters["sealed"]["epoch"]
    return f"epoch-{epoch:08d}-{context.task.name}-{inputs}-{code_version()}"


def run_cache_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """Key of the first stage: the flow run keeps the epoch that its first attempt fixed."""
    return f"run-{context.task_run.flow_run_id}-{context.task.name}-{code_version()}"


STAGE_CACHE: Final = CacheKeyFnPolicy(cache_key_fn=stage_cache_key)
RUN_CACHE: Final = CacheKeyFnPolicy(cache_key_fn=run_cache_key)


def worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed stage is tried again: peers that do not answer, answers or provers lost.

    What is wrong for good (a conflict, a refused agreement, a setting) fails at once.
    """
    error = state.data if isinstance(state.data, BaseException) else state.result(False)
    if isinstance(error, PeerUnreachable | CommitUnknown):
        return True
    if isinstance(error, ProofError):
        return error.passing
    return not isinstance(error, ConvexFxError | InjectedFault)


def milliseconds_since(start_ns: int) -> int:
    """Whole milliseconds since a reading of the monotonic clock in nanoseconds."""
    return (monotonic_ns() - start_ns) // 1_000_000
