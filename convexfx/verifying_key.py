"""Where a verifier's key comes from: options first, then this installation's law program."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from convexfx.proofs import Key
from convexfx_core.errors import ConfigurationCode, ConfigurationError
from convexfx_core.limits import OBJECT_BYTES_MAX
from tasks.adapters.capped_file import read_file
from tasks.adapters.law_program import program_hash, read_law_program
from tasks.adapters.proof_modes import host_binary
from tasks.adapters.settings import Settings

_HASH: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys by proof mode.

    Attributes
    ----------
    vkey : program hash that the stranger trusts, hexadecimal; None: the installation's.
    vkey_file : serialised verifying key; None: the installation's.
    """

    settings: Settings
    vkey: str | None = None
    vkey_file: Path | None = None

    def key_of(self, mode: str) -> Key:
        """The key for a mode.

        Raises
        ------
        ConfigurationError
            ``SETTING``: it is no hash, or this installation has no law program.
        """
        program = read_law_program(self.settings.law_program)
        file = self.vkey_file or (program.vkey_file if program else None)
        if self.vkey is not None:
            chosen = bytes.fromhex(_hash_text(self.vkey))
        else:
            chosen = program_hash(mode, self.settings.law_program)
        return Key(chosen, file, host_binary(self.settings))


def _hash_text(text: str) -> str:
    found = _HASH.fullmatch(text)
    if found is None:
        raise ConfigurationError(
            ConfigurationCode.SETTING, "--vkey", "32 bytes in hexadecimal", text
        )
    return found.group(1)


def read_proof_file(path: Path) -> bytes:
    """Bytes of a file that somebody handed over; ``ConfigurationError`` if it cannot be read."""
    try:
        return read_file(path, OBJECT_BYTES_MAX)
    except OSError as error:
        raise ConfigurationError(
            ConfigurationCode.SETTING, str(path), "a readable file", error.strerror or str(error)
        ) from None
