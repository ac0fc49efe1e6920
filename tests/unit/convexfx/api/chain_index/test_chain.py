"""A longer chain: carried orders, pages, tables of long ago, two API processes side by side."""

from base64 import b64decode
from typing import Any

import pytest

from convexfx.api.answers.epoch_view import NO_PROOF, object_answers, proof_answer, recorded_hashes
from convexfx.api.chain_index.follower import load_table
from convexfx.api.chain_index.index import Index
from convexfx.wallet import SignedVerifiable
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import CommitConflict
from tasks.objects import epoch_key, proof_prefix, put_json, put_object, sha256_hex
from tests.support.api_world import ApiWorld, api_world

NEVER = "0.0000001"
EPOCHS = 12


@pytest.fixture(scope="module")
def chain() -> tuple[ApiWorld, list[SignedVerifiable], SignedVerifiable]:
    """Twelve epochs with one fill each; an order rests through all of them."""
    world = api_world()
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    resting = bob.order("USD", "EUR", "5", nonce=1, limit_ratio=NEVER, valid_until_epoch=EPOCHS)
    world.post(resting.verifiable)
    orders = []
    for nonce in range(1, EPOCHS + 1):
        orders.append(alice.order("USD", "EUR", str(nonce), nonce=nonce))
        world.post(orders[-1].verifiable)
        world.epoch()
    return world, orders, resting


Chain = tuple[ApiWorld, list[SignedVerifiable], SignedVerifiable]


def test_each_order_keeps_its_own_epoch(chain: Chain) -> None:
    world, orders, _ = chain
    found = [world.order(order) for order in orders]
    assert [one["epoch"] for one in found] == list(range(1, EPOCHS + 1))
    assert [one["fill"]["paid"] for one in found] == [f"{n}.000000" for n in range(1, EPOCHS + 1)]


def test_an_order_that_rested_through_all_epochs_expired_in_the_last(chain: Chain) -> None:
    world, _, resting = chain
    found = world.order(resting)
    assert (found["state"], found["epoch"]) == ("expired", EPOCHS)
    states = [
        world.get(f"/epochs/{number}/fills?state=all")["fills"] for number in range(1, EPOCHS + 1)
    ]
    seen = [
        next(one["state"] for one in fills if one["order_id"] == resting.order_id.hex())
        for fills in states
    ]
    assert seen == ["carried"] * (EPOCHS - 1) + ["expired"]


def test_pages_cover_every_epoch_once(chain: Chain) -> None:
    world, _, _ = chain
    for limit in (1, 5, 12, 50):
        seen: list[int] = []
        url = f"/epochs?limit={limit}"
        while url:
            page = world.get(url)
            seen += [one["epoch"] for one in page["epochs"]]
            before = page["next_before"]
            url = f"/epochs?limit={limit}&before={before}" if before else ""
        assert seen == list(range(EPOCHS, 0, -1))


def test_parents_chain_the_outcomes(chain: Chain) -> None:
    world, _, _ = chain
    for number in range(2, EPOCHS + 1):
        parent = world.get(f"/epochs/{number}")["parent"]
        assert parent == world.get(f"/epochs/{number - 1}")["outcome_sha256"]


def test_tables_that_do_not_fit_are_read_again(chain: Chain) -> None:
    world, orders, _ = chain
    read: list[int] = []

    def load(epoch: int) -> Any:
        read.append(epoch)
        return load_table(world.ctx, epoch)

    index = Index(load, rows_max=4)
    for number in range(1, EPOCHS + 1):
        facts = world.services.index.epoch(number)
        assert facts is not None
        index.add_epoch(facts, load_table(world.ctx, number))
    for order in (orders[0], orders[0], orders[-1]):
        found = index.find(order.order_id)
        assert found is not None
        assert found.state == "filled"
    assert read == [1]


def test_two_api_processes_on_one_chain_agree() -> None:
    world = api_world()
    other = world.restarted()
    other.poll()
    order = world.wallets["alice"].order("USD", "EUR", "5", nonce=1)
    first = world.post(order.verifiable)
    assert other.client.get(f"/orders/{order.order_id.hex()}").status_code == 404
    assert other.post(order.verifiable) == first
    assert world.inbox.depth().visible == 2
    outcome = world.epoch()
    other.poll()
    assert outcome["fills"] == 1
    assert world.order(order) == other.order(order)
    assert world.get("/epochs/1") == other.get("/epochs/1")
    assert world.inbox.depth().visible == 0


def test_an_order_that_was_sealed_long_ago_is_not_queued_again(chain: Chain) -> None:
    world, orders, _ = chain
    for order in (orders[0], orders[-1]):
        assert world.post(order.verifiable) == [
            {"status": "queued", "order_id": order.order_id.hex()}
        ]
    assert world.inbox.depth().visible == 0


def outcome_with_proof(world: ApiWorld, mode: str, described: dict[str, Any]) -> dict[str, Any]:
    """An outcome whose proof object is stored as another prover would leave it."""
    job = sha256_hex(mode.encode())
    prefix = proof_prefix(job, mode)
    proof = put_object(world.store, prefix + "proof.bin", f"proof in {mode}".encode())
    put_json(world.store, prefix + "proof.json", described)
    return {"mode": mode, "job_id": job, "proof": proof, "sdl_hash": "x"}


@pytest.mark.parametrize("mode", ["attested", "executed", "core", "compressed", "gpu"])
def test_every_mode_is_named_and_two_of_them_are_no_proofs(mode: str) -> None:
    world = api_world()
    outcome = outcome_with_proof(world, mode, {"program_hash": "ab", "public_values": "cd"})
    found = proof_answer(world.store, 1, outcome)
    assert found.mode == mode
    assert found.is_proof == (mode in ("core", "compressed", "gpu"))
    assert mode in found.note
    assert ("no proof" in found.note) == (mode in NO_PROOF)
    assert b64decode(found.proof or "") == f"proof in {mode}".encode()
    assert (found.program_hash, found.public_values) == ("ab", "cd")


def test_a_proof_without_its_description_is_still_shown() -> None:
    world = api_world()
    outcome = outcome_with_proof(world, "core", {})
    world.store.objects.discard(proof_prefix(outcome["job_id"], "core") + "proof.json")
    found = proof_answer(world.store, 1, outcome)
    assert (found.mode, found.description, found.public_values) == ("core", None, None)


def test_a_proof_whose_bytes_changed_is_not_shown() -> None:
    world = api_world()
    outcome = outcome_with_proof(world, "core", {})
    outcome["proof"]["sha256"] = "00" * 32
    with pytest.raises(CommitConflict, match="sha256"):
        proof_answer(world.store, 1, outcome)


def test_hashes_come_from_the_object_that_records_them() -> None:
    manifest = {"orders": {"key": "epochs/o", "sha256": "1"}, "network": "x", "pool": {"key": "k"}}
    outcome = {"proposal": {"key": "epochs/p", "sha256": "2"}, "status": "settled"}
    assert recorded_hashes(7, manifest, outcome) == {
        "epochs/o": ("1", epoch_key(7, "manifest.json")),
        "epochs/p": ("2", epoch_key(7, "outcome.json")),
    }


def test_objects_that_nobody_records_are_hashed_as_they_stand() -> None:
    world = api_world()
    body = json_bytes({"a": 1})
    world.store.put_new(epoch_key(1, "note.json"), body)
    manifest = {"orders": {"key": epoch_key(1, "orders/x"), "sha256": "1"}}
    found = {one.key: one for one in object_answers(world.store, 1, manifest, {})}
    assert found[epoch_key(1, "note.json")].sha256 == sha256_hex(body)
    assert found[epoch_key(1, "note.json")].recorded_in is None
    assert found[epoch_key(1, "orders/x")].sha256 == "1"
    assert found[epoch_key(1, "orders/x")].url == "/objects/epochs/00000001/orders/x"
