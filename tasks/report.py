"""What people see of an epoch in the orchestrator: report, prices, netting, links, lineage.

The last step behind an outcome. Only ``lineage.json`` is an object of the epoch; the artifacts are
for eyes and nothing reads them.
"""

from typing import Any, Final

import numpy as np
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.context import TaskRunContext
from prefect.events import emit_event

from convexfx_core.ledger.vaults import Opening
from convexfx_core.records.receipts import STATUSES, Receipts, Status
from convexfx_core.transition import EpochResult
from tasks.chain import sealed_epoch
from tasks.context import Context
from tasks.epoch_result import epoch_result
from tasks.objects import Ref, epoch_key, get_json, put_json
from tasks.ports import Store
from tasks.proposal_object import proposal_from_json

STAGES: Final = ("collect", "clear", "validate", "state_diffs", "prove", "submit", "settle")
"""An epoch's stages in their order."""
OUTPUTS: Final = ("proposal", "verdict", "state_diffs", "sdl", "witness", "proof", "intent")


def publish_report(
    ctx: Context, manifest: Ref, outcome: dict[str, Any], receipts: Receipts
) -> None:
    """Write the lineage object, and artifacts and asset events when a run is there to hold them."""
    lineage = lineage_of(ctx.store, manifest, outcome)
    put_json(ctx.store, epoch_key(outcome["epoch"], "lineage.json"), lineage)
    if TaskRunContext.get() is None:
        return
    counts = status_counts(receipts)
    create_markdown_artifact(
        key="epoch-report", markdown=report_markdown(outcome, counts), description=_title(outcome)
    )
    create_link_artifact(
        key="epoch-objects", link=object_url(ctx, outcome), link_text=f"Epoch {outcome['epoch']}"
    )
    if outcome["status"] == "settled":
        opening, _ = sealed_epoch(ctx.store, manifest)
        result = epoch_result(ctx.store, manifest, outcome["proposal"])
        frozen = proposal_from_json(get_json(ctx.store, outcome["proposal"]))
        create_table_artifact(
            key="epoch-prices",
            table=price_table(opening, frozen.prices, result),
            description=f"{_title(outcome)}: prices and netting",
        )
    emit_lineage(outcome["epoch"], lineage)


def lineage_of(store: Store, manifest_ref: Ref, outcome: dict[str, Any]) -> dict[str, Any]:
    """Every object of the epoch by its hash: inputs and outputs."""
    manifest = get_json(store, manifest_ref)
    return {
        "version": 1,
        "epoch": outcome["epoch"],
        "parent": manifest["parent"],
        "inputs": [manifest_ref, manifest["orders"], manifest["vaults"]],
        "outputs": [outcome[name] for name in OUTPUTS if name in outcome],
        "code": manifest["code"],
    }


def status_counts(receipts: Receipts) -> dict[str, int]:
    """Number of candidates by status."""
    found = np.bincount(receipts.status, minlength=len(STATUSES))
    return {str(status): int(found[place]) for place, status in enumerate(STATUSES)}


def report_markdown(outcome: dict[str, Any], counts: dict[str, int]) -> str:
    """The epoch on one page."""
    filled = counts[Status.FILLED] + counts[Status.PARTIAL]
    rows = [
        ("outcome", outcome["status"] + (f": {outcome['reason']}" if outcome["reason"] else "")),
        ("orders admitted", outcome["orders"]),
        ("filled (of these partly)", f"{filled} ({counts[Status.PARTIAL]})"),
        ("unfilled", counts[Status.UNFILLED]),
        ("parked", counts[Status.PARKED]),
        ("rejected", counts[Status.REJECTED]),
        ("proof mode", proof_mode_text(outcome["mode"])),
        ("SDL", outcome["sdl_hash"] or "none"),
        ("gap, numeraire base units", outcome.get("gap", "-")),
    ]
    spent = outcome["stages"]
    rows += [(f"{name}, ms", spent[name]) for name in STAGES if name in spent]
    lines = [f"# {_title(outcome)}", "", f"| epoch | {outcome['epoch']} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows)])


def proof_mode_text(mode: str | None) -> str:
    """The proof mode, with what it is not."""
    if mode is None:
        return "none (nothing settled)"
    return f"{mode} (not a proof)" if mode in ("attested", "executed") else mode


def price_table(
    opening: Opening, prices: tuple[int, ...], result: EpochResult
) -> list[dict[str, str]]:
    """One row an asset: clearing and reference price, flows of the pool in units."""
    rows = []
    for place, asset in enumerate(opening.registry.assets):
        flow_in, flow_out = (
            int(result.settlement.flow_in[place]),
            int(result.settlement.flow_out[place]),
        )
        reference = opening.reference.pbar[place]
        rows.append(
            {
                "asset": asset.id,
                "price": opening.registry.price_text(place, prices[place]),
                "reference": opening.registry.price_text(place, reference),
                "deviation_bps": f"{(prices[place] - reference) * 10**8 // reference / 10**4:.4f}",
                "paid in": asset.text(flow_in),
                "paid out": asset.text(flow_out),
                "net": asset.text(flow_in - flow_out),
            }
        )
    return rows


def emit_lineage(epoch: int, lineage: dict[str, Any]) -> None:
    """One asset event for each output, naming the inputs that it was made from."""
    inputs = [
        {"prefect.resource.id": f"s3://{ref['key']}", "prefect.resource.role": "asset-upstream"}
        for ref in lineage["inputs"]
    ]
    for ref in lineage["outputs"]:
        emit_event(
            event="prefect.asset.materialization.succeeded",
            resource={
                "prefect.resource.id": f"s3://{ref['key']}",
                "prefect.resource.name": ref["key"],
                "prefect.asset.name": ref["key"].rsplit("/", 1)[-1],
            },
            related=inputs,
            payload={"epoch": epoch, "sha256": ref["sha256"]},
        )


def object_url(ctx: Context, outcome: dict[str, Any]) -> str:
    """Where the epoch's page is served."""
    return f"{ctx.api_url}/epochs/{outcome['epoch']}"


def _title(outcome: dict[str, Any]) -> str:
    return f"Epoch {outcome['epoch']} {outcome['status']}"
