"""Makes proofs on this machine, each in the mode that was asked for and in no other.

``attested`` and ``executed`` are not proofs: the integer laws ran on the witness, in Python or as
the guest in SP1's executor, and the attestor signed the public values that they returned. ``core``
and ``compressed`` are SP1's proofs; ``gpu`` is a compressed proof made on a GPU. The flow ``prove``
calls this. What it makes goes into the object store, where the epoch finds it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.encoding.hashing import TAG_ATTEST, tag_bytes
from convexfx_core.errors import (
    AgreementError,
    CommitConflict,
    ConfigurationCode,
    ConfigurationError,
    ExecutionCode,
    ExecutionError,
    LawViolated,
    ProofCode,
    ProofError,
)
from convexfx_core.identity import base58_encode
from convexfx_core.laws import check
from tasks.adapters.gpu import require_gpu
from tasks.adapters.laws_host import SP1_MODES, LawsHost
from tasks.objects import Ref, as_object, get_object, proof_prefix, sha256_hex
from tasks.ports import (
    Agreement,
    Json,
    Progress,
    ProofJob,
    ProofResult,
    Signer,
    Store,
    no_progress,
)

ATTEST_TAG = tag_bytes(TAG_ATTEST)
SIGNED_MODES: Final = ("attested", "executed")
"""Modes whose ``proof.bin`` is the attestor's signature of the public values."""
FATAL: Final = (LawViolated, ExecutionError)


@dataclass(frozen=True, slots=True)
class ProofMade:
    """What a mode yields: bytes of ``proof.bin``, public values, figures for the description."""

    proof: bytes
    public_values: bytes
    facts: Json = field(default_factory=dict)


class LocalProver:
    """Runs the laws here, or has the host run or prove the guest.

    Parameters
    ----------
    store : where witness and proofs stand.
    attestor : key that signs public values; None: this worker makes proofs only.
    program_hash : 32 bytes, of the program of mode ``attested``.
    host : the host with the law program; None: mode ``attested`` only.
    agreed : asks the settlement layer for the domain's agreement, before each proof.
    """

    def __init__(
        self,
        store: Store,
        attestor: Signer | None,
        program_hash: bytes,
        host: LawsHost | None = None,
        agreed: Callable[[], Agreement | None] | None = None,
    ) -> None:
        self._store = store
        self._attestor = attestor
        self._program_hash = program_hash
        self._host = host
        self._agreed = agreed

    def request(self, job: ProofJob, progress: Progress = no_progress) -> None:
        """Make the proof unless it is there.

        Raises
        ------
        ConfigurationError
            ``SETTING``: a mode that this prover cannot make. It never falls back to another one.
        AgreementError
            The agreement names another program.
        LawViolated, ExecutionError
            The witness breaks a law, or the guest stopped; stored, since it would do so again.
        ProofError
            The host could not make the proof.
        """
        self._check_program(job)
        if self.result(job) is not None:
            return
        start = time.monotonic()
        witness = get_object(self._store, Ref(key=job.witness_key, sha256=job.witness_sha256))
        try:
            made = self._make(job.mode, witness, progress)
        except FATAL as failure:
            store_failure(self._store, job, failure)
            raise
        self._put(job, made, time.monotonic() - start)

    def result(self, job: ProofJob) -> ProofResult | None:
        """The stored proof of the job, or ``None``; a stored failure is raised."""
        return stored_proof(self._store, job)

    def _make(self, mode: str, witness: bytes, progress: Progress) -> ProofMade:
        if mode == "attested":
            values = check(witness).to_bytes()
            return ProofMade(self._signed(values), values)
        host = self._the_host(mode)
        if mode == "executed":
            run = host.execute(witness)
            facts: Json = {"cycles": run.cycles}
            return ProofMade(self._signed(run.public_values), run.public_values, facts)
        if mode == "gpu":
            require_gpu()
        proven = host.prove(mode, witness, progress)
        return ProofMade(proven.proof, proven.public_values, proven.facts)

    def _the_host(self, mode: str) -> LawsHost:
        if mode not in ("executed", "gpu", *SP1_MODES):
            raise ConfigurationError(ConfigurationCode.SETTING, "proof_mode", "a known mode", mode)
        if self._host is None:
            expected = "attested on this worker (Rust parts are not built: make rust)"
            raise ConfigurationError(ConfigurationCode.SETTING, "proof_mode", expected, mode)
        return self._host

    def _check_program(self, job: ProofJob) -> None:
        """Check that job, worker and agreement name the same program."""
        if job.mode == "attested":
            own = self._program_hash
        else:
            own = self._the_host(job.mode).program.vkey
        if job.program_hash != own.hex():
            raise ProofError(ProofCode.WRONG_VKEY, "program_hash", own.hex(), job.program_hash)
        if self._agreed is None:
            return
        agreement = self._agreed()
        found = agreement.program_hash if agreement else "no agreement"
        if found != own.hex():
            raise AgreementError("program_hash", own.hex(), found)

    def _signed(self, values: bytes) -> bytes:
        if self._attestor is None:
            raise ConfigurationError(
                ConfigurationCode.KEYPAIR, "attestor", "a key that signs public values", "none"
            )
        return self._attestor.sign(ATTEST_TAG + values)

    def _put(self, job: ProofJob, made: ProofMade, seconds: float) -> None:
        prefix = proof_prefix(job.job_id, job.mode)
        try:
            self._store.put_new(prefix + "proof.bin", made.proof)
        except CommitConflict:
            made = self._adopted(job, made)
        description = self._description(job, made, seconds)
        try:
            self._store.put_new(prefix + "proof.json", json_bytes(description))
        except CommitConflict:
            return

    def _adopted(self, job: ProofJob, made: ProofMade) -> ProofMade:
        """Take another worker's proof of the same job once it is verified.

        Two proofs of one witness differ in their bytes, and the store keeps the first.
        """
        stored = self._store.get(proof_prefix(job.job_id, job.mode) + "proof.bin") or b""
        self._the_host(job.mode).verify(job.mode, stored, made.public_values)
        return replace(made, proof=stored)

    def _description(self, job: ProofJob, made: ProofMade, seconds: float) -> Json:
        signer = {}
        if job.mode in SIGNED_MODES and self._attestor is not None:
            signer = {"attestor": base58_encode(self._attestor.public_key)}
        return {
            "version": 1,
            "job_id": job.job_id,
            "mode": job.mode,
            "is_proof": job.mode not in SIGNED_MODES,
            "epoch": job.epoch,
            "program_hash": job.program_hash,
            **signer,
            "public_values": made.public_values.hex(),
            "witness_sha256": job.witness_sha256,
            "proof_sha256": sha256_hex(made.proof),
            "proof_bytes": len(made.proof),
            "milliseconds": round(1000 * seconds),
            **made.facts,
        }


def stored_proof(store: Store, job: ProofJob) -> ProofResult | None:
    """A proof and its description from the store, ``None`` while one of them is missing.

    Raises
    ------
    LawViolated, ExecutionError
        A stored failure.
    """
    prefix = proof_prefix(job.job_id, job.mode)
    key = prefix + "proof.json"
    body = store.get(key)
    if body is None:
        raise_failure(store, job)
        return None
    if not store.exists(prefix + "proof.bin"):
        return None
    return ProofResult(prefix + "proof.bin", key, as_object(body, key))


def store_failure(store: Store, job: ProofJob, failure: LawViolated | ExecutionError) -> None:
    """Write why this job can never have a proof, once."""
    value: Json = {"version": 1, "job_id": job.job_id, "mode": job.mode, "epoch": job.epoch}
    value |= {"code": failure.code, "observed": str(failure.observed), "text": failure.line()}
    if isinstance(failure, LawViolated):
        value |= {"law": failure.law, "index": failure.index, "bound": str(failure.bound)}
    try:
        store.put_new(proof_prefix(job.job_id, job.mode) + "failure.json", json_bytes(value))
    except CommitConflict:
        return


def raise_failure(store: Store, job: ProofJob) -> None:
    """Raise the failure that is stored for a job, if one is."""
    key = proof_prefix(job.job_id, job.mode) + "failure.json"
    body = store.get(key)
    if body is None:
        return
    value = as_object(body, key)
    if "law" in value:
        raise LawViolated(value["law"], value["index"], value["observed"], value["bound"])
    expected = "a guest that halts with exit code 0"
    raise ExecutionError(ExecutionCode.GUEST_TRAPPED, "guest", expected, value["observed"])
