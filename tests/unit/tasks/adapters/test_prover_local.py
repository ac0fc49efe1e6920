"""Proof objects of a worker: what stands in them, two workers on one job, keys that are missing."""

from dataclasses import replace
from pathlib import Path

import pytest

from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import (
    CommitConflict,
    ConfigurationError,
    LawViolated,
    ProofError,
)
from convexfx_core.identity import base58_decode, verify_signature
from tasks.adapters.law_program import program_hash
from tasks.adapters.memory import MemoryStore
from tasks.adapters.prover_local import ATTEST_TAG, SIGNED_MODES, LocalProver
from tasks.objects import Ref, as_object, proof_prefix, put_object
from tasks.ports import Json, ProofJob
from tasks.proof_job import claim_job
from tests.support.api_world import signer
from tests.support.fake_laws_host import VKEY, FakeHost, fake_host

__all__ = ["fake_host"]
WITNESS = (Path(__file__).resolve().parents[3] / "vectors/laws/valid-plain.bin").read_bytes()
VALUES = WITNESS[-392:]
ATTESTED = program_hash("attested")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def job(store: MemoryStore, mode: str, witness: bytes = WITNESS) -> ProofJob:
    ref: Ref = put_object(store, "epochs/00000001/witness.bin", witness)
    program = ATTESTED if mode == "attested" else bytes.fromhex(VKEY)
    return claim_job(store, program, b"\2" * 32, mode, 1, ref)


def worker(store: MemoryStore, fake: FakeHost, attestor: bool = True) -> LocalProver:
    return LocalProver(store, signer("attestor") if attestor else None, ATTESTED, fake.host())


def described(store: MemoryStore, wanted: ProofJob) -> Json:
    key = proof_prefix(wanted.job_id, wanted.mode) + "proof.json"
    return as_object(store.get(key) or b"", key)


@pytest.mark.parametrize("mode", ["attested", "executed", "core", "compressed"])
def test_a_description_says_what_was_made(
    store: MemoryStore, fake_host: FakeHost, mode: str
) -> None:
    wanted, prover = job(store, mode), worker(store, fake_host)
    prover.request(wanted)
    found = described(store, wanted)
    made = prover.result(wanted)
    assert made is not None
    assert made.description == found
    proof = store.get(made.proof_key) or b""
    assert (found["mode"], found["is_proof"]) == (mode, mode not in SIGNED_MODES)
    assert (found["public_values"], found["proof_bytes"]) == (VALUES.hex(), len(proof))
    assert found["program_hash"] == wanted.program_hash
    if mode in SIGNED_MODES:
        key = base58_decode(found["attestor"], 32, "attestor")
        assert verify_signature(key, ATTEST_TAG + VALUES, proof)
    else:
        fake_host.host().verify(mode, proof, VALUES)


def test_asking_again_makes_nothing(store: MemoryStore, fake_host: FakeHost) -> None:
    wanted, prover = job(store, "core"), worker(store, fake_host)
    prover.request(wanted)
    before = dict(store.objects.bodies)
    prover.request(wanted)
    assert store.objects.bodies == before
    assert fake_host.runs() == ["prove"]


def test_another_worker_s_proof_is_adopted_once_it_holds(
    store: MemoryStore, fake_host: FakeHost
) -> None:
    """That worker died between its two puts; SP1 proves the same in other bytes each time."""
    wanted = job(store, "core")
    theirs = fake_host.host().prove("core", WITNESS).proof
    store.put_new(proof_prefix(wanted.job_id, "core") + "proof.bin", theirs)
    fake_host.behave(salt="other bytes")
    worker(store, fake_host).request(wanted)
    assert fake_host.host().prove("core", WITNESS).proof != theirs
    found = described(store, wanted)
    assert found["proof_bytes"] == len(theirs)
    assert "verify" in fake_host.runs()


def test_a_stored_proof_that_does_not_hold_is_not_described(
    store: MemoryStore, fake_host: FakeHost
) -> None:
    wanted = job(store, "core")
    store.put_new(proof_prefix(wanted.job_id, "core") + "proof.bin", b"rubbish")
    with pytest.raises(ProofError, match="PROOF_INVALID"):
        worker(store, fake_host).request(wanted)
    assert worker(store, fake_host).result(wanted) is None


def test_a_witness_that_changed_is_not_proven(store: MemoryStore, fake_host: FakeHost) -> None:
    wanted = replace(job(store, "core"), witness_sha256="00" * 32)
    with pytest.raises(CommitConflict):
        worker(store, fake_host).request(wanted)
    assert fake_host.runs() == []


@pytest.mark.parametrize("mode", SIGNED_MODES)
def test_a_worker_without_the_attestor_s_key_signs_nothing(
    store: MemoryStore, fake_host: FakeHost, mode: str
) -> None:
    with pytest.raises(ConfigurationError, match="KEYPAIR: attestor: expected a key that signs"):
        worker(store, fake_host, attestor=False).request(job(store, mode))


def test_a_worker_without_the_attestor_s_key_proves(
    store: MemoryStore, fake_host: FakeHost
) -> None:
    wanted = job(store, "compressed")
    worker(store, fake_host, attestor=False).request(wanted)
    assert "attestor" not in described(store, wanted)


@pytest.mark.parametrize("mode", ["mock", "groth16", ""])
def test_modes_that_do_not_exist_are_refused(
    store: MemoryStore, fake_host: FakeHost, mode: str
) -> None:
    with pytest.raises(ConfigurationError, match="SETTING: proof_mode: expected a known mode"):
        worker(store, fake_host).request(job(store, mode))


@pytest.mark.parametrize("mode", ["attested", "executed", "core"])
def test_a_job_for_another_program_is_refused(
    store: MemoryStore, fake_host: FakeHost, mode: str
) -> None:
    with pytest.raises(ProofError, match="WRONG_VKEY: program_hash"):
        worker(store, fake_host).request(replace(job(store, mode), program_hash="44" * 32))


@pytest.mark.parametrize(("mode", "law"), [("attested", 0), ("executed", 5), ("core", 5)])
def test_a_broken_law_is_stored_and_met_again(
    store: MemoryStore, fake_host: FakeHost, mode: str, law: int
) -> None:
    broken = WITNESS[:20] if mode == "attested" else WITNESS
    wanted, prover = job(store, mode, broken), worker(store, fake_host)
    fake_host.behave(execute="violated", prove="violated")
    for _ in range(2):
        with pytest.raises(LawViolated) as caught:
            prover.request(wanted)
        assert caught.value.law == law
    assert len(fake_host.runs()) == (mode != "attested"), "not run a second time"
    key = proof_prefix(wanted.job_id, mode) + "failure.json"
    stored = store.get(key) or b""
    assert json_bytes(as_object(stored, key)) == stored
