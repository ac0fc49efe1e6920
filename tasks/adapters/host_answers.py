"""What an answer of ``laws-host`` means: a result, a broken law, or a typed failure.

``laws_host`` and ``laws_serve`` run the program in two ways and read its answers here. The
difference decides what follows: a broken law ends the epoch, a lost prover or missing memory is
worth another try. The exit codes are those of ``sp1_worker/README.md``.
"""

import re
import signal
from dataclasses import dataclass
from typing import Any, Final

from convexfx_core.errors import (
    ConvexFxError,
    ExecutionCode,
    ExecutionError,
    LawViolated,
    ProofCode,
    ProofError,
)
from tasks.ports import Json

LAW_VIOLATED: Final = 10
GUEST_TRAPPED: Final = 11
FAILURES: Final = {
    12: (ProofCode.PROOF_INVALID, "a proof that holds"),
    13: (ProofCode.WRONG_VKEY, "a proof of the agreed program"),
    14: (ProofCode.OUT_OF_MEMORY, "memory for a proof"),
    15: (ProofCode.PROVER_ENVIRONMENT, "an environment that can prove; run `laws-host selfcheck`"),
}
_ALLOCATION: Final = re.compile(r"memory allocation of \d+ bytes failed|out of memory", re.I)
_INDEX: Final = re.compile(r"\bindex\W+(\d+)")
_SIDES: Final = re.compile(r"\bobserved:? (\S+?),? bound:? (\S+)")


@dataclass(frozen=True, slots=True)
class Executed:
    """A run of the guest that broke no law.

    Attributes
    ----------
    public_values : 392 bytes that the guest committed.
    cycles : instructions that the guest ran.
    milliseconds : time that the executor took.
    """

    public_values: bytes
    cycles: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Proven:
    """A proof that the host made and verified.

    Attributes
    ----------
    proof : bytes as saved.
    public_values : 392 bytes that it shows.
    vkey : 32 bytes, derived from the ELF that was proven.
    facts : cycles, seconds and peak memory, for the description.
    """

    proof: bytes
    public_values: bytes
    vkey: bytes
    facts: Json


def failure_of(code: int, answer: Json, last_words: str) -> ConvexFxError:
    """The error of an exit code that is not 0."""
    detail = str(answer.get("detail") or answer.get("message") or answer.get("error") or last_words)
    if code == LAW_VIOLATED and isinstance(answer.get("law"), int):
        return violation_of(answer, detail)
    if code == GUEST_TRAPPED:
        seen = detail or f"exit code {answer.get('exit_code')}"
        expected = "a guest that halts with exit code 0"
        return ExecutionError(ExecutionCode.GUEST_TRAPPED, "guest", expected, seen)
    if code in FAILURES:
        found, expected = FAILURES[code]
        return ProofError(found, "laws-host", expected, detail)
    if code < 0:
        return _signalled(-code, detail)
    expected = "an exit code of sp1_worker/README.md"
    return ProofError(
        ProofCode.PROVER_ENVIRONMENT, "laws-host", expected, f"{code} {detail}".strip()
    )


def _signalled(number: int, detail: str) -> ProofError:
    if _ALLOCATION.search(detail):
        return ProofError(ProofCode.OUT_OF_MEMORY, "laws-host", "memory for a proof", detail)
    name = signal.Signals(number).name
    return ProofError(ProofCode.PROVER_LOST, "laws-host", "an answer", f"ended by {name}")


def violation_of(answer: Json, detail: str) -> LawViolated:
    """The broken law of an answer.

    The guest writes the index into its text and, where that is cheap, both sides.
    """
    place, sides = _INDEX.search(detail), _SIDES.search(detail)
    index = answer.get("index", int(place.group(1)) if place else 0)
    observed = answer.get("observed", sides.group(1) if sides else detail)
    bound = answer.get("bound", sides.group(2) if sides else "what the law asks")
    return LawViolated(int(answer["law"]), int(index), observed, bound)


def hex_bytes(answer: Json, name: str, size: int) -> bytes:
    """A hexadecimal field of an answer.

    Raises
    ------
    ProofError
        ``PROVER_ENVIRONMENT``: it is missing or has another size.
    """
    text: Any = answer.get(name)
    try:
        value = bytes.fromhex(str(text).removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != size:
        expected = f"{size} bytes in hexadecimal"
        raise ProofError(ProofCode.PROVER_ENVIRONMENT, f"laws-host: {name}", expected, str(text))
    return value
