"""``convexfx``: names the commands and turns an expected failure into one line and an exit code.

Exit 0: the command is done. Exit 1: what was checked does not hold. Exit 2: the command was used or
configured wrongly, or its input is malformed. Exit 3: another service does not answer, so that it
may help to try again.
"""

import sys
from importlib.metadata import version
from typing import Annotated, Final

import typer

from convexfx.cli import agreement, clear, epoch, executor, proof, stack, wallet
from convexfx_core.errors import (
    CodecError,
    CommitUnknown,
    ConfigurationError,
    ConvexFxError,
    PeerUnreachable,
    ProofCode,
    ProofError,
    RejectedOrder,
)

USAGE_ERRORS: Final = (ConfigurationError, CodecError, RejectedOrder)
PEER_ERRORS: Final = (PeerUnreachable, CommitUnknown)

app = typer.Typer(
    name="convexfx",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def show_version(wanted: bool) -> None:
    """Print the version of the installed package, which ``pyproject.toml`` alone sets, and end."""
    if wanted:
        typer.echo(version("convexfx-delta"))
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=show_version, help="Print the version."),
    ] = False,
) -> None:
    """A batch FX exchange whose every epoch is proven fair."""


for command in (stack.up, stack.down, executor.run, clear.clear, clear.verify, proof.prove):
    app.command()(command)
app.command("test")(executor.self_test)
app.command("submit-domain-agreement")(agreement.submit)
app.command("check-domain-agreement")(agreement.check)
app.add_typer(epoch.app, name="epoch", help="Read the chain of epochs.")
app.add_typer(proof.proof_app, name="proof", help="Verify an epoch's proof; the program hash.")
app.add_typer(proof.witness_app, name="witness", help="What a proof is about, in words.")
app.add_typer(wallet.app, name="wallet", help="Keys, orders, balances: the wallet's side.")


def exit_code(error: ConvexFxError) -> int:
    """Exit code of an expected failure."""
    if isinstance(error, PEER_ERRORS):
        return 3
    if isinstance(error, ProofError) and error.passing:
        return 3
    if isinstance(error, USAGE_ERRORS) or error.code == ProofCode.PROVER_ENVIRONMENT:
        return 2
    return 1


def main() -> None:
    """Run a command; expected failures are one line on standard error."""
    try:
        app()
    except ConvexFxError as error:
        hint = f" (see `{error.helps}`)" if error.helps else ""
        print(f"convexfx: {error.line()}{hint}", file=sys.stderr)
        sys.exit(exit_code(error))
