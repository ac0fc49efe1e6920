"""Runs a local exchange for people: starts it, sends demo orders, prints each epoch and a report.

This is what ``convexfx up`` does in the foreground. The supervisor keeps the services alive; the
session looks at the chain once a second, as any other reader of the object store could.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from rich.console import Console

from convexfx.local.exchange import Exchange
from convexfx.local.genesis import USERS, key_of
from convexfx.local.localstack import use_local_aws
from convexfx.local.progress import ConsoleProgress
from convexfx.local.supervisor import Stack
from convexfx.local.traffic import Traffic
from convexfx.local.watch import Ledger, Report, make_report, print_epoch, print_report
from convexfx.wallet.signing import Wallet
from tasks.adapters.gateway_http import HttpSettlement
from tasks.adapters.wiring import context_from_settings
from tasks.chain import read_head
from tasks.context import Context
from tasks.peer_answers import member, object_of, whole_of

POLL_S: Final = 1.0


@dataclass(slots=True)
class Session:
    """One run of the exchange.

    Attributes
    ----------
    console : where lines go.
    epochs : settled epochs after which it stops; None: it goes on until it is ended.
    traffic : makes the demo's orders; None: none are sent.
    printed : last epoch that was printed.
    """

    ctx: Context
    console: Console
    epochs: int | None
    traffic: Traffic | None
    ledger: Ledger = field(default_factory=Ledger)
    printed: int = 0
    _next: float = 0.0

    def start(self) -> None:
        """Send the first wave."""
        self._send_wave()

    def done(self) -> bool:
        """Look at the chain once a second; whether enough epochs have settled."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + POLL_S
        while self.printed < read_head(self.ctx.store).epoch and print_epoch(
            self.console, self.ctx, self.printed + 1, self.ledger
        ):
            self.printed += 1
            if not self._enough():
                self._send_wave()
        return self._enough()

    def _enough(self) -> bool:
        return self.epochs is not None and self.ledger.settled >= self.epochs

    def _send_wave(self) -> None:
        if self.traffic is None:
            return
        epoch = self.printed + 1
        quotes = self.ctx.prices.at(datetime.now(UTC), epoch)
        count = self.traffic.wave(self.ctx.inbox, quotes, epoch)
        self.console.print(f"[dim]{count} orders dropped in the inbox for epoch {epoch}[/dim]")

    def report(self, minted: dict[str, int], settlement: HttpSettlement) -> Report:
        """Compare orders sent with receipts, and supply with the vaults."""
        supply = settlement.supply()
        tokens = {asset.id: str(asset.token) for asset in self.ctx.domain.registry.assets}
        held = {
            name: member(member(supply, token, "supply", object_of), "held", token, whole_of)
            for name, token in tokens.items()
        }
        sent = self.traffic.sent if self.traffic else {}
        return make_report(sent, self.ledger, minted, held)


def run_exchange(
    exchange: Exchange,
    *,
    epochs: int | None,
    traffic: bool,
    console: Console,
    ready: Callable[[], None] = lambda: None,
) -> int:
    """Start the exchange and watch it until enough epochs settled or somebody ends it.

    Returns
    -------
    0; 1 when the report does not add up.
    """
    level = exchange.settings.log_level
    progress = ConsoleProgress(console)
    with Stack(exchange.parts(), exchange.folder, level=level, progress=progress) as stack:
        use_local_aws(exchange.aws()["AWS_ENDPOINT_URL"])
        ctx = context_from_settings(exchange.settings)
        print_addresses(console, exchange)
        session = Session(ctx, console, epochs, demo_traffic(exchange, ctx) if traffic else None)
        session.start()
        ready()
        stack.watch(session.done)
        settlement = HttpSettlement(exchange.settings.base_layer_rpc)
        report = session.report(exchange.genesis[0].minted, settlement)
        settlement.close()
        print_report(console, report)
        return 0 if report.adds_up else 1


def demo_traffic(exchange: Exchange, ctx: Context) -> Traffic:
    """Wallets of alice, bob and charlie with their next nonces."""
    wallets = {name: Wallet(key_of(exchange.folder, name), ctx.domain) for name in USERS}
    nonces = {name: ctx.gateway.next_nonce(wallet.owner) for name, wallet in wallets.items()}
    return Traffic(wallets, nonces)


def print_addresses(console: Console, exchange: Exchange) -> None:
    """Print the addresses of page, API and Prefect, and where keys and logs lie."""
    quoted = exchange.genesis[0].quoted.isoformat()
    console.print(f"page and API      {exchange.api_url}")
    console.print(f"Prefect UI        {exchange.prefect_url}")
    console.print(f"PREFECT_API_URL   {exchange.prefect_url}/api")
    console.print(f"keys, logs        {exchange.folder}")
    console.print(f"reference prices  ECB, replayed from {quoted}; a scheduled epoch every "
                  f"{exchange.settings.epoch_interval_s} s")  # fmt: skip
