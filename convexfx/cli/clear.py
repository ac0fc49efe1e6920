"""``convexfx clear`` and ``convexfx verify``: a batch file in, a certified result out, and back.

These two need no exchange around them: a batch is cleared and its result checked from files alone.
``verify`` loads no solver, so that trust in a result rests on the integer laws only; the clearing
is imported by ``clear`` alone, when it runs.
"""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from convexfx_core.arithmetic.columns import Spread
from convexfx_core.clear_files.batch import BatchFile, read_batch
from convexfx_core.clear_files.document import Tree, refusal_document, result_document
from convexfx_core.clear_files.text import error_text
from convexfx_core.clear_files.verify import claims_of, verify_result
from convexfx_core.errors import (
    ClearingCode,
    ClearingRefused,
    CodecError,
    ConvexFxError,
    LawViolated,
)
from convexfx_core.laws.certify import check_clearing
from convexfx_core.laws.names import LAW_NAMES
from convexfx_core.laws.predicates import refuse_unsteady
from convexfx_core.limits import BUNDLE_BYTES_MAX
from convexfx_core.market.decimal_text import amount_text
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import settle
from tasks.adapters.capped_file import read_file

EXIT_REFUSED: Final = 1
EXIT_MALFORMED: Final = 2


class SolverName(StrEnum):
    """Solvers that may be asked for; ``auto`` tries them in turn."""

    AUTO = "auto"
    NDAS = "ndas"
    QP = "qp"


def clear(
    batch: Annotated[Path, typer.Argument(help="Batch file (JSON), docs/clear-files.md.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Result file; without it, the screen.")
    ] = None,
    solver: Annotated[SolverName, typer.Option(help="Solver to use.")] = SolverName.AUTO,
) -> None:
    """Clear a batch file: one price for each asset, a fill for each order, a certificate.

    Exits 0 when the result is certified, 1 when the clearing is refused, 2 for a malformed file.
    """
    tree = clear_document(_batch(batch), solver)
    text = json.dumps(tree, sort_keys=True, separators=(",", ":")) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        _write(output, text)
    if tree["status"] != "certified":
        typer.echo(tree["reason"], err=True)
        raise typer.Exit(EXIT_REFUSED)


def verify(
    batch: Annotated[Path, typer.Argument(help="Batch file (JSON).")],
    result: Annotated[Path, typer.Argument(help="Result file that claims to clear it.")],
) -> None:
    """Check a result with the integer laws alone, without any solver.

    Exits 0 when every law holds, 1 with the law that does not, 2 for a malformed file.
    """
    case = _batch(batch)
    try:
        with _threads() as pool:
            certificate = verify_result(case, _read(result), spread=pool.map)
    except LawViolated as error:
        typer.echo(f"{error.line()} ({LAW_NAMES[error.law]})", err=True)
        raise typer.Exit(EXIT_REFUSED) from error
    except CodecError as error:
        raise _malformed(result, error) from error
    gap = amount_text(certificate.gap, case.assets[0].decimals)
    off = error_text(max(map(abs, certificate.residual)))
    numeraire = case.assets[0].id
    typer.echo(
        f"certified: {certificate.fills} fills, gap at most {gap} {numeraire}, "
        f"prices within {off} bps of the price rule"
    )


def clear_document(batch: BatchFile, solver: str = "auto") -> Tree:
    """Clear a batch; the tree of its result with ``timing_ms``, or of a refusal."""
    from convexfx_core.clearing import propose

    started = time.perf_counter()
    try:
        proposal = propose(batch.case, solver=SolverName(solver).value)
        solved = time.perf_counter()
        with _threads() as pool:
            tree = _certified(batch, proposal, pool.map)
    except ClearingRefused as refusal:
        return refusal_document(refusal.line())
    ended = time.perf_counter()
    seconds = {"solve": solved - started, "certify": ended - solved}
    tree["timing_ms"] = {name: round(1e3 * value, 3) for name, value in seconds.items()}
    return tree


def _threads() -> ThreadPoolExecutor:
    """A pool of one thread a core for the blocks of large batches; small ones start none."""
    return ThreadPoolExecutor(os.cpu_count())


def _certified(batch: BatchFile, proposal: Proposal, spread: Spread = map) -> Tree:
    refuse_unsteady(proposal)
    settlement = settle(batch.case, proposal, spread=spread)
    claims = claims_of(proposal, settlement)
    try:
        certificate = check_clearing(batch.case, claims, spread=spread)
    except LawViolated as error:
        raise ClearingRefused(
            ClearingCode.NO_CERTIFICATE, error.code, "a law that holds", error.line()
        ) from error
    return result_document(batch, proposal, settlement, certificate)


def _batch(path: Path) -> BatchFile:
    try:
        return read_batch(_read(path))
    except CodecError as error:
        raise _malformed(path, error) from error


def _read(path: Path) -> bytes:
    try:
        return read_file(path, BUNDLE_BYTES_MAX)
    except OSError as error:
        typer.echo(f"{path}: cannot be read: {error.strerror}", err=True)
        raise typer.Exit(EXIT_MALFORMED) from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        typer.echo(f"{path}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(EXIT_MALFORMED) from error


def _malformed(path: Path, error: ConvexFxError) -> typer.Exit:
    typer.echo(f"{path}: {error.line()}", err=True)
    return typer.Exit(EXIT_MALFORMED)
