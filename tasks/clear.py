"""Stage 2: from the manifest to a frozen proposal, the only place where floats work.

Two machines may find prices that differ in the last digit. So the first proposal that is stored is
frozen, every later attempt reads it, and from here on the epoch is exact. Nobody trusts it: the
laws decide in the next stage.
"""

from contextlib import suppress
from time import monotonic_ns
from typing import Any

from convexfx_core.clearing import propose
from convexfx_core.errors import CommitConflict
from convexfx_core.witness.build import clearing_case
from tasks.chain import sealed_epoch
from tasks.injected_faults import fault_point
from tasks.objects import epoch_key, put_json, sha256_hex
from tasks.process import current
from tasks.proposal_object import proposal_to_json
from tasks.stage import milliseconds_since, stage


@stage("clear")
def clear(sealed: dict[str, Any]) -> dict[str, Any]:
    """Propose prices and fills and freeze them; a proposal that is there already is kept.

    Raises
    ------
    ClearingRefused
        No acceptable clearing: the epoch is aborted.
    """
    fault_point("clear")
    start, ctx = monotonic_ns(), current()
    key = epoch_key(sealed["epoch"], "proposal.json")
    body = ctx.store.get(key)
    if body is None:
        opening, batch = sealed_epoch(ctx.store, sealed["manifest"])
        proposal = propose(clearing_case(opening, batch.orders.rows))
        value = proposal_to_json(proposal, sealed["epoch"], sealed["manifest"]["sha256"])
        with suppress(CommitConflict):
            put_json(ctx.store, key, value)
        body = ctx.store.get(key) or b""
    fault_point("clear.done")
    ref = {"key": key, "sha256": sha256_hex(body)}
    return {"proposal": ref, "milliseconds": milliseconds_since(start)}
