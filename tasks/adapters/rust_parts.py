"""The Rust parts as built on this machine: which binaries there are, and where.

``make rust`` builds them into a folder outside the checkout. The folder is named by a key of their
sources (``scripts/rust-bin.sh``), so a stale binary is never taken for the current one. Without
them everything still works in mode ``attested``.
"""

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from convexfx_core.errors import ConfigurationCode, ConfigurationError

OVERRIDE: Final = "CONVEXFX_RUST_BIN"
ROOT: Final = Path(__file__).resolve().parents[2]
SCRIPT: Final = ROOT / "scripts" / "rust-bin.sh"
NOT_BUILT: Final = "Rust parts are not built: make rust"


@dataclass(frozen=True, slots=True)
class RustParts:
    """Binaries of one state of the Rust sources, and the guest that stands in the checkout.

    ``folder`` holds them; its name is the key of the sources.
    """

    folder: Path

    @property
    def laws_check(self) -> Path:
        """Runs the laws natively: witnesses in, verdicts out."""
        return self.folder / "laws-check"

    @property
    def laws_check_canary(self) -> Path:
        """The same with laws that can be switched off, for the attack suite alone."""
        return self.folder / "laws-check-canary"

    @property
    def laws_host(self) -> Path:
        """Executes, proves and verifies on SP1."""
        return self.folder / "laws-host"

    @property
    def elf(self) -> Path:
        """The pinned guest."""
        return ROOT / "sp1_worker" / "elf" / "laws-guest.elf"

    @property
    def vkey_file(self) -> Path:
        """The pinned guest's verifying key, as ``laws-host`` reads it."""
        return self.elf.with_name("vkey.bin")

    def complete(self) -> bool:
        """Whether every binary is there and may be run."""
        binaries = (self.laws_check, self.laws_check_canary, self.laws_host)
        return all(os.access(path, os.X_OK) for path in binaries)


def rust_parts() -> RustParts | None:
    """The Rust parts of the sources as they stand, ``None`` where they are not built.

    The environment variable ``CONVEXFX_RUST_BIN`` names another folder of binaries; empty, it means
    to do without.

    Raises
    ------
    ConfigurationError
        ``SETTING``: the variable names a folder in which a binary is missing.
    """
    named = os.environ.get(OVERRIDE)
    if named is None:
        folder = _built_folder()
        parts = RustParts(folder) if folder else None
        return parts if parts and parts.complete() else None
    if not named:
        return None
    parts = RustParts(Path(named))
    if not parts.complete():
        raise ConfigurationError(
            ConfigurationCode.SETTING,
            OVERRIDE,
            "a folder with laws-check, laws-check-canary and laws-host",
            named,
        )
    return parts


@cache
def _built_folder() -> Path | None:
    """Where ``make rust`` puts the binaries of this checkout; ``None`` outside a checkout."""
    if not SCRIPT.is_file():
        return None
    found = subprocess.run([str(SCRIPT)], capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None
