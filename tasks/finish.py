"""What follows from an outcome: carried state, receipts, lineage, report, the hint to the head.

The outcome alone commits the epoch. What stands here is derived from it, by ``settle`` or, where
that process died in between, by the next run's ``collect``; both write the same bytes.
"""

from typing import Any

from tasks.carry import read_carry
from tasks.chain import ChainHead, manifest_of, move_head
from tasks.context import Context
from tasks.objects import Ref, epoch_key
from tasks.receipts import put_receipts
from tasks.report import publish_report


def finish(ctx: Context, manifest: Ref, outcome: dict[str, Any]) -> None:
    """Write everything behind an outcome; repeating it changes nothing.

    The hint moves last: where it stands, everything before it is complete.
    """
    epoch = outcome["epoch"]
    read_carry(ctx.store, epoch)
    receipts = put_receipts(ctx.store, manifest, outcome)
    publish_report(ctx, manifest, outcome, receipts)
    move_head(ctx.store, epoch)


def finish_head(ctx: Context, head: ChainHead) -> None:
    """Complete the last epoch if the process that committed its outcome died before it could."""
    if not head.epoch or ctx.store.exists(epoch_key(head.epoch, "lineage.json")):
        return
    sealed = manifest_of(ctx.store, head.epoch)
    if sealed is not None:
        finish(ctx, sealed[0], head.outcome)
