"""What a stage is: a Prefect task with a time limit, retries and a cache key out of one table.

A run of an epoch may die anywhere and be started again. So every stage can be repeated: it reads
objects, writes objects that never change, and returns references. Three questions are left, and
:data:`STAGES` answers them for each stage: when it counts as hanging, how often it is tried again,
and which earlier result is the same one. ``@stage("clear")`` reads that table, so that no stage
has a rule of its own.

A failure is tried again unless it is known to be for good (:func:`worth_retrying`). Waiting helps
where a peer does not answer, an answer was lost or a limit was reached. An exception that is not
ours says nothing about that, so it is tried again, too. What is wrong for good fails at once, and
the next scheduled run finds the epoch where this one left it.
"""

import hashlib
from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import Any, Final, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE, CacheKeyFnPolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import exponential_backoff

import convexfx_core
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import CommitUnknown, ConvexFxError, PeerUnreachable, ProofError
from tasks.injected_faults import InjectedFault
from tasks.process import current

P = ParamSpec("P")
R = TypeVar("R")


@cache
def code_version() -> str:
    """Digest of the protocol's source, 16 hex digits: a changed rule is another cache key."""
    digest = hashlib.sha256()
    for path in sorted(Path(convexfx_core.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def run_cache_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """Key of the first stage: the flow run keeps the epoch that its first attempt fixed."""
    return f"run-{context.task_run.flow_run_id}-{context.task.name}-{code_version()}"


def inputs_cache_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """Key of a stage behind the seal: epoch, task, inputs, code. No ``/`` in it."""
    inputs = hashlib.sha256(json_bytes(parameters)).hexdigest()[:32]
    epoch = parameters["sealed"]["epoch"]
    return f"epoch-{epoch:08d}-{context.task.name}-{inputs}-{code_version()}"


def proof_cache_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """Key of the proof: as behind the seal, and another mode or program is another result."""
    ctx = current()
    key = inputs_cache_key(context, parameters)
    return f"{key}-{ctx.proof_mode}-{ctx.program_hash.hex()[:16]}"


@dataclass(frozen=True, slots=True)
class Rules:
    """How a stage is run.

    Attributes
    ----------
    limit_s : seconds of one attempt, after which it counts as hanging and is ended.
    retries : further attempts after a failure that may pass (:func:`worth_retrying`).
    cache_key : which results are the same; None: the result is not kept.
    """

    limit_s: int
    retries: int
    cache_key: Callable[[TaskRunContext, dict[str, Any]], str] | None


STAGES: Final[dict[str, Rules]] = {
    # Twenty messages a round trip, a signature an order, a vault an owner: half a minute for
    # 100,000 orders. A message is hidden for 60 s and comes back by itself if this takes longer.
    # Far above that, because an attempt that is cut off has received its messages in vain.
    "collect": Rules(1_800, 5, run_cache_key),
    # A second for a million orders, and minutes for compiling the kernels on a cold machine. The
    # next run finds the same seal, so a limit that honest work can reach would hold it for ever.
    "clear": Rules(1_800, 5, inputs_cache_key),
    # Pure and without a network, as are the diffs: seconds for 100,000 orders.
    "validate": Rules(1_800, 5, inputs_cache_key),
    "state-diffs": Rules(1_800, 5, inputs_cache_key),
    # Longer than ``tasks.prove`` waits for a proof (four hours), so that its own words come first.
    "prove": Rules(15_000, 5, proof_cache_key),
    # Beyond what anybody waits for: a prover that serves has no limit of its own while it reports
    # progress, and a client that goes away does not end its work. Before it come two turns on the
    # machine (1,800 s each), start and verification (300 s each): ``Limits`` of the host. Not
    # kept: the stored proof object is the result, and asking again finds it.
    "make-proof": Rules(21_600, 5, None),
    # Ten minutes of waiting for the network's end (``tasks.delivery``), five for the array and
    # five for the verification of the proof before it is sent; half again for a slow network.
    "submit": Rules(1_800, 5, inputs_cache_key),
    # One object commits; receipts and artifacts of 100,000 orders are seconds.
    "settle": Rules(600, 5, inputs_cache_key),
}
"""The stages of an epoch in their order. ``make-proof`` is none of them: it runs inside ``prove``,
or as the one stage of the flow ``prove``, and stands behind the stage that waits for it. The table
of ``docs/runbook.md`` says the same."""
RETRY_DELAYS_S: Final = exponential_backoff(backoff_factor=1)
"""Pauses of 1, 2, 4, 8, 16 s: a peer that restarts is back within half a minute."""
CLOCKS_DIFFER_S: Final = 0.5
"""The orchestrator's clock for a limit starts a little before the stage's own."""
RETRY_JITTER: Final = 0.5
"""Two workers that failed together do not come back together."""


def stage(name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function the stage ``name``, by its row of :data:`STAGES`."""
    rules = STAGES[name]
    key = rules.cache_key

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        return task(
            name=name,
            retries=rules.retries,
            retry_delay_seconds=RETRY_DELAYS_S,
            retry_jitter_factor=RETRY_JITTER,
            retry_condition_fn=worth_retrying,
            timeout_seconds=rules.limit_s,
            persist_result=key is not None,
            cache_policy=NO_CACHE if key is None else CacheKeyFnPolicy(cache_key_fn=key),
        )(_naming_its_limit(function, name, rules.limit_s))

    return decorate


def _naming_its_limit(function: Callable[P, R], name: str, limit_s: int) -> Callable[P, R]:
    """The function; when its limit ends it, the error is ours and names stage and limit.

    The orchestrator ends a stage by an exception in the middle of its work. Whether its last write
    took effect is then unknown, as after a lost answer, and asking again is as safe. An end before
    the limit is that of the stage around this one (``make-proof`` inside ``prove``), or of the
    run: it goes on up, for only the one whose limit it was may say so.
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        end_s = monotonic() + limit_s - CLOCKS_DIFFER_S
        try:
            return function(*args, **kwargs)
        except CancelledError:
            if monotonic() < end_s:
                raise
            seen = "still under way"
            raise CommitUnknown(f"stage {name}", f"an end within {limit_s} s", seen) from None

    return limited


def worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed stage is tried again.

    Of our own errors only those that may pass are: a peer that does not answer, an answer or a
    prover that was lost, memory that ran out. The others (a conflict, a refused agreement, a
    setting) fail at once. Every exception that is not ours is tried again, since nothing says that
    it is for good. An injected fault is not, because it stands for a process that died.
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
