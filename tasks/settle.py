"""Stage 7: the outcome, the only commit point; then what follows from it.

``outcome.json`` is written once, by a conditional put. Before it the epoch has happened for nobody,
after it for everybody; a second worker that comes later reads the first one's outcome.
"""

from contextlib import suppress
from time import monotonic_ns
from typing import Any

from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import CommitConflict, ConvexFxError
from convexfx_core.identity import base58_encode
from tasks.chain import outcome_of, sealed_epoch
from tasks.context import Context
from tasks.epoch_result import epoch_result
from tasks.finish import finish
from tasks.injected_faults import fault_point
from tasks.objects import epoch_key, put_json, sha256_hex
from tasks.ports import SdlPhase
from tasks.process import current
from tasks.stage import milliseconds_since, stage

OBJECTS = (
    "proposal",
    "verdict",
    "state_diffs",
    "sdl",
    "witness",
    "proof",
    "proof_description",
    "payout_signatures",
    "intent",
)


@stage("settle")
def settle(
    sealed: dict[str, Any], stages: dict[str, Any], refusal: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Commit the epoch's outcome, then its receipts, the carried state and the artifacts.

    ``stages`` has the result of each stage by its name; ``refusal`` is what :func:`refused` makes
    of the error that ended one of them, then the epoch is aborted.

    A crash behind the outcome leaves some of the others unwritten. The next run writes them,
    because all of them follow from the chain.
    """
    fault_point("settle")
    start, ctx, epoch = monotonic_ns(), current(), sealed["epoch"]
    outcome = outcome_of(ctx.store, epoch)
    if outcome is None:
        value = outcome_json(ctx, sealed, stages, refusal)
        value["stages"]["settle"] = milliseconds_since(start)
        with suppress(CommitConflict):
            put_json(ctx.store, epoch_key(epoch, "outcome.json"), with_digest(value))
        outcome = outcome_of(ctx.store, epoch)
    if outcome is None:
        raise CommitConflict(epoch_key(epoch, "outcome.json"), "an outcome", "nothing")
    fault_point("settle.outcome")
    finish(ctx, sealed["manifest"], outcome)
    fault_point("settle.done")
    return outcome


def with_digest(value: dict[str, Any]) -> dict[str, Any]:
    """The object with the SHA-256 of its canonical JSON without that entry.

    The next manifest names the outcome's hash; the last one of a chain has only its own digest.
    """
    body = {name: item for name, item in value.items() if name != "digest"}
    return body | {"digest": sha256_hex(json_bytes(body))}


def refused(error: ConvexFxError) -> dict[str, Any]:
    """What an outcome says of the error that aborts its epoch: one line, and the same as data."""
    return {"reason": error.line(), "refusal": error.facts()}


def outcome_json(
    ctx: Context, sealed: dict[str, Any], stages: dict[str, Any], refusal: dict[str, Any] | None
) -> dict[str, Any]:
    """Outcome of an epoch (``docs/spec.md`` section 9)."""
    refusal = refusal or settlement_refusal(stages)
    value: dict[str, Any] = {
        "version": 1,
        "epoch": sealed["epoch"],
        "status": "aborted" if refusal else "settled",
        **(refusal or {"reason": None, "refusal": None}),
        "manifest": sealed["manifest"],
        "sdl_hash": None,
        "mode": None,
        "orders": sealed["admitted"],
        "settled_at": ctx.clock.now().isoformat(),
        "stages": stage_milliseconds(sealed, stages),
    }
    for done in stages.values():
        if isinstance(done, dict):
            value |= {name: done[name] for name in OBJECTS if name in done}
    if not refusal:
        return value | settled_facts(ctx, sealed, stages)
    opening, _ = sealed_epoch(ctx.store, sealed["manifest"])
    fees = [str(fee) for fee in opening.pool.fees_accrued]
    return value | {"fees_accrued": fees, "pool_nonce": opening.pool.nonce}


def settlement_refusal(stages: dict[str, Any]) -> dict[str, Any] | None:
    """Why the network did not apply the SDL, None if it did or there was none."""
    submitted = stages.get("submit")
    if submitted is None or submitted["phase"] == SdlPhase.APPLIED.value:
        return None
    phase, message = submitted["phase"], submitted["message"]
    facts = {"code": phase, "law": None, "index": None}
    facts |= {"expected": SdlPhase.APPLIED.value, "observed": message or None}
    return {"reason": f"{phase}: {message}".rstrip(": "), "refusal": facts}


def settled_facts(ctx: Context, sealed: dict[str, Any], stages: dict[str, Any]) -> dict[str, Any]:
    """Facts of a settled epoch: prices, fees, fills, SDL and mode."""
    result = epoch_result(ctx.store, sealed["manifest"], stages["validate"]["proposal"])
    proof = stages["prove"]
    return {
        "sdl_hash": base58_encode(result.sdl_hash) if result.sdl_hash else None,
        "mode": proof["mode"] if proof else None,
        "job_id": proof["job_id"] if proof else None,
        "consumed": len(result.fills.rows),
        "fills": result.fills.count,
        "fees_accrued": [str(fee) for fee in result.pool_after.fees_accrued],
        "pool_nonce": result.pool_after.nonce,
        "gap": str(result.public_values.gap),
        "total": str(result.public_values.total),
    }


def stage_milliseconds(sealed: dict[str, Any], stages: dict[str, Any]) -> dict[str, int]:
    """Each stage's own work in milliseconds."""
    named = {"collect": sealed} | {k: v for k, v in stages.items() if isinstance(v, dict)}
    return {name: int(done["milliseconds"]) for name, done in named.items()}
