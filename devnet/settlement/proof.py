"""Proof envelopes, and what each mode of proof has to show.

An envelope carries mode, public values and proof. ``attested`` and ``executed`` show the attestor's
signature of the public values; every other mode shows a proof, which a verifier program checks with
the agreed program hash. ``chain`` asks for the terms first and for the proof last.
"""

import json
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devnet.settlement.agreement import Agreement, signed_by
from devnet.settlement.codec import unbase64, unhex
from devnet.settlement.invalid import Invalid

FORMAT: Final = "devnet-v1-proof"
_KEYS: Final = frozenset(
    ("format", "mode", "program_hash", "public_values", "proof", "reference",
     "fees_accrued_after")
)  # fmt: skip
VERIFIER_SECONDS: Final = 240
"""Seconds for the verifier; the gateway waits longer than this for its answer."""
PROOF_KINDS: Final = {"gpu": "compressed"}
"""Kind of a mode's proof, for modes that are not named after it."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Decoded proof envelope of section 8.

    Attributes
    ----------
    reference : bytes of the reference section.
    fees_after : accrued fees after the epoch, base units, registry order.
    attestation : attestor's signature beside a proof of mode ``executed``.
    """

    mode: str
    program_hash: bytes
    public_values: bytes
    proof: bytes
    reference: bytes
    fees_after: tuple[int, ...]
    attestation: bytes


def read_envelope(raw: bytes) -> Envelope:
    """Envelope of the bytes that stood in ``/prove``.

    Raises
    ------
    Invalid
        ``ENVELOPE`` for another format, keys or encodings.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise Invalid("ENVELOPE", f"expected JSON of format {FORMAT}")
    if body.keys() - {"attestation"} != _KEYS:
        raise Invalid("ENVELOPE", f"expected exactly the keys {', '.join(sorted(_KEYS))}")
    try:
        return Envelope(
            str(body["mode"]),
            unhex(body["program_hash"], 32, "program_hash"),
            unhex(body["public_values"], None, "public_values"),
            unbase64(body["proof"], "proof"),
            unbase64(body["reference"], "reference"),
            _fees(body["fees_accrued_after"]),
            unbase64(body.get("attestation", ""), "attestation"),
        )
    except Invalid as problem:
        raise Invalid("ENVELOPE", problem.message) from None


def _fees(value: Any) -> tuple[int, ...]:
    if isinstance(value, list) and all(
        isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) <= 20
        for text in value
    ):
        return tuple(int(text) for text in value)
    raise Invalid("ENVELOPE", "fees_accrued_after: expected decimal strings")


class Verifier:
    """Checks the proof of an envelope.

    Parameters
    ----------
    command : command line for modes with a real proof, with the fields ``{mode}``, ``{kind}``
        (core or compressed), ``{program_hash}``, ``{public_values}`` and ``{proof}`` (paths of
        files) and ``{public_values_hex}``; exit status 0 means that the proof holds. Empty: such
        modes are refused.
    """

    def __init__(self, command: str = "") -> None:
        self._command = shlex.split(command)

    def check_terms(self, envelope: Envelope, agreement: Agreement) -> None:
        """Check that program and mode are the agreement's (``PROGRAM_HASH``, ``MODE``)."""
        if envelope.program_hash != agreement.program_hash:
            raise Invalid("PROGRAM_HASH", "expected the program hash of the agreement")
        if envelope.mode not in agreement.allowed_modes:
            allowed = ", ".join(agreement.allowed_modes)
            raise Invalid("MODE", f"expected one of {allowed}, found {envelope.mode[:40]!a}")

    def check_proof(self, envelope: Envelope, agreement: Agreement) -> None:
        """Check that the proof shows its public values.

        Raises
        ------
        Invalid
            ``ATTESTATION``, ``VERIFIER_ABSENT`` or ``PROOF``.
        """
        if envelope.attestation and envelope.mode != "executed":
            raise Invalid("PROOF", f"expected no attestation in mode {envelope.mode}")
        if envelope.mode == "attested":
            _check_attestation(envelope.proof, envelope, agreement)
        elif envelope.mode == "executed":
            if envelope.proof:
                raise Invalid("PROOF", "expected no proof in mode executed")
            _check_attestation(envelope.attestation, envelope, agreement)
        else:
            self._run(envelope)

    def _run(self, envelope: Envelope) -> None:
        if not self._command:
            raise Invalid(
                "VERIFIER_ABSENT",
                f"mode {envelope.mode}: this settlement layer was started without "
                "--verifier-command and cannot verify proofs",
            )
        with tempfile.TemporaryDirectory(prefix="devnet-proof-") as folder:
            values, proof = Path(folder, "public_values.bin"), Path(folder, "proof.bin")
            values.write_bytes(envelope.public_values)
            proof.write_bytes(envelope.proof)
            fields = {
                "mode": envelope.mode,
                "kind": PROOF_KINDS.get(envelope.mode, envelope.mode),
                "program_hash": envelope.program_hash.hex(),
                "public_values": str(values),
                "public_values_hex": envelope.public_values.hex(),
                "proof": str(proof),
            }
            _run_verifier([_filled(word, fields) for word in self._command])


def _filled(word: str, fields: dict[str, str]) -> str:
    for name, value in fields.items():
        word = word.replace("{" + name + "}", value)
    return word


def _run_verifier(words: list[str]) -> None:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=VERIFIER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Invalid("VERIFIER_ABSENT", f"the verifier did not run: {error}") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        reason = said[-1] if said else "no reason given"
        raise Invalid("PROOF", f"the verifier refused (exit {done.returncode}): {reason}")


def _check_attestation(signature: bytes, envelope: Envelope, agreement: Agreement) -> None:
    message = b"cfx.attest.v1".ljust(16, b"\0") + envelope.public_values
    if not signed_by(agreement.attestor_key, message, signature):
        raise Invalid("ATTESTATION", "expected the attestor's signature of the public values")
