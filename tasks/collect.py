"""Stage 1: receive, verify, deduplicate, read vaults and prices, seal, and only then delete.

It answers the epoch to work on. One that is sealed and has no outcome comes first, so a run that
died is finished before anything new begins. A message is deleted only when each of its good orders
is stored, so an order may be seen twice and is never lost.
"""

from dataclasses import dataclass, replace
from time import monotonic_ns
from typing import Any, Final

import numpy as np

from convexfx_core.admission.book import LeftOut
from convexfx_core.admission.carry import SeenSet, unseen
from convexfx_core.errors import CodecError, RejectCode
from convexfx_core.orders.codes import code_number
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.records.tables import read_orders, write_orders
from tasks.carry import read_carry
from tasks.chain import ChainHead, manifest_of, read_head
from tasks.context import Context
from tasks.finish import finish_head
from tasks.injected_faults import fault_point
from tasks.intake import (
    Received,
    admission_rejects,
    as_candidates,
    ids_of,
    read_messages,
    reject_object,
    unreadable_object,
)
from tasks.objects import Ref, get_object, parked_prefix, put_object, sha256_hex
from tasks.process import current
from tasks.seal import EpochDraft, commit_seal, draft_epoch, prepare
from tasks.stage import milliseconds_since, stage

MESSAGES_MAX: Final = 20_000
"""Far below the 120,000 that one queue lets be in flight."""
LOST_TO_ANOTHER: Final = [
    code_number(code) for code in (RejectCode.NONCE_TAKEN, RejectCode.CANCELLED)
]


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What is there to seal: messages with their orders, and every candidate."""

    received: tuple[Received, ...]
    seen: SeenSet
    candidates: SealedOrders


@stage("collect")
def collect() -> dict[str, Any] | None:
    """The sealed epoch to work on: one without outcome, or the next one, or None.

    Raises
    ------
    ConfigurationError
        Reference prices are stale or deviate: nothing is sealed.
    """
    fault_point("collect")
    start, ctx = monotonic_ns(), current()
    head = read_head(ctx.store)
    finish_head(ctx, head)
    sealed = manifest_of(ctx.store, head.epoch + 1) or seal_next(ctx, head)
    fault_point("collect.done")
    if sealed is None:
        return None
    ref, manifest = sealed
    return {
        "epoch": manifest["epoch"],
        "manifest": ref,
        "admitted": manifest["admitted"],
        "candidates": manifest["candidates"],
        "milliseconds": milliseconds_since(start),
    }


def seal_next(ctx: Context, head: ChainHead) -> tuple[Ref, dict[str, Any]] | None:
    """Seal the epoch behind ``head`` if anything is admissible; what cannot be sealed is kept."""
    inputs = prepare(ctx, head)
    gathered = gather(ctx, head)
    write_rejects(ctx, gathered.received)
    fault_point("collect.rejects")
    if not len(gathered.candidates):
        release(ctx, gathered, SealedOrders.empty())
        return None
    draft = draft_epoch(ctx, inputs, gathered.candidates)
    if not len(draft.batch.orders):
        park(ctx, gathered, draft)
        return None
    sealed = commit_seal(ctx, draft)
    fault_point("collect.sealed")
    release(ctx, gathered, read_orders(get_object(ctx.store, sealed[1]["orders"])))
    return sealed


def gather(ctx: Context, head: ChainHead) -> Gathered:
    """Carried and parked orders, and what the inbox holds."""
    messages = ctx.inbox.receive(MESSAGES_MAX)
    received = read_messages(messages, ctx.store, ctx.domain)
    seen, live = read_carry(ctx.store, head.epoch)
    delivered = as_candidates([item.orders for item in received], head.epoch + 1)
    fresh = SealedOrders.joined([delivered, *parked(ctx, head)])
    candidates = SealedOrders.joined([live, unseen(fresh, seen)])
    return Gathered(received, seen, distinct(candidates))


def distinct(orders: SealedOrders) -> SealedOrders:
    """Each order id once, the first sealed of equal ones."""
    _, first = np.unique(ids_of(orders), return_index=True)
    return orders.take(np.sort(first))


def parked(ctx: Context, head: ChainHead) -> list[SealedOrders]:
    """Orders that ``park`` kept and that no manifest holds yet.

    Example: the last epoch is 7, so 8 is the next. A run that can seal nothing keeps its orders
    under 8. Those under 7 are looked at, too: one worker may have kept them while another, which
    had gathered before, sealed 7 without them. The seen-set drops those that were sealed. The
    others never were, so 8 is their first epoch, as if their messages had been delivered again.

    An object that does not decode stays where it is and is named in a reject record; the others go
    on.
    """
    orders = []
    for epoch in (head.epoch, head.epoch + 1):
        for key in ctx.store.list(parked_prefix(epoch)):
            body = ctx.store.get(key)
            try:
                orders += [] if body is None else [first_sealed(read_orders(body), head.epoch + 1)]
            except CodecError as error:
                record = unreadable_object(key, error)
                put_object(ctx.store, f"rejects/{sha256_hex(record)}.json", record)
    return orders


def first_sealed(orders: SealedOrders, epoch: int) -> SealedOrders:
    """The orders as candidates that ``epoch`` would seal first."""
    return replace(orders, sealed_epoch=np.full(len(orders), epoch, dtype=np.uint64))


def park(ctx: Context, gathered: Gathered, draft: EpochDraft) -> None:
    """Keep the waiting candidates of an epoch that cannot be sealed, and record the refused ones.

    An epoch without an admissible order is not sealed. Example: a vault's next nonce is 5 and its
    only order has nonce 6. The order is written under ``parked/`` and its message is deleted. Later
    runs take it up (:func:`parked`) until it is sealed.

    A candidate that only lost its nonce to another order waits too; the epoch that seals both
    refuses it. A reject record here could turn out wrong: the winner may expire, and the loser may
    then be sent again and win.

    If somebody sealed the epoch meanwhile, no message is deleted: all of them reappear. Nothing is
    recorded either: the vaults read here may already be those behind that epoch, in which its own
    orders look stale.
    """
    all_refused = draft.batch.rejected
    lost = np.isin(all_refused.codes, LOST_TO_ANOTHER)
    gone = np.flatnonzero(~lost)
    refused = LeftOut(all_refused.orders.take(gone), all_refused.codes[gone], all_refused.names)
    beaten = all_refused.orders.take(np.flatnonzero(lost))
    waiting = SealedOrders.joined([draft.batch.parked.orders, beaten])
    if len(waiting):
        body = write_orders(waiting)
        key = f"{parked_prefix(draft.opening.epoch)}{sha256_hex(body)}.parquet"
        put_object(ctx.store, key, body)
    fault_point("collect.parked")
    if manifest_of(ctx.store, draft.opening.epoch) is not None:
        return
    if len(refused.orders):
        body = admission_rejects(refused)
        put_object(ctx.store, f"rejects/{sha256_hex(body)}.json", body)
    release(ctx, gathered, SealedOrders.joined([waiting, refused.orders]))


def write_rejects(ctx: Context, received: tuple[Received, ...]) -> None:
    """Durable reject records, one a message; a message that is not readable goes to the DLQ too."""
    for item in received:
        body = reject_object(item)
        if body is not None:
            put_object(ctx.store, f"rejects/{sha256_hex(body)}.json", body)
        if item.whole:
            ctx.inbox.dead_letter(item.message.body, item.rejects[0]["code"])


def release(ctx: Context, gathered: Gathered, durable: SealedOrders) -> None:
    """Delete messages whose every good item is durable; let the others reappear."""
    kept = ids_of(durable)
    done: list[str] = []
    others: list[str] = []
    for item in gathered.received:
        safe = np.isin(ids_of(item.orders), kept) | gathered.seen.holds(item.orders.order_ids)
        (done if safe.all() else others).append(item.message.handle)
    if done:
        ctx.inbox.delete(done)
    if others:
        ctx.inbox.release(others)
