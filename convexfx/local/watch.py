"""What `convexfx up` prints: some lines for each epoch, and at the end a report that must add up.

Epochs are read from the object store, vaults from the settlement layer. The report compares the
orders sent with their receipts and the minted supply with all vaults; if an order has no outcome or
two, or a unit is missing, ``convexfx up`` exits with 1. So every demo run is a test of the whole.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from convexfx_core.records.receipts import read_receipts
from tasks.chain import manifest_of, outcome_of, sealed_epoch
from tasks.context import Context
from tasks.objects import epoch_key, get_json
from tasks.proposal_object import proposal_from_json
from tasks.report import STAGES, proof_mode_text

FINAL = ("consumed", "expired", "refused")


@dataclass(slots=True)
class Ledger:
    """What the receipts of all epochs so far say.

    Attributes
    ----------
    outcome : last status of each order id.
    then : what became of each order id after its last epoch (consumed, carried, ...).
    finals : how often an order got a final outcome.
    settled : number of settled epochs.
    """

    outcome: dict[str, str] = field(default_factory=dict)
    then: dict[str, str] = field(default_factory=dict)
    finals: Counter[str] = field(default_factory=Counter)
    settled: int = 0

    def add(self, receipts: list[dict[str, Any]]) -> None:
        """Take the receipts of one epoch in."""
        for row in receipts:
            self.outcome[row["order_id"]] = row["status"]
            self.then[row["order_id"]] = row["then"]
            if row["then"] in FINAL:
                self.finals[row["order_id"]] += 1


def print_epoch(console: Console, ctx: Context, epoch: int, ledger: Ledger) -> bool:
    """Print an epoch's lines if its receipts are there; returns whether they were."""
    outcome, sealed = outcome_of(ctx.store, epoch), manifest_of(ctx.store, epoch)
    body = ctx.store.get(epoch_key(epoch, "receipts.parquet"))
    if outcome is None or sealed is None or body is None:
        return False
    receipts = read_receipts(body)
    ledger.add(receipts)
    ledger.settled += outcome["status"] == "settled"
    counts = Counter(row["status"] for row in receipts)
    carried = sum(row["then"] == "carried" for row in receipts)
    reference = sealed[1]["reference"]
    console.print(
        f"[bold]epoch {epoch}[/bold] {outcome['status']}"
        f"{': ' + outcome['reason'] if outcome['reason'] else ''}"
        f" | orders in {sealed[1]['candidates']}, filled {counts['filled'] + counts['partial']}"
        f" ({counts['partial']} partly), carried {carried}, rejected {counts['rejected']}"
        f" | proof: {proof_mode_text(outcome['mode'])}",
        soft_wrap=True,
    )
    if outcome["status"] == "settled":
        source = f"{reference['source']} {reference['published']}"
        prices = prices_line(ctx, sealed[0], outcome)
        console.print(f"  prices ({source}): {prices}", soft_wrap=True)
    spent = outcome["stages"]
    seconds = ", ".join(f"{name} {spent[name] / 1000:.2f}" for name in STAGES if name in spent)
    console.print(f"  seconds: {seconds}", soft_wrap=True)
    return True


def prices_line(ctx: Context, manifest: Any, outcome: dict[str, Any]) -> str:
    """Clearing prices in numeraire units."""
    opening, _ = sealed_epoch(ctx.store, manifest)
    frozen = proposal_from_json(get_json(ctx.store, outcome["proposal"]))
    registry = opening.registry
    return " ".join(
        f"{asset.id} {registry.price_text(place, frozen.prices[place])}"
        for place, asset in enumerate(registry.assets)
    )


@dataclass(frozen=True, slots=True)
class Report:
    """What must add up at the end.

    Attributes
    ----------
    lost : orders sent without any outcome.
    doubled : orders with more than one final outcome.
    waiting : orders that are still open, carried or parked; to wait is their one outcome.
    minted, held : base units by asset: supply, and the sum over all vaults.
    """

    sent: int
    by_status: dict[str, int]
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    waiting: int
    minted: dict[str, int]
    held: dict[str, int]

    @property
    def adds_up(self) -> bool:
        """Whether every order has exactly one outcome and no unit is missing."""
        return not self.lost and not self.doubled and self.minted == self.held


def make_report(
    sent: dict[str, str], ledger: Ledger, minted: dict[str, int], held: dict[str, int]
) -> Report:
    """Compare what was sent with what came of it."""
    return Report(
        sent=len(sent),
        by_status=dict(Counter(ledger.outcome[name] for name in sent if name in ledger.outcome)),
        lost=tuple(name for name in sent if name not in ledger.outcome),
        doubled=tuple(name for name in sent if ledger.finals[name] > 1),
        waiting=sum(ledger.then.get(name) == "carried" for name in sent),
        minted=minted,
        held=held,
    )


def print_report(console: Console, report: Report) -> None:
    """Print the report for people."""
    table = Table(title="Report", show_header=False)
    table.add_row("orders sent", str(report.sent))
    for status, count in sorted(report.by_status.items()):
        table.add_row(f"  {status}", str(count))
    table.add_row("  of these still open (carried)", str(report.waiting))
    table.add_row("without an outcome", str(len(report.lost)))
    table.add_row("with more than one outcome", str(len(report.doubled)))
    for asset, minted in report.minted.items():
        same = "=" if minted == report.held[asset] else "!="
        table.add_row(f"{asset}: minted {same} held", f"{minted} {same} {report.held[asset]}")
    console.print(table)
    if report.adds_up:
        console.print("[green]Every order has exactly one outcome; every unit is accounted for.")
    else:
        console.print("[red]The report does not add up.")
