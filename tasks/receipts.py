"""Receipts of an epoch: what became of every candidate, derived from the chain.

Written behind the outcome (``tasks.finish``); the API reads them, ``replay`` derives them again.
"""

from typing import Any

from convexfx_core.records.receipts import Clearing, Receipts, receipts_of, write_receipts
from convexfx_core.witness.build import clearing_case
from tasks.chain import sealed_epoch
from tasks.epoch_result import epoch_result
from tasks.objects import Ref, epoch_key, get_json, put_object
from tasks.ports import Store
from tasks.proposal_object import proposal_from_json


def epoch_receipts(store: Store, manifest: Ref, outcome: dict[str, Any]) -> Receipts:
    """Receipts of all candidates of an epoch with an outcome."""
    opening, batch = sealed_epoch(store, manifest)
    if outcome["status"] != "settled":
        return receipts_of(batch, None)
    result = epoch_result(store, manifest, outcome["proposal"])
    clearing = Clearing(
        case=clearing_case(opening, batch.orders.rows),
        proposal=proposal_from_json(get_json(store, outcome["proposal"])),
        settlement=result.settlement,
        consumed=result.consumed,
    )
    return receipts_of(batch, clearing)


def put_receipts(store: Store, manifest: Ref, outcome: dict[str, Any]) -> Receipts:
    """Commit ``receipts.parquet``; the receipts."""
    receipts = epoch_receipts(store, manifest, outcome)
    lineage = {"manifest": manifest["sha256"]}
    key = epoch_key(outcome["epoch"], "receipts.parquet")
    put_object(store, key, write_receipts(receipts, lineage))
    return receipts
