"""``convexfx run``: the executor against configured endpoints."""

from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from convexfx.agreement import require_active
from convexfx.local.exchange import Exchange, Ports
from convexfx.local.progress import ConsoleProgress
from convexfx.local.supervisor import Stack
from convexfx_core.errors import CommitConflict
from convexfx_core.identity import base58_encode
from tasks.adapters.s3 import S3Store
from tasks.adapters.settings import Settings
from tasks.adapters.wiring import context_from_settings
from tasks.chain import read_head
from tasks.context import Context

STATE = Path(".convexfx") / "executor"


def run_executor(settings: Settings, prefect_url: str, console: Console | None = None) -> int:
    """Check what must hold, then serve the API and run the schedule until somebody ends it.

    Raises
    ------
    ConfigurationError
        A setting is wrong, or the store ignores conditional puts.
    AgreementError
        There is no active agreement; the text names the command that helps.
    PeerUnreachable
        A service does not answer.
    """
    shown = console or Console()
    ctx = context_from_settings(settings)
    for line in check_ground(ctx):
        shown.print(line)
    ports = Ports(api=settings.api_port, prefect=urlsplit(prefect_url).port or 4200)
    exchange = Exchange(STATE, ports, settings)
    parts, level = exchange.executor_parts(), settings.log_level
    with Stack(parts, STATE, level=level, progress=ConsoleProgress(shown)) as stack:
        shown.print(f"page and API {exchange.api_url}; Prefect UI {exchange.prefect_url}")
        try:
            stack.watch()
        except KeyboardInterrupt:
            shown.print("stopped")
    return 0


def check_ground(ctx: Context) -> list[str]:
    """Store semantics, agreement, chain and gateway's view; a line on each.

    Raises
    ------
    CommitConflict
        The gateway's pool is behind the chain: it is another network, or it lost its state.
    """
    assert isinstance(ctx.store, S3Store)
    ctx.store.prove_semantics()
    agreement = require_active(ctx)
    head = read_head(ctx.store)
    pool = base58_encode(ctx.domain.pool.owner)
    nonce = ctx.gateway.next_nonce(pool) - 1
    settled = int(head.outcome.get("pool_nonce", 0))
    if nonce < settled:
        raise CommitConflict("pool nonce at the gateway", f"at least {settled}", nonce)
    modes = ", ".join(agreement.allowed_modes)
    return [
        "store      conditional puts hold",
        f"agreement  active for shard {agreement.shard} since delta epoch {agreement.active_from}"
        f"; modes {modes}",
        f"chain      {head.epoch} epochs with an outcome",
        f"gateway    pool {pool}, nonce {nonce}",
    ]
