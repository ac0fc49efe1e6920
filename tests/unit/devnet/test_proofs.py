"""Modes of proof: attestations, and the command that verifies real proofs."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devnet.settlement.agreement import Agreement, read_agreement, signed_by
from devnet.settlement.invalid import Invalid
from devnet.settlement.proof import Envelope, Verifier, read_envelope
from devnet.settlement.public_values import read_public_values
from tests.support.devnet_stage import ALICE, HOLDERS
from tests.support.devnet_world import (
    ASSETS,
    ATTESTOR,
    NETWORK,
    NETWORK_ID,
    OPERATOR,
    PROGRAM_HASH,
    Fill,
    agreement,
    cancel,
    clear,
    genesis_books,
    le,
)

MODES = ["attested", "executed", "core", "compressed", "gpu"]


@pytest.fixture
def terms() -> Agreement:
    body = agreement(allowed_modes=MODES)
    return read_agreement(body, NETWORK, NETWORK_ID, 0, 1)


def an_epoch() -> Any:
    return clear(1, [Fill(cancel(ALICE, 1, "USD"))], genesis_books(HOLDERS))


def envelope(**changes: Any) -> Envelope:
    return replace(read_envelope(an_epoch().envelope()), **changes)


def verifier(folder: Path, code: str) -> Verifier:
    """A verifier command that runs ``code`` with mode, program hash, values and proof in argv."""
    script = folder / "verify.py"
    script.write_text(f"import sys, pathlib\nmode, program, values, proof = sys.argv[1:]\n{code}\n")
    words = f"{sys.executable} {script} {{mode}} {{program_hash}} {{public_values}} {{proof}}"
    return Verifier(words)


def test_an_attestation_is_checked_against_the_agreements_key(terms: Agreement) -> None:
    Verifier().check_proof(envelope(), terms)
    values = an_epoch().public_values
    for forged in (
        OPERATOR.sign(b"cfx.attest.v1\0\0\0" + values),
        ATTESTOR.sign(values),
        ATTESTOR.sign(b"cfx.agree.v1\0\0\0\0" + values),
        b"",
        bytes(64),
    ):
        with pytest.raises(Invalid, match="ATTESTATION"):
            Verifier().check_proof(envelope(proof=forged), terms)


def test_mode_executed_has_its_signature_beside_an_empty_proof(terms: Agreement) -> None:
    signature = envelope().proof
    Verifier().check_proof(envelope(mode="executed", proof=b"", attestation=signature), terms)
    with pytest.raises(Invalid, match="PROOF: expected no proof"):
        Verifier().check_proof(envelope(mode="executed", attestation=signature), terms)
    with pytest.raises(Invalid, match="ATTESTATION"):
        Verifier().check_proof(envelope(mode="executed", proof=b""), terms)


@pytest.mark.parametrize("mode", ["core", "compressed", "gpu"])
def test_a_real_proof_without_a_verifier_is_refused_plainly(mode: str, terms: Agreement) -> None:
    with pytest.raises(Invalid, match=f"VERIFIER_ABSENT: mode {mode}: .* --verifier-command"):
        Verifier().check_proof(envelope(mode=mode), terms)


@pytest.mark.parametrize("mode", ["core", "compressed", "gpu"])
def test_the_verifier_gets_mode_program_values_and_proof(
    mode: str, terms: Agreement, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    code = (
        f"out = pathlib.Path({str(seen)!r})\n"
        "out.write_text(repr((mode, program, pathlib.Path(values).read_bytes(),"
        " pathlib.Path(proof).read_bytes())))"
    )
    given = envelope(mode=mode, proof=b"proof bytes")
    verifier(tmp_path, code).check_proof(given, terms)
    expected = (mode, PROGRAM_HASH, given.public_values, b"proof bytes")
    assert seen.read_text() == repr(expected)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("sys.exit('vkey differs')", "exit 1): vkey differs"),
        ("print('line'); print('last line'); sys.exit(7)", "exit 7): last line"),
        ("sys.exit(3)", "exit 3): no reason given"),
    ],
)
def test_a_refusing_verifier_gives_its_reason(
    code: str, reason: str, terms: Agreement, tmp_path: Path
) -> None:
    with pytest.raises(Invalid) as caught:
        verifier(tmp_path, code).check_proof(envelope(mode="core"), terms)
    assert caught.value.code == "PROOF"
    assert caught.value.message.endswith(reason)


def test_a_verifier_that_does_not_exist_is_absent(terms: Agreement, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="VERIFIER_ABSENT: the verifier did not run"):
        Verifier(str(tmp_path / "nothing")).check_proof(envelope(mode="core"), terms)


def test_an_attestation_never_passes_as_a_proof(terms: Agreement, tmp_path: Path) -> None:
    """No mode falls back to another: a refusing verifier is the last word on a core proof."""
    with pytest.raises(Invalid, match="PROOF"):
        verifier(tmp_path, "sys.exit(1)").check_proof(envelope(mode="core"), terms)


def test_terms_of_the_agreement_come_first(terms: Agreement) -> None:
    Verifier().check_terms(envelope(), terms)
    with pytest.raises(Invalid, match="PROGRAM_HASH"):
        Verifier().check_terms(envelope(program_hash=bytes(32)), terms)
    narrow = replace(terms, allowed_modes=("executed",))
    with pytest.raises(Invalid, match="MODE: expected one of executed, found 'attested'"):
        Verifier().check_terms(envelope(), narrow)


# Public values


def test_public_values_are_read_field_by_field() -> None:
    epoch = an_epoch()
    values = read_public_values(epoch.public_values)
    assert list(values) == list(epoch.values)
    for name, raw in epoch.values.items():
        found = values[name]
        if isinstance(found, bytes):
            assert found == raw
        else:
            signed = name in ("inventory_risk", "price_tracking", "fill_incentive", "total")
            assert found == int.from_bytes(raw, "little", signed=signed)


def test_only_the_objective_has_signs() -> None:
    lowest = b"\xff" * 16
    values = read_public_values(
        an_epoch().claiming(gap=lowest, total=lowest, shard=le((1 << 64) - 1)).public_values
    )
    assert (values["gap"], values["total"]) == ((1 << 128) - 1, -1)
    assert values["shard"] == (1 << 64) - 1


@pytest.mark.parametrize("size", [0, 391, 393])
def test_public_values_have_392_bytes(size: int) -> None:
    with pytest.raises(Invalid, match=f"ENVELOPE: public_values: expected 392 bytes, found {size}"):
        read_public_values(bytes(size))


# Envelopes


def test_an_envelope_is_read() -> None:
    epoch = an_epoch()
    found = read_envelope(epoch.envelope())
    assert (found.mode, found.program_hash.hex()) == ("attested", PROGRAM_HASH)
    assert found.public_values == epoch.public_values
    assert found.fees_after == (0,) * len(ASSETS)
    assert found.attestation == b""


@pytest.mark.parametrize(
    "fees",
    [None, "0", [0], ["0x1"], ["1.0"], [" 1"], ["1_0"], ["\u0661"], [""], ["1" * 21]],
)
def test_fees_are_decimal_strings(fees: Any) -> None:
    with pytest.raises(Invalid, match="ENVELOPE: fees_accrued_after"):
        read_envelope(an_epoch().envelope(fees_accrued_after=fees))


# Signatures


def test_a_signature_is_of_one_key_and_one_message() -> None:
    signature = OPERATOR.sign(b"message")
    assert signed_by(OPERATOR.public, b"message", signature)
    assert not signed_by(OPERATOR.public, b"messagf", signature)
    assert not signed_by(ATTESTOR.public, b"message", signature)
    assert not signed_by(OPERATOR.public, b"message", signature[:63])
    assert not signed_by(OPERATOR.public[:31], b"message", signature)


def test_small_order_keys_and_large_s_sign_nothing() -> None:
    """Non-canonical twins of a signature, and a key for which zeros would be one."""
    order = (1 << 252) + 27742317777372353535851937790883648493
    signature = OPERATOR.sign(b"message")
    shifted = int.from_bytes(signature[32:], "little") + order
    assert not signed_by(OPERATOR.public, b"message", signature[:32] + le(shifted, 32))
    identity = le(1, 32)
    assert not signed_by(identity, b"message", identity + bytes(32))
