"""Epochs without orders, of cancels only, of carried orders only; late messages; two sealers."""

import threading
from collections.abc import Iterator

import pytest

from convexfx.wallet import inline_messages
from tasks.chain import manifest_of, read_head
from tasks.collect import collect
from tasks.objects import as_object
from tasks.process import using
from tests.support.epoch_world import World, open_world


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("world")) as world:
        yield world


def test_an_hour_of_empty_ticks_uses_no_epoch(world: World) -> None:
    for _ in range(180):
        assert world.run() is None
    assert read_head(world.store).epoch == 0
    assert world.store.list("epochs/") == ()


def test_an_epoch_of_cancels_only_consumes_their_nonces(world: World) -> None:
    alice = world.wallets["alice"]
    world.send([alice.cancel(1, "USD"), alice.cancel(2, "EUR")])
    outcome = world.run()
    assert outcome is not None
    assert (outcome["status"], outcome["fills"], outcome["consumed"]) == ("settled", 0, 2)
    assert outcome["sdl_hash"] is not None
    assert world.gateway.next_nonce(alice.owner) == 3
    assert world.sums() == {world.minted}


def test_an_epoch_of_carried_orders_only_settles_without_an_sdl(world: World) -> None:
    bob = world.wallets["bob"]
    world.send([bob.order("USD", "EUR", "10", nonce=1, limit_ratio="0.5", valid_until_epoch=3)])
    for epoch in (1, 2, 3):
        outcome = world.run()
        assert outcome is not None
        assert (outcome["epoch"], outcome["status"]) == (epoch, "settled")
        assert (outcome["sdl_hash"], outcome["mode"], outcome["consumed"]) == (None, None, 0)
    assert world.run() is None, "it expired with epoch 3"
    assert world.gateway.next_nonce(bob.owner) == 1


def test_a_late_message_with_an_earlier_nonce_still_settles(world: World) -> None:
    alice = world.wallets["alice"]
    later = alice.order("USD", "EUR", "20", nonce=2, valid_until_epoch=9)
    world.send([later])
    assert world.run() is None, "a gapped order alone seals nothing"
    assert world.ctx.inbox.depth().visible == 0, "it is parked, not left in the queue"
    world.send([alice.order("USD", "EUR", "10", nonce=1, valid_until_epoch=9)])
    outcome = world.run()
    assert outcome is not None
    assert (outcome["status"], outcome["fills"]) == ("settled", 2)


@pytest.mark.parametrize("body", [b"", b"PAR1", b"no table"])
def test_a_parked_object_that_cannot_be_read_stops_no_other(world: World, body: bytes) -> None:
    alice = world.wallets["alice"]
    world.send([alice.order("USD", "EUR", "20", nonce=2, valid_until_epoch=9)])
    assert world.run() is None
    world.store.put_new("parked/00000001/00.parquet", body)
    world.send([alice.order("USD", "EUR", "10", nonce=1, valid_until_epoch=9)])
    outcome = world.run()
    assert outcome is not None
    assert (outcome["status"], outcome["fills"]) == ("settled", 2)
    records = [as_object(world.store.get(key) or b"", key) for key in world.store.list("rejects/")]
    assert [record["items"][0]["field"] for record in records] == ["parked/00000001/00.parquet"]
    assert world.store.get("parked/00000001/00.parquet") == body, "what was there stays there"


def test_a_cancel_wins_over_a_carried_order(world: World) -> None:
    alice = world.wallets["alice"]
    world.send([alice.order("USD", "EUR", "10", nonce=1, limit_ratio="0.5", valid_until_epoch=9)])
    first = world.run()
    assert first is not None
    assert first["consumed"] == 0
    world.send([alice.cancel(1, "USD")])
    second = world.run()
    assert second is not None
    assert (second["consumed"], second["fills"]) == (1, 0)
    assert world.run() is None


def test_replays_and_duplicates_are_acknowledged_once(world: World) -> None:
    alice = world.wallets["alice"]
    order = alice.order("USD", "EUR", "10", nonce=1)
    world.send([order, order])
    world.send([order])
    first = world.run()
    assert first is not None
    assert first["fills"] == 1
    world.send([order])
    assert world.run() is None
    assert world.ctx.inbox.depth().visible == 0
    assert world.balances()["alice"]["USD"] == 99_990_000_000


def test_refused_messages_leave_durable_records(world: World) -> None:
    good = world.wallets["alice"].order("USD", "EUR", "10", nonce=1)
    bad = inline_messages([good])[0].replace('"new_nonce":1', '"new_nonce":2')
    world.ctx.inbox.send([bad, "{not json", inline_messages([good])[0]])
    outcome = world.run()
    assert outcome is not None
    assert outcome["fills"] == 1
    records = [as_object(world.store.get(key) or b"", key) for key in world.store.list("rejects/")]
    codes = sorted(item["code"] for record in records for item in record["items"])
    assert codes == ["NOT_JSON", "SIGNATURE"]
    assert world.ctx.inbox.depth().visible == 0


def test_two_sealers_leave_one_manifest_and_lose_nothing(world: World) -> None:
    wallets = list(world.wallets.values())
    for round_ in range(1, 5):
        world.send([wallet.order("USD", "EUR", "10", nonce=round_) for wallet in wallets])
        barrier, sealed = threading.Barrier(2), []

        def seal(barrier: threading.Barrier = barrier, sealed: list[object] = sealed) -> None:
            with using(world.ctx):
                barrier.wait()
                sealed.append(collect.fn())

        threads = [threading.Thread(target=seal) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        manifest = manifest_of(world.store, read_head(world.store).epoch + 1)
        assert manifest is not None
        named = [found["manifest"] for found in sealed if isinstance(found, dict)]
        assert named
        assert all(ref == manifest[0] for ref in named), "the loser adopts the winner's manifest"
        while (outcome := world.run()) is not None and outcome["fills"]:
            assert outcome["status"] == "settled"
    for wallet in wallets:
        assert world.gateway.next_nonce(wallet.owner) == 5
    assert world.sums() == {world.minted}
