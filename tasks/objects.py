"""Names of the objects in the bucket, and references to them.

Source: ``docs/spec.md`` section 9. A reference is a key and the SHA-256 of the stored bytes; stages
take references and return one, nothing large travels through the orchestrator.
"""

import hashlib
from typing import Any, Final, TypedDict

from convexfx_core.encoding.canonical_json import json_bytes, strict_json
from convexfx_core.errors import CommitConflict
from tasks.ports import Store

HEAD_KEY: Final = "state/HEAD"
GENESIS: Final = "0" * 64
MALFORMED: Final = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
"""How the reading of objects fails that are not what ``docs/spec.md`` section 9 says."""


class Ref(TypedDict):
    """Where an object stands and what its bytes hash to."""

    key: str
    sha256: str


def epoch_key(epoch: int, name: str) -> str:
    """Key of the object ``name`` of an epoch."""
    return f"epochs/{epoch:08d}/{name}"


def state_key(epoch: int) -> str:
    """Key of the seen-set and the live orders after an epoch."""
    return f"state/{epoch:08d}.parquet"


def parked_prefix(epoch: int) -> str:
    """Prefix of orders that were parked while ``epoch`` was the next one to seal."""
    return f"parked/{epoch:08d}/"


def params_key(params_hash: str) -> str:
    """Key of the parameters and registry bytes that hash to ``params_hash``."""
    return f"params/{params_hash}.json"


def proof_prefix(job_id: str, mode: str) -> str:
    """Prefix of a proof job's request, proof and description."""
    return f"proofs/{job_id}/{mode}/"


def sha256_hex(body: bytes) -> str:
    """SHA-256 of ``body`` in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def put_object(store: Store, key: str, body: bytes) -> Ref:
    """Commit ``body`` under ``key`` for ever; equal bytes already there are fine.

    Raises
    ------
    CommitConflict
        Other bytes stand under the key: a pure function gave two answers.
    """
    store.put_new(key, body)
    return Ref(key=key, sha256=sha256_hex(body))


def put_json(store: Store, key: str, value: object) -> Ref:
    """Commit a JSON object in its canonical bytes."""
    return put_object(store, key, json_bytes(value))


def get_object(store: Store, ref: Ref) -> bytes:
    """The bytes of a reference.

    Raises
    ------
    CommitConflict
        The object is missing or its bytes changed.
    """
    body = store.get(ref["key"])
    if body is None:
        raise CommitConflict(ref["key"], "an object with sha256 " + ref["sha256"], "nothing")
    if sha256_hex(body) != ref["sha256"]:
        raise CommitConflict(ref["key"], "sha256 " + ref["sha256"], sha256_hex(body))
    return body


def get_json(store: Store, ref: Ref) -> dict[str, Any]:
    """The JSON object of a reference."""
    return as_object(get_object(store, ref), ref["key"])


def as_object(body: bytes, key: str) -> dict[str, Any]:
    """Parse a JSON object that we stored ourselves."""
    value = strict_json(body)
    if not isinstance(value, dict):
        raise CommitConflict(key, "a JSON object", type(value).__name__)
    return value
