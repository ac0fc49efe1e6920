"""The pinned law program: the guest's ELF, its SHA-256, and the verifying key that names it.

The guest is the laws compiled for SP1. An agreement whose epochs are executed or proven names it by
the key in ``vkey.txt``, and each worker checks that its own copy is that one before it proves. The
files stand in ``sp1_worker/elf`` of a checkout. A wheel has none: there the setting ``law_program``
names their folder, or only mode ``attested`` works.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from convexfx_core.encoding.hashing import TAG_PROGRAM, tagged_hash
from convexfx_core.errors import ConfigurationCode, ConfigurationError, ProofCode, ProofError

LAW_SET: Final = "convexfx-laws-2"
FOLDER: Final = Path(__file__).resolve().parents[2] / "sp1_worker" / "elf"
_HEX: Final = re.compile(r"(?:0x)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class LawProgram:
    """The guest program of one folder.

    Attributes
    ----------
    folder : where its files stand.
    vkey : 32 bytes, the program hash of an agreement.
    elf_sha256 : of the ELF that the key belongs to, hexadecimal.
    """

    folder: Path
    vkey: bytes
    elf_sha256: str

    @property
    def elf(self) -> Path:
        """The guest."""
        return self.folder / "laws-guest.elf"

    @property
    def vkey_file(self) -> Path:
        """Serialised verifying key, which a verifier needs instead of the ELF."""
        return self.folder / "vkey.bin"

    def require_unchanged(self) -> None:
        """Check that the ELF is the pinned one.

        Raises
        ------
        ProofError
            ``PROVER_ENVIRONMENT``: it is missing, or its bytes hash to something else.
        """
        try:
            found = hashlib.sha256(self.elf.read_bytes()).hexdigest()
        except OSError as error:
            found = error.strerror or str(error)
        if found != self.elf_sha256:
            expected = f"sha256 {self.elf_sha256}"
            raise ProofError(ProofCode.PROVER_ENVIRONMENT, self.elf.name, expected, found)

    def require_agreed(self, program_hash: bytes) -> None:
        """Check that ``program_hash`` names this program.

        Raises
        ------
        ProofError
            ``WRONG_VKEY``: it names another one.
        """
        if program_hash != self.vkey:
            raise ProofError(
                ProofCode.WRONG_VKEY, "program_hash", self.vkey.hex(), program_hash.hex()
            )


def read_law_program(folder: Path | None = None) -> LawProgram | None:
    """The law program of a folder, ``None`` where there is none.

    Parameters
    ----------
    folder : default ``sp1_worker/elf`` of this checkout; a folder that is named must hold one.

    Raises
    ------
    ConfigurationError
        ``SETTING`` for files that are missing from a named folder or do not hold hashes.
    """
    chosen = folder or FOLDER
    if folder is None and not (chosen / "vkey.txt").is_file():
        return None
    vkey = _hash_in(chosen / "vkey.txt")
    return LawProgram(chosen, bytes.fromhex(vkey), _hash_in(chosen / "laws-guest.elf.sha256"))


def program_hash(mode: str, folder: Path | None = None) -> bytes:
    """Program hash of a proof mode, 32 bytes.

    Raises
    ------
    ConfigurationError
        ``SETTING``: the mode needs the law program, which this installation does not have.
    """
    if mode == "attested":
        return tagged_hash(TAG_PROGRAM, LAW_SET.encode("ascii"))
    program = read_law_program(folder)
    if program is None:
        raise ConfigurationError(
            ConfigurationCode.SETTING, "proof_mode",
            "attested (no law program is installed; `law_program` names its folder)", mode,
        )  # fmt: skip
    return program.vkey


def _hash_in(path: Path) -> str:
    try:
        words = path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        words = [type(error).__name__]
    found = _HEX.fullmatch(words[0]) if words else None
    if found is None:
        raise ConfigurationError(
            ConfigurationCode.SETTING, "law_program", f"{path} with 32 bytes in hexadecimal",
            words[0] if words else "nothing",
        )  # fmt: skip
    return found.group(1)
