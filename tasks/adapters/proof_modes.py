"""Which proof modes this installation can run, and the host program that runs them.

Mode ``attested`` needs Python alone. Every other mode needs the law program and the built
``laws-host``, and ``gpu`` a GPU besides. A stack asks here before it starts, so that what is
missing is named at once; no mode is ever replaced by another in silence.
"""

from pathlib import Path
from typing import Final

from convexfx_core.errors import ConfigurationCode, ConfigurationError
from tasks.adapters.gpu import require_gpu
from tasks.adapters.law_program import LawProgram, read_law_program
from tasks.adapters.laws_host import LawsHost
from tasks.adapters.rust_parts import NOT_BUILT, rust_parts
from tasks.adapters.settings import Settings

NO_PROGRAM: Final = "no law program is installed (a wheel has none)"


def host_or_none(settings: Settings) -> LawsHost | None:
    """The host with the law program, ``None`` where one of them is missing."""
    program, binary = read_law_program(settings.law_program), host_binary(settings)
    if program is None or binary is None:
        return None
    return _host(settings, binary, program)


def host_of(settings: Settings) -> LawsHost:
    """The host with the law program.

    Raises
    ------
    ConfigurationError
        ``SETTING`` naming what is missing: the law program, or the built host.
    """
    program, binary = read_law_program(settings.law_program), host_binary(settings)
    if program is None:
        raise _missing("a law program (vkey.txt, laws-guest.elf.sha256)", settings.proof_mode)
    if binary is None:
        raise _missing(f"attested ({NOT_BUILT})", settings.proof_mode)
    return _host(settings, binary, program)


def host_binary(settings: Settings) -> Path | None:
    """Path of ``laws-host``: the setting's, else the one built for these sources."""
    if settings.laws_host is not None:
        return settings.laws_host
    parts = rust_parts()
    return parts.laws_host if parts else None


def require_mode(settings: Settings) -> None:
    """Check that this machine can run the configured mode; mode ``attested`` needs no check.

    Raises
    ------
    ConfigurationError
        ``SETTING`` naming what is missing.
    """
    if settings.proof_mode == "attested":
        return
    host_of(settings).program.require_unchanged()
    if settings.proof_mode == "gpu":
        require_gpu()


def default_mode(settings: Settings) -> tuple[str, str]:
    """The mode of a local stack for which nobody named one, and a line that explains it."""
    if host_or_none(settings) is None:
        without = NOT_BUILT if read_law_program(settings.law_program) else NO_PROGRAM
        return "attested", (
            f"proof mode attested, which is not a proof: {without}; the laws run in Python only"
        )
    return "executed", (
        "proof mode executed, which is not a proof: the guest runs in SP1's executor"
    )


def _host(settings: Settings, binary: Path, program: LawProgram) -> LawsHost:
    socket = settings.prover_socket
    return LawsHost(binary, program, socket, served=socket is not None)


def _missing(expected: str, mode: str) -> ConfigurationError:
    return ConfigurationError(ConfigurationCode.SETTING, "proof_mode", expected, mode)
