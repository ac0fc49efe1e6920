"""Epochs end to end on a real devnet, store and queue in memory."""

from pathlib import Path

import pytest

from tasks.objects import epoch_key, state_key
from tasks.replay import replay_epoch
from tests.support.epoch_world import World, open_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> "World":
    with open_world(tmp_path_factory.mktemp("world")) as world:
        settle_two_epochs(world)
        yield world


def settle_two_epochs(world: World) -> None:
    alice, bob, charlie = (world.wallets[name] for name in ("alice", "bob", "charlie"))
    world.send(
        [
            alice.order("USD", "EUR", "1000", nonce=1),
            bob.order("EUR", "USD", "500", nonce=1),
            bob.order("USD", "JPY", "250.5", nonce=2, limit_ratio="0.0000001", valid_until_epoch=9),
        ]
    )
    first = world.run()
    assert first is not None
    assert (first["status"], first["fills"], first["consumed"]) == ("settled", 2, 2)
    world.send([charlie.order("JPY", "AUD", "50000", nonce=1), alice.cancel(2, "USD")])
    second = world.run()
    assert second is not None
    assert (second["status"], second["fills"], second["consumed"]) == ("settled", 1, 2)


def test_amounts_move_exactly(world: World) -> None:
    balances = world.balances()
    assert balances["alice"]["USD"] == 99_000_000_000
    assert balances["bob"]["EUR"] == 99_500_000_000
    assert balances["charlie"]["JPY"] == 50_000_000_000
    assert world.sums() == {world.minted}


def test_an_unfilled_order_is_carried_and_named(world: World) -> None:
    assert world.outcome(2)["orders"] == 3
    assert world.store.exists(state_key(2))


@pytest.mark.parametrize("epoch", [1, 2])
def test_replay_finds_every_object_as_it_should_be(world: World, epoch: int) -> None:
    findings = replay_epoch(world.store, epoch)
    assert [f for f in findings if not f.holds] == []
    assert [finding.name for finding in findings] == list(OBJECTS)


OBJECTS = {
    "outcome.json": lambda w: epoch_key(1, "outcome.json"),
    "manifest.json": lambda w: epoch_key(1, "manifest.json"),
    "params": lambda w: next(iter(w.store.list("params/"))),
    "vaults": lambda w: next(iter(w.store.list(epoch_key(1, "vaults/")))),
    "orders": lambda w: next(iter(w.store.list(epoch_key(1, "orders/")))),
    "proposal.json": lambda w: epoch_key(1, "proposal.json"),
    "verdict.json": lambda w: epoch_key(1, "verdict.json"),
    "state_diffs.parquet": lambda w: epoch_key(1, "state_diffs.parquet"),
    "sdl.json": lambda w: epoch_key(1, "sdl.json"),
    "witness.bin": lambda w: epoch_key(1, "witness.bin"),
    "payout_signatures.bin": lambda w: epoch_key(1, "payout_signatures.bin"),
    "proof.json": lambda w: w.outcome(1)["proof_description"]["key"],
    "proof.bin": lambda w: w.outcome(1)["proof"]["key"],
    "intent.json": lambda w: epoch_key(1, "intent.json"),
    "receipts.parquet": lambda w: epoch_key(1, "receipts.parquet"),
    "lineage.json": lambda w: epoch_key(1, "lineage.json"),
    "state": lambda w: state_key(1),
}


@pytest.mark.parametrize("name", list(OBJECTS))
@pytest.mark.parametrize("where", [0.1, 0.5, 0.95])
def test_replay_names_the_object_with_one_changed_byte(
    world: World, name: str, where: float
) -> None:
    key = OBJECTS[name](world)
    body = world.store.get(key)
    assert body
    place = int(where * len(body))
    changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
    with world.tampered(key, changed):
        wrong = [finding.name for finding in replay_epoch(world.store, 1) if not finding.holds]
    assert name in wrong, wrong
    assert replay_epoch(world.store, 1)[0].holds


@pytest.mark.parametrize("name", ["manifest.json", "outcome.json"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{"])
def test_replay_names_an_object_that_is_no_json_object(
    world: World, name: str, body: bytes
) -> None:
    with world.tampered(epoch_key(1, name), body):
        findings = replay_epoch(world.store, 1)
    assert [finding.name for finding in findings if not finding.holds] == [name]


def test_replay_of_an_absent_epoch_says_so(world: World) -> None:
    findings = replay_epoch(world.store, 7)
    assert [(f.name, f.holds) for f in findings] == [("manifest.json", False)]


def test_epoch_world_is_stopped_afterwards(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        programs = world.programs
    assert all(program.process.poll() is not None for program in programs)
