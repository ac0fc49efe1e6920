"""``convexfx test``: what an installation needs, tried one by one."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from convexfx.agreement import require_active
from convexfx.dry_epoch import run_dry_epoch
from convexfx_core.errors import ConvexFxError
from tasks.adapters.proof_modes import host_or_none, require_mode
from tasks.adapters.s3 import S3Store
from tasks.adapters.settings import Settings
from tasks.adapters.wiring import context_from_settings
from tasks.context import Context


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one check."""

    name: str
    passed: bool
    detail: str

    def to_json(self) -> dict[str, Any]:
        """The result as JSON."""
        return asdict(self)


def run_checks(config: Path | None) -> Iterator[Check]:
    """Settings, law program, store, queue, gateway, agreement, one dry epoch.

    A check that fails does not stop the others that can still run.
    """
    yield attempt("laws and one dry epoch", run_dry_epoch)
    holder: list[Context] = []

    def settings() -> str:
        loaded = Settings.load(config)
        holder.append(context_from_settings(loaded))
        return f"shard {loaded.shard} on {loaded.network}, proof mode {loaded.proof_mode}"

    yield attempt("settings", settings)
    yield attempt("law program", lambda: describe_program(Settings.load(config)))
    if holder:
        for name, check in peer_checks(holder[0]):
            yield attempt(name, check)


def peer_checks(ctx: Context) -> Iterator[tuple[str, Callable[[], str]]]:
    """Checks that need the configured peers."""

    def store() -> str:
        assert isinstance(ctx.store, S3Store)
        ctx.store.prove_semantics()
        return "conditional puts hold"

    def queue() -> str:
        depth = ctx.inbox.depth()
        return f"{depth.visible} messages wait, {depth.in_flight} in flight"

    def gateway() -> str:
        return f"{len(ctx.gateway.sdls())} SDLs, delta epoch {ctx.gateway.delta_epoch()}"

    def agreement() -> str:
        return f"active, program {require_active(ctx).program_hash[:16]}..."

    yield "store semantics", store
    yield "queue", queue
    yield "gateway", gateway
    yield "agreement", agreement


def describe_program(settings: Settings) -> str:
    """What this installation can run besides mode ``attested``.

    Raises
    ------
    ConvexFxError
        The configured mode cannot run here, or the program is not the pinned one.
    """
    require_mode(settings)
    host = host_or_none(settings)
    if host is None:
        return "none: Rust parts are not built (make rust), mode attested only"
    sp1 = host.selfcheck(with_vkey=False).get("sp1", "of unknown version")
    return f"guest {host.program.elf_sha256[:16]}..., SP1 {sp1}, key {host.program.vkey.hex()}"


def attempt(name: str, check: Callable[[], str]) -> Check:
    """Run a check; an expected failure is its result."""
    try:
        return Check(name, True, check())
    except ConvexFxError as error:
        return Check(name, False, error.line())
