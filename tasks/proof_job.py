"""The name of a proof: who asks first for a witness in a mode claims its id."""

from dataclasses import asdict
from hashlib import sha256

from convexfx_core.encoding.canonical import Writer
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import CommitConflict
from tasks.objects import Ref, proof_prefix
from tasks.ports import ProofJob, Store


def claim_job(
    store: Store, program_hash: bytes, sdl_hash: bytes, mode: str, epoch: int, witness: Ref
) -> ProofJob:
    """The job of an epoch's proof; its ``request.json`` is written.

    An SDL hash does not name its epoch: an epoch that failed leaves the same orders at the same
    prices to the next one, whose witness is another. Then the id binds the epoch too.
    """
    name = job_name(program_hash, sdl_hash)
    try:
        return _claim(store, name, program_hash, mode, epoch, witness)
    except CommitConflict:
        name = job_name(program_hash, sdl_hash, epoch)
        return _claim(store, name, program_hash, mode, epoch, witness)


def job_name(program_hash: bytes, sdl_hash: bytes, epoch: int | None = None) -> str:
    """Id of a job; with ``epoch`` that of an epoch whose SDL hash an earlier one had."""
    salt = b"" if epoch is None else Writer().u64(epoch, "epoch").getvalue()
    return sha256(program_hash + sdl_hash + salt).hexdigest()


def _claim(
    store: Store, name: str, program_hash: bytes, mode: str, epoch: int, witness: Ref
) -> ProofJob:
    job = ProofJob(
        job_id=name,
        mode=mode,
        epoch=epoch,
        witness_key=witness["key"],
        witness_sha256=witness["sha256"],
        program_hash=program_hash.hex(),
    )
    store.put_new(proof_prefix(job.job_id, mode) + "request.json", json_bytes(asdict(job)))
    return job
