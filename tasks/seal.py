"""The seal, the second half of stage 1: candidates become the next epoch's orders and manifest.

The manifest names everything that the epoch is computed from, by hash. From then on the epoch is a
pure function of stored objects, so any process can finish it and any stranger can recompute it.

Order of writes (``docs/spec.md`` section 9): parameters, vaults, orders, then the conditional
manifest; messages are deleted only after it.
"""

from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from convexfx_core.admission.book import Batch, admit
from convexfx_core.errors import CommitConflict
from convexfx_core.identity import base58_encode
from convexfx_core.ledger.vaults import Opening, PoolState
from convexfx_core.market.params import params_hash, params_to_bytes
from convexfx_core.market.reference import (
    Reference,
    check_deviation,
    check_fresh,
    reference_from_bytes,
    reference_from_quotes,
    reference_hash,
    reference_to_bytes,
)
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.records.tables import write_orders
from tasks.chain import ChainHead, fees_accrued, manifest_of, slice_behind
from tasks.context import Context
from tasks.objects import Ref, epoch_key, params_key, put_json, put_object, sha256_hex
from tasks.ports import Quotes
from tasks.quarantine import Slice, only_slice
from tasks.stage import code_version
from tasks.vaults import read_pool, read_vaults


@dataclass(frozen=True, slots=True)
class EpochDraft:
    """An epoch that could be sealed: its opening, quotes, candidates and what admission says.

    ``let_in``: the slice of the vaults that quarantine lets in, None for all.
    """

    head: ChainHead
    opening: Opening
    quotes: Quotes
    candidates: SealedOrders
    let_in: Slice | None
    batch: Batch


@dataclass(frozen=True, slots=True)
class EpochInputs:
    """What the next epoch is computed from, before any order is looked at."""

    head: ChainHead
    quotes: Quotes
    reference: Reference
    pool: PoolState


def prepare(ctx: Context, head: ChainHead) -> EpochInputs:
    """Prices and pool of the next epoch, read before messages are held.

    Raises
    ------
    ConfigurationError
        ``PRICE_STALE`` or ``PRICE_DEVIATES``: nothing is sealed with such prices.
    """
    quotes, reference = reference_prices(ctx, head)
    registry, fees = ctx.domain.registry, fees_accrued(head, len(ctx.domain.registry))
    pool = read_pool(ctx.gateway, ctx.domain.pool.owner, registry, fees)
    return EpochInputs(head, quotes, reference, pool)


def draft_epoch(ctx: Context, inputs: EpochInputs, candidates: SealedOrders) -> EpochDraft:
    """Read the candidates' vaults and admit them to the next epoch."""
    owners = np.unique(np.ascontiguousarray(candidates.rows["owner"]).view("V32"))
    opening = Opening(
        network_id=ctx.domain.network_id,
        shard=ctx.domain.pool.shard,
        epoch=inputs.head.epoch + 1,
        params=ctx.params,
        registry=ctx.domain.registry,
        reference=inputs.reference,
        pool=inputs.pool,
        vaults=read_vaults(ctx.gateway, [o.tobytes() for o in owners], ctx.domain.registry),
    )
    let_in = slice_behind(ctx.store, inputs.head)
    batch = only_slice(admit(candidates, opening), let_in)
    return EpochDraft(inputs.head, opening, inputs.quotes, candidates, let_in, batch)


def reference_prices(ctx: Context, head: ChainHead) -> tuple[Quotes, Reference]:
    """Quotes for the next epoch, fresh and near those of the last one."""
    now = ctx.clock.now()
    quotes = ctx.prices.at(now, head.epoch + 1)
    as_of_s = int(quotes.as_of.timestamp())
    check_fresh(as_of_s, int(now.timestamp()), ctx.staleness_s)
    reference = reference_from_quotes(quotes.prices, as_of_s, ctx.params, ctx.domain.registry)
    previous = manifest_of(ctx.store, head.epoch) if head.epoch else None
    if previous is not None:
        section = bytes.fromhex(previous[1]["reference"]["section"])
        check_deviation(reference_from_bytes(section), reference, ctx.deviation_bps)
    return quotes, reference


def commit_seal(ctx: Context, draft: EpochDraft) -> tuple[Ref, dict[str, Any]]:
    """Write the epoch's objects and its manifest; when the race is lost, the winner's manifest."""
    opening, epoch = draft.opening, draft.opening.epoch
    write_params(ctx)
    vaults = opening.vaults.to_bytes()
    vaults_ref = put_object(ctx.store, epoch_key(epoch, f"vaults/{sha256_hex(vaults)}.bin"), vaults)
    orders = write_orders(draft.candidates)
    orders_ref = put_object(
        ctx.store, epoch_key(epoch, f"orders/{sha256_hex(orders)}.parquet"), orders
    )
    manifest = manifest_json(ctx, draft, vaults_ref, orders_ref)
    with suppress(CommitConflict):
        put_json(ctx.store, epoch_key(epoch, "manifest.json"), manifest)
    sealed = manifest_of(ctx.store, epoch)
    if sealed is None:
        raise CommitConflict(epoch_key(epoch, "manifest.json"), "a manifest", "nothing")
    return sealed


def write_params(ctx: Context) -> None:
    """Commit the parameters and the registry under their hash."""
    value = {
        "params": b64encode(params_to_bytes(ctx.params)).decode(),
        "registry": b64encode(ctx.domain.registry.to_bytes()).decode(),
    }
    put_json(ctx.store, params_key(params_hash(ctx.params, ctx.domain.registry).hex()), value)


def manifest_json(ctx: Context, draft: EpochDraft, vaults: Ref, orders: Ref) -> dict[str, Any]:
    """Manifest of an epoch (``docs/spec.md`` section 9)."""
    opening, quotes = draft.opening, draft.quotes
    quarantine = {} if draft.let_in is None else {"part": list(draft.let_in)}
    return quarantine | {
        "version": 1,
        "epoch": opening.epoch,
        "parent": draft.head.outcome_sha256,
        "network": ctx.network,
        "network_id": opening.network_id.hex(),
        "shard": opening.shard,
        "params_hash": params_hash(opening.params, opening.registry).hex(),
        "program_hash": ctx.program_hash.hex(),
        "operator_key": base58_encode(ctx.operator.public_key),
        "pool": opening.pool.to_bytes().hex(),
        "vaults": vaults,
        "orders": orders,
        "candidates": len(draft.candidates),
        "admitted": len(draft.batch.orders),
        "reference": {
            "source": quotes.source,
            "published": quotes.published.isoformat(),
            "as_of": quotes.as_of.isoformat(),
            "prices": {name: format(price, "f") for name, price in sorted(quotes.prices.items())},
            "hash": reference_hash(opening.reference).hex(),
            "section": reference_to_bytes(opening.reference).hex(),
        },
        "code": code_version(),
    }
