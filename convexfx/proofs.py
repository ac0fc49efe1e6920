"""A proof in the hands of a stranger: proof file, verifying key and an epoch's public objects.

Every public value is recomputed from the manifest, the orders and vaults that it names, and the
frozen proposal; the proof has to show exactly these values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from convexfx_core.encoding.canonical import Writer
from convexfx_core.encoding.hashing import network_id
from convexfx_core.errors import (
    CommitConflict,
    ConfigurationCode,
    ConfigurationError,
    ProofCode,
    ProofError,
    PublicValueMismatch,
)
from convexfx_core.witness.public_values import (
    DOMAIN_TAG,
    PUBLIC_VALUES_BYTES,
    PUBLIC_VALUES_VERSION,
    PublicValues,
)
from tasks.adapters.folder import FolderStore
from tasks.adapters.laws_host import PROOF_KINDS, verify_with
from tasks.adapters.prover_local import SIGNED_MODES
from tasks.chain import manifest_of, outcome_of, sealed_epoch
from tasks.epoch_result import epoch_result
from tasks.objects import MALFORMED, Ref, as_object, get_object, proof_prefix
from tasks.ports import Json, Store
from tasks.proof_check import check_attestation, claimed_values, require_values
from tasks.report import proof_mode_text
from tasks.signed_orders import signature_problem

_HEAD: Final = Writer().u64(PUBLIC_VALUES_VERSION).raw(DOMAIN_TAG).getvalue()
"""How the public values of a proof begin: version, domain tag."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a stranger verifies with.

    Attributes
    ----------
    program_hash : 32 bytes; that of the laws for mode ``attested``, else the verifying key.
    vkey_file : serialised verifying key. binary : ``laws-host``. Both for SP1's proofs only.
    """

    program_hash: bytes
    vkey_file: Path | None = None
    binary: Path | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A proof that holds.

    Attributes
    ----------
    mode : which mode made it. signer : the attestor of a mode without a proof, base58, else empty.
    program_hash : hexadecimal.
    public_values : recomputed, and those of the proof.
    """

    epoch: int
    mode: str
    program_hash: str
    signer: str
    proof_bytes: int
    public_values: PublicValues

    def to_json(self) -> Json:
        """The result as JSON."""
        return {
            "epoch": self.epoch,
            "valid": True,
            "mode": self.mode,
            "is_proof": not self.signer,
            "program_hash": self.program_hash,
            "attestor": self.signer or None,
            "proof_bytes": self.proof_bytes,
            "public_values": self.public_values.to_json(),
        }

    def lines(self) -> Iterator[str]:
        """The result for people."""
        what = f"signed by {self.signer}" if self.signer else "verified"
        yield f"epoch {self.epoch}: mode {proof_mode_text(self.mode)}: {what}"
        yield f"program {self.program_hash}"
        yield "every public value was recomputed from the epoch's objects and is the proof's:"
        for name, text in self.public_values.to_json().items():
            yield f"  {name} {text}"


@dataclass(frozen=True, slots=True)
class Epoch:
    """A settled epoch with its proof's mode, description and recomputed public values.

    ``network``: the name that the manifest shows; ``problem``: what is wrong with the orders of the
    batch, those outside the SDL too, whose signatures nobody else checks; empty if nothing is.
    """

    number: int
    network: str
    mode: str
    program_hash: str
    description: Json
    proof: bytes
    values: PublicValues
    problem: str


def verify_epoch(
    store: Store,
    number: int,
    key_of: Callable[[str], Key],
    mode: str = "",
    proof: bytes | None = None,
) -> Verified:
    """Verify an epoch's proof.

    Parameters
    ----------
    store : holds the epoch's public objects; nothing else is asked.
    key_of : gives the :class:`Key` for a mode, from a source that the stranger trusts.
    mode : of the proof; default: the mode that settled the epoch.
    proof : bytes of a proof file; default: the stored one.

    Raises
    ------
    PublicValueMismatch
        The proof is about other values; the field is named.
    ProofError
        ``WRONG_VKEY`` for a proof of another program, ``PROOF_INVALID``.
    CommitConflict
        An object is missing or is not what the chain says.
    """
    epoch = read_epoch(store, number, mode, proof)
    key = key_of(epoch.mode)
    if epoch.program_hash != key.program_hash.hex():
        raise ProofError(
            ProofCode.WRONG_VKEY, "program_hash", key.program_hash.hex(), epoch.program_hash
        )
    values = epoch.values.to_bytes()
    require_values(shown_values(epoch), values)
    if epoch.values.network_id != (network := network_id(str(epoch.network))):
        raise PublicValueMismatch("network_id", network.hex(), epoch.values.network_id.hex())
    if problem := epoch.problem:
        raise PublicValueMismatch("batch_root", "orders that their owners signed", problem)
    signer = ""
    if epoch.mode in SIGNED_MODES:
        signer = str(epoch.description.get("attestor", ""))
        check_attestation(epoch.proof, values, signer)
    else:
        check_proof(key, epoch, values)
    return Verified(number, epoch.mode, epoch.program_hash, signer, len(epoch.proof), epoch.values)


def read_epoch(store: Store, number: int, mode: str, proof: bytes | None) -> Epoch:
    """The epoch's objects, public values recomputed.

    Raises
    ------
    PublicValueMismatch
        They are those of another epoch.
    CommitConflict
        One is missing, or is none: whoever serves the objects may be a liar.
    """
    try:
        return _recomputed(store, number, mode, proof)
    except MALFORMED as error:
        seen = f"{type(error).__name__}: {error}"
        raise CommitConflict(f"epoch {number}", "well formed objects", seen) from error


def _recomputed(store: Store, number: int, mode: str, proof: bytes | None) -> Epoch:
    sealed, outcome = manifest_of(store, number), outcome_of(store, number)
    if sealed is None or outcome is None or outcome.get("job_id") is None:
        seen = outcome["status"] if outcome else "no outcome"
        raise CommitConflict(f"epoch {number}", "an epoch that settled state diffs", seen)
    reference, manifest = sealed
    opening, batch = sealed_epoch(store, reference)
    result = epoch_result(store, reference, outcome["proposal"])
    if result.public_values.epoch != number:
        raise PublicValueMismatch("epoch", str(number), result.public_values.epoch)
    chosen = mode or outcome["mode"]
    if chosen not in (*SIGNED_MODES, *PROOF_KINDS):
        raise ConfigurationError(ConfigurationCode.SETTING, "--mode", "a proof mode", chosen)
    description, stored = stored_files(store, outcome, chosen, proof)
    return Epoch(
        number=number,
        network=manifest["network"],
        mode=chosen,
        program_hash=str(description.get("program_hash", manifest["program_hash"])),
        description=description,
        proof=stored,
        values=result.public_values,
        problem=signature_problem(opening, batch.orders),
    )


def stored_files(store: Store, outcome: Json, mode: str, proof: bytes | None) -> tuple[Json, bytes]:
    """Description and bytes of a proof; a proof that is given needs no description."""
    if mode == outcome["mode"] and proof is None:
        ref: Ref = outcome["proof"]
        described: Ref = outcome["proof_description"]
        body = get_object(store, described)
        return as_object(body, described["key"]), get_object(store, ref)
    prefix = proof_prefix(outcome["job_id"], mode)
    described_body = store.get(prefix + "proof.json")
    description = as_object(described_body, prefix + "proof.json") if described_body else {}
    found = store.get(prefix + "proof.bin") if proof is None else proof
    if found is None:
        raise CommitConflict(prefix + "proof.bin", f"a proof in mode {mode}", "nothing")
    if proof is not None:
        signer = description.get("attestor")
        description = {"attestor": signer} if signer and mode in SIGNED_MODES else {}
    return description, found


def shown_values(epoch: Epoch) -> bytes:
    """The public values that a proof claims: its own copy, else those of its description."""
    place = epoch.proof.find(_HEAD)
    if place >= 0:
        return epoch.proof[place : place + PUBLIC_VALUES_BYTES]
    if "public_values" in epoch.description:
        return claimed_values(epoch.description)
    if epoch.mode in SIGNED_MODES:
        return epoch.values.to_bytes()
    expected = f"a proof in mode {epoch.mode} with its public values"
    raise ProofError(ProofCode.PROOF_INVALID, "proof", expected, "others")


def check_proof(key: Key, epoch: Epoch, values: bytes) -> None:
    """SP1's proof, by the host; ``ConfigurationError`` where the host or the key is missing."""
    if key.binary is None or key.vkey_file is None:
        missing = "laws-host (make rust)" if key.binary is None else "--vkey-file"
        raise ConfigurationError(
            ConfigurationCode.SETTING, "proof verify", f"{missing} for mode {epoch.mode}", "none"
        )
    verify_with(key.binary, key.vkey_file, key.program_hash, epoch.mode, epoch.proof, values)


def folder_store(folder: Path) -> Store:
    """The objects that ``convexfx epoch export`` wrote, without any bucket.

    Raises
    ------
    ConfigurationError
        There is no such folder.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            ConfigurationCode.SETTING, "--folder", "a folder written by epoch export", str(folder)
        )
    return FolderStore(folder)
