"""What must hold of a stored proof before it is submitted, whoever made it.

Source: ``docs/spec.md`` section 8; the settlement layer asks the same questions.
"""

from convexfx_core.errors import (
    AgreementError,
    CodecError,
    ConfigurationCode,
    ConfigurationError,
    ProofCode,
    ProofError,
    PublicValueMismatch,
)
from convexfx_core.identity import base58_decode, verify_signature
from convexfx_core.witness.public_values import FIELD_NAMES, PublicValues, first_difference
from tasks.adapters.prover_local import ATTEST_TAG, SIGNED_MODES
from tasks.context import Context
from tasks.objects import Ref, get_json, get_object
from tasks.ports import Agreement, Json, ProofVerifier


def require_agreed(ctx: Context) -> Agreement:
    """The agreement names this program and this mode.

    Raises
    ------
    AgreementError
        There is none, or it names others.
    """
    shard = ctx.domain.pool.shard
    found = ctx.gateway.agreement(shard)
    if found is None:
        raise AgreementError(f"shard {shard}", "an active agreement", "none")
    if found.program_hash != ctx.program_hash.hex():
        raise AgreementError("program_hash", found.program_hash, ctx.program_hash.hex())
    if ctx.proof_mode not in found.allowed_modes:
        allowed = ", ".join(found.allowed_modes)
        raise AgreementError("proof_mode", f"one of {allowed}", ctx.proof_mode)
    return found


def check_before_submitting(ctx: Context, proof: Ref, description: Ref, values: bytes) -> None:
    """Agreement, description, public values and the proof itself, once more.

    Raises
    ------
    AgreementError
        Program or mode are not the agreement's.
    PublicValueMismatch
        The proof is about other values than those of the epoch.
    ProofError
        The proof does not hold, or nobody here can verify it.
    """
    agreement = require_agreed(ctx)
    described = get_json(ctx.store, description)
    check_description(described, ctx.proof_mode, ctx.program_hash, values)
    body = get_object(ctx.store, proof)
    if ctx.proof_mode in SIGNED_MODES:
        check_attestation(body, values, agreement.attestor_key)
    else:
        verifier_of(ctx.verifier, ctx.proof_mode).verify(ctx.proof_mode, body, values)


def check_description(described: Json, mode: str, program_hash: bytes, values: bytes) -> None:
    """Mode, program and public values of a description are those expected.

    Raises
    ------
    ProofError
        ``PROOF_INVALID`` for another mode, ``WRONG_VKEY`` for another program.
    PublicValueMismatch
        The first field that differs.
    """
    if described["mode"] != mode:
        raise ProofError(ProofCode.PROOF_INVALID, "mode", mode, described["mode"])
    if described["program_hash"] != program_hash.hex():
        raise ProofError(
            ProofCode.WRONG_VKEY, "program_hash", program_hash.hex(), described["program_hash"]
        )
    require_values(claimed_values(described), values)


def claimed_values(described: Json) -> bytes:
    """The public values that a description claims; ``CodecError`` if they are none."""
    try:
        return bytes.fromhex(described["public_values"])
    except (ValueError, TypeError):
        raise CodecError("public_values", "hexadecimal", described["public_values"]) from None


def require_values(claimed: bytes, derived: bytes) -> None:
    """Claimed public values are the derived ones, byte for byte.

    Raises
    ------
    PublicValueMismatch
        With the first field that differs.
    """
    if len(claimed) != len(derived):
        raise CodecError("public_values", f"{len(derived)} bytes", len(claimed))
    place = first_difference(claimed, derived)
    if place is not None:
        expected, observed = (field_text(data, place) for data in (derived, claimed))
        raise PublicValueMismatch(FIELD_NAMES[place], expected, observed)


def field_text(data: bytes, place: int) -> str:
    """Public value number ``place`` of an encoding, for people."""
    try:
        return PublicValues.from_bytes(data).to_json().get(FIELD_NAMES[place], "")
    except CodecError as error:
        return str(error.observed)


def check_attestation(signature: bytes, values: bytes, attestor_key: str) -> None:
    """The attestor signed the values; ``PROOF_INVALID`` if not.

    Parameters
    ----------
    attestor_key : base58.
    """
    key = base58_decode(attestor_key, 32, "attestor_key")
    if not verify_signature(key, ATTEST_TAG + values, signature):
        expected = f"a signature of the public values by {attestor_key}"
        raise ProofError(ProofCode.PROOF_INVALID, "attestation", expected, "another")


def verifier_of(verifier: ProofVerifier | None, mode: str) -> ProofVerifier:
    """The verifier; without one a proof is refused, never taken on trust."""
    if verifier is None:
        expected = "laws-host, which verifies proofs (make rust)"
        raise ConfigurationError(ConfigurationCode.SETTING, "proof_mode", expected, mode)
    return verifier
