"""``convexfx up`` and ``convexfx down``: the local stack.

``up`` reads the options, declares the exchange (``convexfx.local.exchange``) and runs it for people
(``convexfx.local.session``); ``down`` ends it from another terminal by its state file.
"""

import sys
from typing import Annotated

import typer

from convexfx.cli.options import PORT_MAX, STATE, Config, State


def up(
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Stop after that many settled epochs, with a report.")
    ] = None,
    traffic: Annotated[bool, typer.Option(help="Orders by alice, bob and charlie.")] = True,
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background.")] = False,
    proof: Annotated[
        str | None,
        typer.Option(
            help="attested, executed, core, compressed or gpu; never replaced by another. "
            "Default: executed where the Rust parts are built, else attested."
        ),
    ] = None,
    interval: Annotated[
        int | None, typer.Option(min=5, help="Seconds between scheduled epochs.")
    ] = None,
    api_port: Annotated[
        int | None,
        typer.Option(min=1, max=PORT_MAX, help="Page and API; default: the setting, 8080."),
    ] = None,
    prefect_port: Annotated[
        int, typer.Option(min=1, max=PORT_MAX, help="Prefect server with its UI.")
    ] = 4200,
    gateway_port: Annotated[int, typer.Option(min=1, max=PORT_MAX, help="Devnet gateway.")] = 3000,
    settlement_port: Annotated[
        int, typer.Option(min=1, max=PORT_MAX, help="Devnet settlement layer.")
    ] = 3100,
    aws_port: Annotated[int, typer.Option(min=1, max=PORT_MAX, help="LocalStack.")] = 4566,
    config: Config = None,
    state: State = STATE,
) -> None:
    """Start the whole exchange on this machine: store, queue, devnet, Prefect, workers, API.

    Mints six currencies, funds alice, bob and charlie and runs scheduled epochs until Ctrl-C.
    """
    from rich.console import Console

    from convexfx.local.detached import start_detached
    from convexfx.local.exchange import Ports, local_exchange
    from convexfx.local.progress import ConsoleProgress
    from convexfx.local.session import run_exchange
    from tasks.adapters.proof_modes import default_mode
    from tasks.adapters.settings import Settings

    console = Console()
    if detach:
        arguments = [word for word in sys.argv[1:] if word != "--detach"]
        started = start_detached(
            [sys.executable, "-m", "convexfx", *arguments], state, progress=ConsoleProgress(console)
        )
        for service in started.services:
            console.print(f"{service.name:16} {service.url}")
        console.print("stop it with: convexfx down")
        return
    settings = Settings.load(config)
    if proof is None and "proof_mode" not in settings.model_fields_set:
        proof, line = default_mode(settings)
        console.print(line)
    chosen = {"proof_mode": proof, "epoch_interval_s": interval}
    settings = settings.changed(**{key: value for key, value in chosen.items() if value})
    api = api_port or settings.api_port
    ports = Ports(api, gateway_port, settlement_port, prefect_port, aws_port)
    exchange = local_exchange(state, ports, settings)
    try:
        code = run_exchange(exchange, epochs=epochs, traffic=traffic, console=console)
    except KeyboardInterrupt:
        console.print("stopped")
        code = 0
    raise typer.Exit(code)


def down(state: State = STATE) -> None:
    """Stop the local stack of a state folder; nothing of it is left running."""
    from convexfx.local.detached import stop_stack

    found = stop_stack(state)
    if found is None:
        typer.echo("nothing is running")
        return
    typer.echo(f"stopped {len(found.services)} services")
