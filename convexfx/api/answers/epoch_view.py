"""Epochs as the API shows them, read from the chain's objects."""

from base64 import b64encode
from typing import Final

from convexfx.api.answers.shapes import (
    EpochAnswer,
    EpochDetail,
    ObjectAnswer,
    PriceAnswer,
    ProofAnswer,
    RefusalAnswer,
)
from convexfx.api.chain_index.index import EpochFacts
from convexfx_core.market.assets import Registry
from tasks.objects import as_object, epoch_key, get_json, get_object, proof_prefix, sha256_hex
from tasks.ports import Json, Store
from tasks.report import proof_mode_text

LINKS: Final = ("fills", "state-diffs.parquet", "proof", "objects")
NO_PROOF: Final = {
    "attested": "attested is no proof: the integer laws ran on the witness and the attestor signed "
    "the public values that they returned",
    "executed": "executed is no proof: the guest program ran, nothing about the run was proven",
}
NOTHING_PROVEN: Final = "nothing was settled, so there is nothing to prove"


def epoch_answer(facts: EpochFacts) -> EpochAnswer:
    """An epoch with an outcome, for the list."""
    outcome = facts.outcome
    return EpochAnswer(
        epoch=facts.epoch,
        status=outcome["status"],
        reason=outcome["reason"],
        refusal=refusal_answer(outcome),
        mode=outcome["mode"],
        mode_text=proof_mode_text(outcome["mode"]),
        sdl_hash=outcome["sdl_hash"],
        settled_at=outcome["settled_at"],
        orders=facts.states,
        fills=outcome.get("fills"),
        stages_ms=outcome["stages"],
        outcome_sha256=facts.sha256,
    )


def refusal_answer(outcome: Json) -> RefusalAnswer | None:
    """What aborted the epoch; None too for an outcome from before outcomes said it as data."""
    refusal = outcome.get("refusal")
    return None if refusal is None else RefusalAnswer(**refusal)


def sealed_answer(manifest: Json) -> EpochAnswer:
    """An epoch that is sealed and has no outcome yet."""
    return EpochAnswer(
        epoch=manifest["epoch"],
        status="sealed",
        reason=None,
        refusal=None,
        mode=None,
        mode_text="none yet",
        sdl_hash=None,
        settled_at=None,
        orders={"sealed": manifest["candidates"]},
        fills=None,
        stages_ms={},
        outcome_sha256=None,
    )


def epoch_detail(
    store: Store, registry: Registry, base: EpochAnswer, manifest: Json, outcome: Json
) -> EpochDetail:
    """Everything about one epoch; ``outcome`` is empty while it has none."""
    reference, number = manifest["reference"], manifest["epoch"]
    fees = outcome.get("fees_accrued", ())
    return EpochDetail(
        **base.model_dump(),
        parent=manifest["parent"],
        candidates=manifest["candidates"],
        admitted=manifest["admitted"],
        params_hash=manifest["params_hash"],
        program_hash=manifest["program_hash"],
        code=manifest["code"],
        reference_source=reference["source"],
        reference_published=reference["published"],
        reference_as_of=reference["as_of"],
        prices=price_answers(store, registry, reference["prices"], outcome),
        fees_accrued={registry[i].id: registry[i].text(int(fee)) for i, fee in enumerate(fees)},
        gap_base_units=outcome.get("gap"),
        links={name: f"/epochs/{number}/{name}" for name in LINKS},
    )


def price_answers(
    store: Store, registry: Registry, reference: dict[str, str], outcome: Json
) -> dict[str, PriceAnswer]:
    """Prices by asset; clearing prices only where the epoch settled."""
    cleared: list[int] = []
    if outcome.get("status") == "settled":
        cleared = [int(price) for price in get_json(store, outcome["proposal"])["prices"]]
    return {
        asset.id: PriceAnswer(
            clearing=registry.price_text(place, cleared[place]) if cleared else None,
            clearing_p64=str(cleared[place]) if cleared else None,
            reference=reference[asset.id],
        )
        for place, asset in enumerate(registry.assets)
    }


def proof_answer(store: Store, epoch: int, outcome: Json) -> ProofAnswer:
    """The proof of an epoch with an outcome, its mode named and what it is worth said."""
    mode, job_id = outcome["mode"], outcome.get("job_id")
    if mode is None or job_id is None:
        return ProofAnswer(
            epoch=epoch, mode="none", is_proof=False, note=NOTHING_PROVEN, sdl_hash=None,
            job_id=None, program_hash=None, public_values=None, proof=None, proof_sha256=None,
            description=None,
        )  # fmt: skip
    body = get_object(store, outcome["proof"])
    key = proof_prefix(job_id, mode) + "proof.json"
    description = as_object(store.get(key) or b"{}", key)
    return ProofAnswer(
        epoch=epoch,
        mode=mode,
        is_proof=mode not in NO_PROOF,
        note=NO_PROOF.get(mode, f"a proof in mode {mode}"),
        sdl_hash=outcome["sdl_hash"],
        job_id=job_id,
        program_hash=description.get("program_hash"),
        public_values=description.get("public_values"),
        proof=b64encode(body).decode("ascii"),
        proof_sha256=sha256_hex(body),
        description=description or None,
    )


def recorded_hashes(epoch: int, manifest: Json, outcome: Json) -> dict[str, tuple[str, str]]:
    """(hash, key of the object that holds it) of everything that manifest and outcome name."""
    found: dict[str, tuple[str, str]] = {}
    holders = {"manifest.json": manifest, "outcome.json": outcome}
    for name, value in holders.items():
        for ref in value.values():
            if isinstance(ref, dict) and set(ref) == {"key", "sha256"}:
                found[ref["key"]] = ref["sha256"], epoch_key(epoch, name)
    return found


def object_answers(store: Store, epoch: int, manifest: Json, outcome: Json) -> list[ObjectAnswer]:
    """Every object of an epoch: its hash as the chain records it, else that of its bytes."""
    recorded = recorded_hashes(epoch, manifest, outcome)
    keys = {*recorded, *store.list(epoch_key(epoch, ""))}
    if outcome.get("job_id"):
        keys |= {*store.list(proof_prefix(outcome["job_id"], outcome["mode"]))}
    answers = []
    for key in sorted(keys, key=str.encode):
        if key in recorded:
            sha256, holder = recorded[key]
            answers.append(
                ObjectAnswer(key=key, sha256=sha256, recorded_in=holder, url=url_of(key))
            )
        elif (body := store.get(key)) is not None:
            digest = sha256_hex(body)
            answers.append(ObjectAnswer(key=key, sha256=digest, recorded_in=None, url=url_of(key)))
    return answers


def url_of(key: str) -> str:
    """Where an object's bytes are served."""
    return f"/objects/{key}"
