"""The chain of epochs for people: lists, documents, an order's history, export."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convexfx_core.errors import CommitConflict
from convexfx_core.records.receipts import read_receipts
from tasks.chain import manifest_of, outcome_of, read_head
from tasks.objects import epoch_key, params_key, state_key
from tasks.ports import Store
from tasks.report import proof_mode_text


def epoch_rows(store: Store) -> Iterator[dict[str, Any]]:
    """A short row for each epoch with an outcome, from the first."""
    for number in range(1, read_head(store).epoch + 1):
        outcome = outcome_of(store, number)
        if outcome is not None:
            names = ("epoch", "status", "orders", "mode", "reason", "sdl_hash", "settled_at")
            yield {name: outcome[name] for name in names} | {"fills": outcome.get("fills", 0)}


def epoch_document(store: Store, number: int) -> dict[str, Any]:
    """Manifest and outcome of an epoch.

    Raises
    ------
    CommitConflict
        There is no such epoch.
    """
    sealed = manifest_of(store, number)
    if sealed is None:
        head = read_head(store).epoch
        raise CommitConflict(f"epoch {number}", f"a sealed epoch, 1 to {head}", "none")
    return {"epoch": number, "manifest": sealed[1], "outcome": outcome_of(store, number)}


def epoch_lines(document: dict[str, Any]) -> Iterator[str]:
    """An epoch's document as lines of text."""
    manifest, outcome = document["manifest"], document["outcome"]
    reference = manifest["reference"]
    yield f"epoch {document['epoch']}: {outcome['status'] if outcome else 'sealed, no outcome yet'}"
    yield f"candidates {manifest['candidates']}, admitted {manifest['admitted']}"
    yield f"reference prices {reference['source']} of {reference['published']}"
    for name, price in reference["prices"].items():
        yield f"  {name} {price}"
    if outcome is None:
        return
    if outcome["reason"]:
        yield f"reason {outcome['reason']}"
    if outcome.get("refusal"):
        yield f"  {refusal_text(outcome['refusal'])}"
    yield f"fills {outcome.get('fills', 0)}, proof {proof_mode_text(outcome['mode'])}"
    yield f"SDL {outcome['sdl_hash'] or 'none'}"
    for value in outcome.values():
        if isinstance(value, dict) and "sha256" in value:
            yield f"  {value['key']} {value['sha256']}"


def refusal_text(refusal: dict[str, Any]) -> str:
    """The data of a refusal on one line, each value with its name."""
    named = ((name, refusal[name]) for name in ("code", "law", "index", "expected", "observed"))
    return ", ".join(f"{name} {value}" for name, value in named if value is not None)


def order_history(store: Store, order_id: str) -> Iterator[dict[str, Any]]:
    """Receipts of one order (hexadecimal id), epoch by epoch.

    Each has ``refusal`` too, what aborted its epoch; None in an epoch that settled.
    """
    for number in range(1, read_head(store).epoch + 1):
        body = store.get(epoch_key(number, "receipts.parquet"))
        for receipt in read_receipts(body) if body is not None else []:
            if receipt["order_id"] == order_id.removeprefix("0x").lower():
                outcome = outcome_of(store, number) or {}
                yield receipt | {"refusal": outcome.get("refusal")}


def order_lines(order_id: str, history: list[dict[str, Any]]) -> Iterator[str]:
    """An order's history as lines of text."""
    if not history:
        yield f"no epoch knows order {order_id}: still queued, rejected on arrival, or never sent"
    for row in history:
        reason = f" ({row['reason']})" if row["reason"] else ""
        yield f"epoch {row['epoch']}: {row['status']}{reason}, then {row['then']}"
        if row["refusal"]:
            yield f"  the epoch was aborted: {refusal_text(row['refusal'])}"
        yield f"  budget {row['budget']}, paid {row['paid']}, received {row['received']} base units"
        if row["filling_limit"]:
            yield f"  a limit ratio of {row['filling_limit']} would have filled it"


def export_epoch(store: Store, number: int, folder: Path) -> Iterator[str]:
    """Copy every public object of an epoch into a folder; the keys as they are written."""
    document = epoch_document(store, number)
    keys = [*store.list(epoch_key(number, "")), params_key(document["manifest"]["params_hash"])]
    outcome = document["outcome"] or {}
    keys += [outcome[name]["key"] for name in ("proof", "proof_description") if name in outcome]
    if number > 1:
        keys += [epoch_key(number - 1, "outcome.json"), state_key(number - 1)]
    keys.append(state_key(number))
    for key in keys:
        body = store.get(key)
        if body is not None:
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            yield key
