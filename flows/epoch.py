"""The epoch: seven stages, resumable from any of them.

A stage takes references and returns one; its result is cached under the epoch, its inputs and the
code, so a retried run, or a new run of the same epoch, executes only what is missing. What the
clearing, a law or the network refuses aborts the epoch: it gets an outcome with the reason, as text
and as data, and its orders live on.

The stage ``prove`` asks for a proof and waits for it; the stage ``make-proof`` makes it. In the
modes ``attested`` and ``executed`` it runs here, inside ``prove``. A real proof is left to the flow
``prove`` on the work pool ``sp1-gpu``.
"""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from convexfx_core.errors import ClearingRefused, ExecutionError, LawViolated
from tasks.adapters.prover_prefect import proving_here
from tasks.clear import clear
from tasks.collect import collect
from tasks.make_proof import make_proof
from tasks.prove import prove
from tasks.settle import refused, settle
from tasks.state_diffs import state_diffs
from tasks.submit import submit
from tasks.validate import validate

REFUSALS = (ClearingRefused, LawViolated, ExecutionError)


@flow(name="epoch", retries=0, persist_result=True, result_serializer="json", log_prints=False)
def epoch() -> State[Any]:
    """Run the next epoch, or finish the one that is sealed and has no outcome."""
    sealed = collect()
    if sealed is None:
        return Completed(message="No admissible orders: nothing sealed, no epoch number used")
    try:
        cleared = clear(sealed)
        checked = validate(sealed, cleared)
        diffs = state_diffs(sealed, checked)
        with proving_here(make_proof):
            proof = prove(sealed, diffs)
        submitted = submit(sealed, checked, diffs, proof)
    except REFUSALS as refusal:
        outcome = settle(sealed, {}, refused(refusal))
    else:
        stages = {"clear": cleared, "validate": checked, "state_diffs": diffs, "prove": proof}
        outcome = settle(sealed, stages | {"submit": submitted})
    return Completed(message=f"Epoch {outcome['epoch']} {outcome['status']}", data=outcome)
