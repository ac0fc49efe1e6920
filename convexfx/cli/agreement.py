"""``convexfx submit-domain-agreement`` and ``check-domain-agreement``.

A domain agreement tells the settlement layer which law program, attestor and proof mode an exchange
settles by. The operator registers it once before the first epoch, and again when one of them
changes; ``convexfx run`` refuses to start without an active one.
"""

from typing import Annotated

import typer

from convexfx.cli.options import Config, Json, load_settings


def submit(
    config: Config = None,
    fee: Annotated[int | None, typer.Option(min=0, help="Plancks; default: the setting.")] = None,
) -> None:
    """Register the domain with its law program and its proof mode, and no other mode.

    Active from the next delta epoch.
    """
    from convexfx.agreement import signed_agreement
    from tasks.adapters.keys import read_key
    from tasks.adapters.wiring import context_from_settings, settlement_from_settings

    settings = load_settings(config)
    ctx = context_from_settings(settings)
    body = signed_agreement(
        ctx,
        read_key(settings.attestor),
        settings.fee if fee is None else fee,
        (ctx.proof_mode,),
    )
    made = settlement_from_settings(settings).register_agreement(body)
    typer.echo(
        f"agreement for shard {made.shard} registered; active from delta epoch {made.active_from}"
    )
    typer.echo("check it with: convexfx check-domain-agreement")


def check(config: Config = None, as_json: Json = False) -> None:
    """Check that the agreement is active for this configuration; exit 1 if it is not."""
    import json
    from dataclasses import asdict

    from convexfx.agreement import require_active
    from tasks.adapters.wiring import context_from_settings

    found = require_active(context_from_settings(load_settings(config)))
    if as_json:
        typer.echo(json.dumps(asdict(found), sort_keys=True))
        return
    modes = ", ".join(found.allowed_modes)
    typer.echo(f"active for shard {found.shard} since delta epoch {found.active_from}; {modes}")
