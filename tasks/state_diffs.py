"""Stage 4: exact state diffs as Parquet, the SDL's description, the witness.

These are the objects that the network and the prover are about: what changes in which vault, and
the bytes that a proof is made of. They are stored before anybody is asked for a proof.
"""

from time import monotonic_ns
from typing import Any

from convexfx_core.identity import base58_encode
from convexfx_core.records.tables import write_state_diffs
from convexfx_core.transition import EpochResult
from tasks.chain import sealed_epoch
from tasks.epoch_result import epoch_result
from tasks.injected_faults import fault_point
from tasks.objects import epoch_key, put_json, put_object
from tasks.process import current
from tasks.stage import milliseconds_since, stage


@stage("state-diffs")
def state_diffs(sealed: dict[str, Any], checked: dict[str, Any]) -> dict[str, Any]:
    """Write diffs, description of the SDL and witness; none of them when no order is consumed.

    Raises
    ------
    ExecutionError
        A diff must not be submitted; the epoch is aborted.
    """
    fault_point("state_diffs")
    start, ctx, epoch = monotonic_ns(), current(), sealed["epoch"]
    opening, batch = sealed_epoch(ctx.store, sealed["manifest"])
    result = epoch_result(ctx.store, sealed["manifest"], checked["proposal"])
    found: dict[str, Any] = {"sdl_hash": None}
    if result.sdl_hash is not None:
        lineage = {
            "manifest": sealed["manifest"]["sha256"],
            "proposal": checked["proposal"]["sha256"],
        }
        table = write_state_diffs(opening, batch, result, lineage)
        found = {
            "sdl_hash": result.sdl_hash.hex(),
            "public_values": result.public_values.to_bytes().hex(),
            "state_diffs": put_object(ctx.store, epoch_key(epoch, "state_diffs.parquet"), table),
            "witness": put_object(ctx.store, epoch_key(epoch, "witness.bin"), result.witness),
            "sdl": put_json(ctx.store, epoch_key(epoch, "sdl.json"), sdl_json(epoch, result)),
        }
    fault_point("state_diffs.done")
    return found | {"milliseconds": milliseconds_since(start)}


def sdl_json(epoch: int, result: EpochResult) -> dict[str, Any]:
    """Description of the SDL; its verifiables follow from orders, diffs and payout signatures."""
    values = result.public_values
    return {
        "version": 1,
        "epoch": epoch,
        "shard": values.shard,
        "sdl_hash": base58_encode(values.sdl_hash),
        "consumed": len(result.fills.rows),
        "payouts": len(result.payouts),
        "first_payout_nonce": result.pool_before.nonce + 1,
        "pre_state_root": values.pre_state_root.hex(),
        "post_state_root": values.post_state_root.hex(),
        "batch_root": values.batch_root.hex(),
        "public_values": values.to_bytes().hex(),
    }
