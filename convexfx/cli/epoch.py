"""``convexfx epoch``: list, show, replay, explain, export.

These commands read the chain of epochs in the object store and change nothing. ``replay`` computes
every object again, so that nobody has to believe the exchange that wrote them.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from convexfx.cli.options import Config, Json, Number, load_settings, order_id_of

app = typer.Typer(no_args_is_help=True)


def _store(config: Path | None) -> Any:
    from tasks.adapters.s3 import S3Store

    return S3Store(load_settings(config).bucket)


@app.command("list")
def list_epochs(config: Config = None, as_json: Json = False) -> None:
    """Print one line for each epoch of the chain."""
    from convexfx.epochs import epoch_rows

    rows = list(epoch_rows(_store(config)))
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(
            f"{row['epoch']:>6} {row['status']:8} orders {row['orders']} fills {row['fills']} "
            f"proof {row['mode'] or 'none'} {row['reason'] or ''}".rstrip()
        )


@app.command()
def show(number: Number, config: Config = None, as_json: Json = False) -> None:
    """Print outcome, verdict and objects of an epoch."""
    from convexfx.epochs import epoch_document, epoch_lines

    document = epoch_document(_store(config), number)
    if as_json:
        typer.echo(json.dumps(document, sort_keys=True))
        return
    for line in epoch_lines(document):
        typer.echo(line)


@app.command()
def replay(number: Number, config: Config = None, as_json: Json = False) -> None:
    """Recompute every object of an epoch from its public objects; exit 1 naming what differs."""
    from tasks.replay import replay_epoch

    findings = replay_epoch(_store(config), number)
    wrong = [finding for finding in findings if not finding.holds]
    if as_json:
        typer.echo(json.dumps([finding.to_json() for finding in findings]))
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.holds else 'FAIL'} {finding.name}: {finding.detail}")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def explain(
    order_id: Annotated[str, typer.Argument(help="Order id, hexadecimal.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Tell what became of an order, epoch by epoch, and why; exit 1 if no epoch knows it."""
    from convexfx.epochs import order_history, order_lines

    history = list(order_history(_store(config), order_id_of(order_id)))
    if as_json:
        typer.echo(json.dumps(history))
    else:
        for line in order_lines(order_id, history):
            typer.echo(line)
    raise typer.Exit(0 if history else 1)


@app.command()
def export(
    number: Number,
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Copy every public object of an epoch into a folder, under its key."""
    from convexfx.epochs import export_epoch

    keys = list(export_epoch(_store(config), number, folder))
    for line in [json.dumps(keys)] if as_json else keys:
        typer.echo(line)
