"""Recompute an epoch from its public objects, and name every object that is not what it should be.

Source: ``docs/spec.md`` section 9 and ``docs/invariants.md``. Checked by hash and signature:
outcome, manifest, parameters, vaults, orders, proposal, intent, payout signatures, proof.
Recomputed and compared: verdict, state diffs, SDL, witness, receipts, lineage, carried state.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from convexfx_core.admission.book import Batch
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.encoding.hashing import network_id
from convexfx_core.errors import ConvexFxError
from convexfx_core.identity import base58_decode, base58_encode, owner_id, verify_signature
from convexfx_core.ledger.vaults import Opening
from convexfx_core.records.gateway_array import payout_payloads
from convexfx_core.records.receipts import write_receipts
from convexfx_core.records.tables import write_state_diffs
from convexfx_core.transition import EpochResult
from tasks.adapters.prover_local import ATTEST_TAG, SIGNED_MODES
from tasks.carry import carry_bytes
from tasks.chain import ChainHead, manifest_of, outcome_of, read_params, sealed_epoch, slice_behind
from tasks.epoch_result import epoch_result
from tasks.objects import (
    GENESIS,
    MALFORMED,
    Ref,
    epoch_key,
    get_json,
    get_object,
    sha256_hex,
    state_key,
)
from tasks.ports import Store
from tasks.quarantine import slice_of
from tasks.receipts import epoch_receipts
from tasks.report import lineage_of
from tasks.settle import with_digest
from tasks.signed_orders import signature_problem
from tasks.state_diffs import sdl_json


@dataclass(frozen=True, slots=True)
class Finding:
    """What replaying one object showed."""

    name: str
    holds: bool
    detail: str

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Replayed:
    """An epoch being replayed: its manifest, outcome and what follows from them."""

    store: Store
    epoch: int
    manifest: Ref
    sealed: dict[str, Any]
    outcome: dict[str, Any]

    def opened(self) -> tuple[Opening, Batch]:
        """Opening and batch."""
        return sealed_epoch(self.store, self.manifest)

    def result(self) -> EpochResult:
        """The transition, recomputed."""
        return epoch_result(self.store, self.manifest, self.outcome["proposal"])


class Differs(Exception):
    """An object is not what it should be; the text says in what."""


def replay_epoch(store: Store, epoch: int) -> list[Finding]:
    """Findings on every object of an epoch, in the order of the chain."""
    name = "manifest.json"
    try:
        found = manifest_of(store, epoch)
        name = "manifest.json" if found is None else "outcome.json"
        outcome = outcome_of(store, epoch)
    except (ConvexFxError, *MALFORMED) as error:
        return [Finding(name, False, f"{type(error).__name__}: {error}")]
    if found is None or outcome is None:
        return [Finding(name, False, f"epoch {epoch} has none")]
    replayed = Replayed(store, epoch, *found, outcome)
    return [examine(name, check, replayed) for name, check in checks_of(outcome)]


def checks_of(outcome: dict[str, Any]) -> Iterator[tuple[str, Callable[[Replayed], str]]]:
    """The checks that apply to an epoch with that outcome."""
    yield "outcome.json", check_outcome
    yield "manifest.json", check_manifest
    yield "params", check_params
    yield "vaults", check_vaults
    yield "orders", check_orders
    if "proposal" in outcome:
        yield "proposal.json", check_proposal
    if outcome.get("status") == "settled":
        yield "verdict.json", check_verdict
    if outcome.get("status") == "settled" and outcome.get("sdl_hash"):
        yield "state_diffs.parquet", check_diffs
        yield "sdl.json", check_sdl
        yield "witness.bin", check_witness
        yield "payout_signatures.bin", check_payouts
        yield "proof.json", check_description
        yield "proof.bin", check_proof
        yield "intent.json", check_intent
    yield "receipts.parquet", check_receipts
    yield "lineage.json", check_lineage
    yield "state", check_state


def examine(name: str, check: Callable[[Replayed], str], replayed: Replayed) -> Finding:
    """Run one check; whatever is wrong becomes its finding."""
    try:
        return Finding(name, True, check(replayed))
    except (Differs, ConvexFxError, *MALFORMED) as error:
        return Finding(name, False, f"{type(error).__name__}: {error}")


def must(condition: bool, text: str) -> None:
    """Raise :class:`Differs` unless the condition holds."""
    if not condition:
        raise Differs(text)


def check_outcome(epoch: Replayed) -> str:
    """Its own digest, its canonical bytes, the manifest that it names."""
    body = epoch.store.get(epoch_key(epoch.epoch, "outcome.json")) or b""
    must(json_bytes(epoch.outcome) == body, "its bytes are not canonical")
    must(with_digest(epoch.outcome) == epoch.outcome, "its digest is that of other content")
    must(epoch.outcome["epoch"] == epoch.epoch, "it names another epoch")
    if epoch.outcome["status"] == "settled":
        result = epoch.result()
        fees = [str(fee) for fee in result.pool_after.fees_accrued]
        must(epoch.outcome["fees_accrued"] == fees, "its fees are not those recomputed")
        must(epoch.outcome["fills"] == result.fills.count, "its fills are not those recomputed")
        wanted = base58_encode(result.sdl_hash) if result.sdl_hash else None
        must(epoch.outcome["sdl_hash"] == wanted, "its SDL hash is not the one recomputed")
    return f"{epoch.outcome['status']}, digest and facts agree"


def check_manifest(epoch: Replayed) -> str:
    """The outcome's reference to it, and its parent in the chain."""
    must(epoch.outcome["manifest"] == epoch.manifest, "the outcome names another hash")
    must(epoch.sealed["epoch"] == epoch.epoch, "it is the manifest of another epoch")
    network = network_id(epoch.sealed["network"]).hex()
    must(epoch.sealed["network_id"] == network, "its network has another id")
    parent = epoch.store.get(epoch_key(epoch.epoch - 1, "outcome.json"))
    wanted = sha256_hex(parent) if parent is not None else GENESIS
    must(epoch.sealed["parent"] == wanted, "its parent is not the outcome before it")
    before = outcome_of(epoch.store, epoch.epoch - 1) or {}
    let_in = slice_behind(epoch.store, ChainHead(epoch.epoch - 1, wanted, before))
    must(slice_of(epoch.sealed) == let_in, "it lets in another part of the vaults")
    return "named by the outcome, child of the outcome before it"


def check_params(epoch: Replayed) -> str:
    """Parameters and registry hash to what the manifest names."""
    read_params(epoch.store, epoch.sealed["params_hash"])
    return str(epoch.sealed["params_hash"])


def check_vaults(epoch: Replayed) -> str:
    """The vault rows that the manifest names."""
    get_object(epoch.store, epoch.sealed["vaults"])
    return f"{len(epoch.opened()[0].vaults)} vaults"


def check_orders(epoch: Replayed) -> str:
    """Every row says what its payload says, under its owner's signature; admission, again."""
    get_object(epoch.store, epoch.sealed["orders"])
    opening, batch = epoch.opened()
    parts = (batch.orders, batch.parked.orders, batch.rejected.orders)
    for orders in parts:
        problem = signature_problem(opening, orders)
        must(not problem, problem)
    must(len(batch.orders) == epoch.sealed["admitted"], "the manifest counts other admitted orders")
    return f"{sum(map(len, parts))} signatures hold, {len(batch.orders)} admitted"


def check_proposal(epoch: Replayed) -> str:
    """The hash in the outcome, and the manifest that it was made for."""
    value = get_json(epoch.store, epoch.outcome["proposal"])
    must(value["manifest"] == epoch.manifest["sha256"], "it was made for another manifest")
    return f"frozen by {value['solver']}"


def check_verdict(epoch: Replayed) -> str:
    """All laws, again."""
    compare(epoch, "verdict", json_bytes(epoch.result().verdict.to_json()))
    return "five predicates hold"


def check_diffs(epoch: Replayed) -> str:
    """The state diffs, again."""
    opening, batch = epoch.opened()
    lineage = {
        "manifest": epoch.manifest["sha256"],
        "proposal": epoch.outcome["proposal"]["sha256"],
    }
    compare(epoch, "state_diffs", write_state_diffs(opening, batch, epoch.result(), lineage))
    return f"{len(epoch.result().diffs)} rows"


def check_sdl(epoch: Replayed) -> str:
    """Description of the SDL, again."""
    compare(epoch, "sdl", json_bytes(sdl_json(epoch.epoch, epoch.result())))
    return str(epoch.outcome["sdl_hash"])


def check_witness(epoch: Replayed) -> str:
    """The witness, again."""
    compare(epoch, "witness", epoch.result().witness)
    return f"{len(epoch.result().witness)} bytes"


def check_payouts(epoch: Replayed) -> str:
    """Each payout carries a signature of the pool's owner."""
    signatures = get_object(epoch.store, epoch.outcome["payout_signatures"])
    payouts = payout_payloads(epoch.opened()[0], epoch.result())
    must(len(signatures) == 64 * len(payouts), f"{len(payouts)} signatures are due")
    key = base58_decode(epoch.sealed["operator_key"], 32, "operator_key")
    must(owner_id(key) == epoch.opened()[0].pool.owner, "the pool is another operator's")
    for place, payout in enumerate(payouts):
        signature = signatures[64 * place : 64 * place + 64]
        must(verify_signature(key, payout, signature), f"signature {place} is not valid")
    return f"{len(payouts)} signatures hold"


def check_description(epoch: Replayed) -> str:
    """Mode, program and public values of the proof."""
    value = get_json(epoch.store, epoch.outcome["proof_description"])
    must(value["mode"] == epoch.outcome["mode"], "it names another mode")
    must(value["program_hash"] == epoch.sealed["program_hash"], "it names another program")
    values = epoch.result().public_values.to_bytes().hex()
    must(value["public_values"] == values, "its public values are not those recomputed")
    return f"mode {value['mode']}"


def check_proof(epoch: Replayed) -> str:
    """The proof itself, by its mode."""
    proof = get_object(epoch.store, epoch.outcome["proof"])
    mode = epoch.outcome["mode"]
    if mode not in SIGNED_MODES:
        return f"{len(proof)} bytes of mode {mode}; verify with `convexfx proof verify`"
    value = get_json(epoch.store, epoch.outcome["proof_description"])
    key = base58_decode(value["attestor"], 32, "attestor")
    message = ATTEST_TAG + epoch.result().public_values.to_bytes()
    must(verify_signature(key, message, proof), "the attestor's signature is not valid")
    return f"{mode} (not a proof): the attestor's signature holds"


def check_intent(epoch: Replayed) -> str:
    """What was written before the gateway was called."""
    value = get_json(epoch.store, epoch.outcome["intent"])
    wanted = {name: epoch.outcome[name] for name in ("proof", "sdl", "payout_signatures", "mode")}
    must({name: value[name] for name in wanted} == wanted, "it names other objects")
    return "names proof, SDL and payouts"


def check_receipts(epoch: Replayed) -> str:
    """One outcome for each candidate, again."""
    receipts = epoch_receipts(epoch.store, epoch.manifest, epoch.outcome)
    body = write_receipts(receipts, {"manifest": epoch.manifest["sha256"]})
    equal(epoch.store, epoch_key(epoch.epoch, "receipts.parquet"), body)
    return f"{len(receipts)} orders"


def check_lineage(epoch: Replayed) -> str:
    """Inputs and outputs by hash, again."""
    value = lineage_of(epoch.store, epoch.manifest, epoch.outcome)
    equal(epoch.store, epoch_key(epoch.epoch, "lineage.json"), json_bytes(value))
    return f"{len(value['outputs'])} outputs"


def check_state(epoch: Replayed) -> str:
    """Seen-set and live orders, again, from the state before."""
    equal(epoch.store, state_key(epoch.epoch), carry_bytes(epoch.store, epoch.epoch))
    return state_key(epoch.epoch)


def compare(epoch: Replayed, name: str, recomputed: bytes) -> None:
    """The object that the outcome names is stored unchanged and equals what is recomputed."""
    must(get_object(epoch.store, epoch.outcome[name]) == recomputed, "other bytes are recomputed")


def equal(store: Store, key: str, recomputed: bytes) -> None:
    """The object under ``key`` equals what is recomputed."""
    body = store.get(key)
    must(body is not None, "it is missing")
    must(body == recomputed, "other bytes are recomputed")
