"""``convexfx run`` and ``convexfx test``: the executor against configured endpoints, its self-test.

``up`` brings its own store, queue and network; ``run`` works with those that the settings name.
``test`` tries each of them first, so that a wrong setting shows before an epoch depends on it.
"""

from typing import Annotated

import typer

from convexfx.cli.options import PORT_MAX, Config, Json, find_stack, load_settings


def run(
    config: Config = None,
    api_port: Annotated[
        int | None, typer.Option(min=1, max=PORT_MAX, help="Port of page and API.")
    ] = None,
    prefect_url: Annotated[
        str,
        typer.Option(envvar="PREFECT_API_URL", help="Prefect server; started if none answers."),
    ] = "http://127.0.0.1:4200/api",
) -> None:
    """Check the agreement, read back the chain, serve the API, run the schedule.

    Needs the AWS variables; refuses to start without an active agreement.
    """
    from convexfx.executor import run_executor

    settings = load_settings(config)
    if api_port is not None:
        settings = settings.changed(api_port=api_port)
    raise typer.Exit(run_executor(settings, prefect_url))


def self_test(config: Config = None, as_json: Json = False) -> None:
    """Test settings, store semantics, queue, gateway and law program; run one dry epoch."""
    import json

    from convexfx.selftest import run_checks

    find_stack(config)
    results = list(run_checks(config))
    if as_json:
        typer.echo(json.dumps([result.to_json() for result in results]))
    else:
        for result in results:
            typer.echo(f"{'ok  ' if result.passed else 'FAIL'} {result.name}: {result.detail}")
    raise typer.Exit(0 if all(result.passed for result in results) else 1)
