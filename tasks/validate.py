"""Stage 3: the integer laws decide; the verdict shows the five predicates.

The proposal is untrusted. ``apply_epoch`` settles it in integers and checks every law; a law that
does not hold aborts the epoch here, before anything is signed, proven or sent.
"""

from time import monotonic_ns
from typing import Any

from convexfx_core.errors import LawViolated
from convexfx_core.laws.predicates import verdict_of_violation
from tasks.epoch_result import epoch_result
from tasks.injected_faults import fault_point
from tasks.objects import epoch_key, get_json, put_json
from tasks.process import current
from tasks.proposal_object import proposal_from_json
from tasks.stage import milliseconds_since, stage


@stage("validate")
def validate(sealed: dict[str, Any], cleared: dict[str, Any]) -> dict[str, Any]:
    """Check the frozen proposal against every law and write the verdict.

    Raises
    ------
    LawViolated, ClearingRefused, ExecutionError
        The epoch is aborted; a violated law has its verdict written first.
    """
    fault_point("validate")
    start, ctx, epoch = monotonic_ns(), current(), sealed["epoch"]
    key = epoch_key(epoch, "verdict.json")
    try:
        result = epoch_result(ctx.store, sealed["manifest"], cleared["proposal"])
    except LawViolated as violation:
        frozen = proposal_from_json(get_json(ctx.store, cleared["proposal"]))
        put_json(ctx.store, key, verdict_of_violation(violation, frozen).to_json())
        raise
    verdict = put_json(ctx.store, key, result.verdict.to_json())
    fault_point("validate.done")
    return {
        "proposal": cleared["proposal"],
        "verdict": verdict,
        "consumed": int(result.consumed.sum()),
        "fills": result.fills.count,
        "milliseconds": milliseconds_since(start),
    }
