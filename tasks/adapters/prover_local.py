"""Proofs made in this process: mode ``attested``.

``attested`` is not a proof: the integer laws ran on the witness and the attestor signed the public
values that they returned.
"""

import time

from convexfx_core.canonical import json_bytes, tag_bytes
from convexfx_core.errors import CommitConflict, ConfigurationCode, ConfigurationError
from convexfx_core.identity import base58_encode
from convexfx_core.laws import check
from tasks.objects import Ref, as_object, get_object, proof_prefix, sha256_hex
from tasks.ports import Json, ProofJob, ProofResult, Signer, Store

ATTEST_TAG = tag_bytes("cfx.attest.v1")


class LocalProver:
    """Runs the laws here and signs what they return.

    Parameters
    ----------
    store : where witness and proofs stand.
    attestor : key that signs public values.
    program_hash : 32 bytes, named in the description.
    """

    def __init__(self, store: Store, attestor: Signer, program_hash: bytes) -> None:
        self._store = store
        self._attestor = attestor
        self._program_hash = program_hash

    def request(self, job: ProofJob) -> None:
        """Make the proof unless it is there.

        Raises
        ------
        ConfigurationError
            ``SETTING``: a mode that this prover cannot make. It never falls back to another one.
        LawViolated
            The witness breaks a law.
        """
        if job.mode != "attested":
            raise ConfigurationError(
                ConfigurationCode.SETTING, "proof_mode", "attested on this worker", job.mode
            )
        if self.result(job) is not None:
            return
        start = time.monotonic()
        witness = get_object(self._store, Ref(key=job.witness_key, sha256=job.witness_sha256))
        values = check(witness).to_bytes()
        signature = self._attestor.sign(ATTEST_TAG + values)
        prefix = proof_prefix(job.job_id, job.mode)
        self._store.put_new(prefix + "proof.bin", signature)
        self._describe(job, values, signature, time.monotonic() - start)

    def _describe(self, job: ProofJob, values: bytes, proof: bytes, seconds: float) -> None:
        description: Json = {
            "version": 1,
            "job_id": job.job_id,
            "mode": job.mode,
            "is_proof": False,
            "epoch": job.epoch,
            "program_hash": self._program_hash.hex(),
            "attestor": base58_encode(self._attestor.public_key),
            "public_values": values.hex(),
            "witness_sha256": job.witness_sha256,
            "proof_sha256": sha256_hex(proof),
            "milliseconds": round(1000 * seconds),
        }
        try:
            key = proof_prefix(job.job_id, job.mode) + "proof.json"
            self._store.put_new(key, json_bytes(description))
        except CommitConflict:
            return

    def result(self, job: ProofJob) -> ProofResult | None:
        """The stored proof of the job, or ``None``."""
        return stored_proof(self._store, job)


def stored_proof(store: Store, job: ProofJob) -> ProofResult | None:
    """A proof and its description from the store, ``None`` while one of them is missing."""
    prefix = proof_prefix(job.job_id, job.mode)
    body = store.get(prefix + "proof.json")
    if body is None or not store.exists(prefix + "proof.bin"):
        return None
    key = prefix + "proof.json"
    return ProofResult(prefix + "proof.bin", key, as_object(body, key))
