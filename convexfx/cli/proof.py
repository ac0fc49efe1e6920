"""``convexfx prove``, ``proof vkey``, ``proof verify`` and ``witness dump``.

``prove`` is the operator's: it asks for a proof of a cleared epoch. The others are for anybody:
they need the epoch's public objects, its proof and the verifying key, and can do without the
exchange when ``epoch export`` has copied the objects into a folder.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from convexfx.cli.options import Config, Json, Number, load_settings
from convexfx_core.errors import ConfigurationCode, ConfigurationError

proof_app = typer.Typer(no_args_is_help=True)
witness_app = typer.Typer(no_args_is_help=True)
Folder = Annotated[
    Path | None, typer.Option("--folder", help="Objects of `epoch export` instead of the bucket.")
]


def _store(config: Path | None, folder: Path | None = None) -> Any:
    from convexfx.proofs import folder_store
    from tasks.adapters.s3 import S3Store

    return S3Store(load_settings(config).bucket) if folder is None else folder_store(folder)


def prove(
    number: Number,
    mode: Annotated[
        str | None,
        typer.Option(help="attested, executed, core, compressed or gpu; default: the setting."),
    ] = None,
    pool: Annotated[
        bool, typer.Option("--pool", help="Ask the flow prove on pool sp1-gpu, not this machine.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ask for a proof of a cleared epoch in one mode, and wait for it."""
    from convexfx.prove_epoch import prove_epoch
    from tasks.report import proof_mode_text

    settings = load_settings(config)
    if mode is not None:
        settings = settings.changed(proof_mode=mode)

    def show(fraction: float, stage: str) -> None:
        typer.echo(f"{100 * fraction:3.0f} % {stage}", err=True)

    made = prove_epoch(settings, _store(config), number, pool=pool, progress=show)
    if as_json:
        typer.echo(json.dumps(made.description, sort_keys=True))
        return
    described = made.description
    typer.echo(f"epoch {number}: mode {proof_mode_text(described['mode'])}")
    typer.echo(f"{made.proof_key} {described['proof_bytes']} bytes {described['proof_sha256']}")
    typer.echo(f"{made.description_key}")


@proof_app.command()
def vkey(
    derive: Annotated[
        bool, typer.Option("--derive", help="Derive it from the ELF again and compare.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print the program hash of agreements whose epochs are executed or proven."""
    from tasks.adapters.law_program import program_hash, read_law_program
    from tasks.adapters.proof_modes import host_or_none

    settings = load_settings(config)
    key = program_hash("core", settings.law_program).hex()
    program = read_law_program(settings.law_program)
    assert program is not None
    program.require_unchanged()
    if derive:
        host = host_or_none(settings)
        if host is None:
            needed = "laws-host, which derives it (make rust)"
            raise ConfigurationError(ConfigurationCode.SETTING, "--derive", needed, "none")
        program.require_agreed(host.vkey())
    found = {"vkey": key, "elf_sha256": program.elf_sha256, "derived": derive}
    typer.echo(json.dumps(found, sort_keys=True) if as_json else key)


@proof_app.command()
def verify(
    number: Number,
    folder: Folder = None,
    mode: Annotated[
        str, typer.Option(help="Of the proof; default: the one that settled the epoch.")
    ] = "",
    proof: Annotated[
        Path | None, typer.Option(help="Proof file; default: the stored proof.")
    ] = None,
    vkey: Annotated[
        str | None, typer.Option(help="Program hash, hexadecimal; default: this installation's.")
    ] = None,
    vkey_file: Annotated[
        Path | None, typer.Option(help="Serialised verifying key (vkey.bin).")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Verify an epoch's proof as a stranger: recompute every public value, then the proof itself.

    Needs the proof file, the verifying key and the epoch's public objects; says which mode made it.
    """
    from convexfx.proofs import verify_epoch
    from convexfx.verifying_key import KeyRing, read_proof_file

    keys = KeyRing(load_settings(config), vkey, vkey_file)
    body = read_proof_file(proof) if proof is not None else None
    found = verify_epoch(_store(config, folder), number, keys.key_of, mode, body)
    if as_json:
        typer.echo(json.dumps(found.to_json(), sort_keys=True))
        return
    for line in found.lines():
        typer.echo(line)


@witness_app.command()
def dump(
    number: Number,
    folder: Folder = None,
    file: Annotated[
        Path | None, typer.Option(help="A witness file instead of the epoch's witness.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print the witness of an epoch in words, section by section."""
    from convexfx.verifying_key import read_proof_file
    from convexfx.witness_text import read_witness, witness_json, witness_lines

    if file is not None:
        body = read_proof_file(file)
    else:
        body = read_witness(_store(config, folder), number)
    if as_json:
        typer.echo(json.dumps(witness_json(body)))
        return
    for line in witness_lines(body):
        typer.echo(line)
