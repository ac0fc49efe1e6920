"""The thread that follows the chain: missing receipts, broken objects, a store that is away."""

import logging
import threading

import pytest

from convexfx.api.chain_index.follower import GRACE_S, REJECTS_EVERY, refused_orders
from convexfx.wallet import SignedVerifiable
from convexfx_core.errors import PeerUnreachable
from tasks.adapters.injected_faults import Fault, Faults
from tasks.objects import epoch_key
from tests.support.api_world import ApiWorld, api_world

NEVER = "0.0000001"


def one_epoch(world: ApiWorld, *, discard: tuple[str, ...] = ()) -> SignedVerifiable:
    """Run an epoch with one order and take objects of it away before the API looks."""
    order = world.wallets["alice"].order("USD", "EUR", "10", nonce=1)
    world.post(order.verifiable)
    world.poll()
    sealed = world.seal()
    assert sealed is not None
    world.poll()
    world.finish(sealed)
    for name in discard:
        remove(world, epoch_key(1, name))
    return order


def remove(world: ApiWorld, key: str) -> None:
    world.store.objects.discard(key)


def test_receipts_that_come_late_are_waited_for() -> None:
    world = api_world()
    key = epoch_key(1, "receipts.parquet")
    order = one_epoch(world)
    body = world.store.get(key)
    assert body is not None
    remove(world, key)
    assert not world.poll()
    assert world.order(order)["state"] == "sealed"
    assert world.services.index.head == 0
    world.clock.advance(GRACE_S / 2)
    world.poll()
    assert world.order(order)["state"] == "sealed"
    world.store.put_new(key, body)
    world.poll()
    assert world.order(order)["state"] == "filled"


def test_receipts_that_never_come_are_derived_from_the_chain() -> None:
    world = api_world()
    order = one_epoch(world, discard=("receipts.parquet",))
    world.poll()
    world.clock.advance(GRACE_S)
    assert world.poll()
    found = world.order(order)
    assert (found["state"], found["fill"]["paid"]) == ("filled", "10.000000")
    assert not world.store.exists(epoch_key(1, "receipts.parquet"))
    assert world.get("/epochs/1/fills")["count"] == 1


def test_receipts_that_do_not_decode_are_derived_too(caplog: pytest.LogCaptureFixture) -> None:
    world = api_world()
    order = one_epoch(world, discard=("receipts.parquet",))
    world.store.put_new(epoch_key(1, "receipts.parquet"), b"PAR1 broken")
    with caplog.at_level(logging.ERROR):
        world.poll()
        world.clock.advance(GRACE_S)
        world.poll()
    assert world.order(order)["state"] == "filled"
    assert "receipts of epoch 1" in caplog.text


def test_where_nothing_can_be_derived_orders_stay_sealed_and_the_chain_goes_on() -> None:
    world = api_world()
    order = one_epoch(world, discard=("receipts.parquet", "proposal.json"))
    world.poll()
    world.clock.advance(GRACE_S)
    world.poll()
    assert world.services.index.head == 1
    assert world.order(order)["state"] == "sealed"
    assert (
        world.get("/epochs/1")["orders"] == {}
        if world.store.exists(epoch_key(1, "proposal.json"))
        else True
    )
    [listed] = world.get("/epochs")["epochs"]
    assert listed["orders"] == {}
    vault = world.get(f"/vaults/{world.wallets['alice'].owner}")
    assert [found["state"] for found in vault["open_orders"]] == ["sealed"]


def test_where_even_the_candidates_are_gone_the_epoch_is_still_listed() -> None:
    world = api_world()
    manifest_orders = one_epoch(world, discard=("receipts.parquet", "proposal.json"))
    remove(world, world.manifest(1)["orders"]["key"])
    again = world.restarted()
    again.poll()
    world.clock.advance(GRACE_S)
    again.poll()
    assert again.services.index.head == 1
    answer = again.client.get(f"/orders/{manifest_orders.order_id.hex()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "ORDER_UNKNOWN")


def test_a_restart_reads_the_whole_chain() -> None:
    world = api_world()
    orders = []
    for nonce in (1, 2, 3):
        orders.append(world.wallets["alice"].order("USD", "EUR", "10", nonce=nonce))
        world.post(orders[-1].verifiable)
        world.run()
    again = world.restarted()
    for order in orders:
        answer = again.client.get(f"/orders/{order.order_id.hex()}")
        assert (answer.status_code, answer.json()["code"]) == (503, "NOT_READY")
    assert again.poll()
    assert [again.order(order)["epoch"] for order in orders] == [1, 2, 3]
    assert not again.poll()


def test_a_store_that_is_away_changes_nothing_and_is_reported() -> None:
    faults = Faults()
    world = api_world(faults=faults)
    order = one_epoch(world)
    faults.plan("get", Fault.LOSE_ANSWER, match="outcome.json")
    with pytest.raises(PeerUnreachable):
        world.poll()
    assert world.order(order)["state"] == "sealed"
    world.poll()
    assert world.order(order)["state"] == "filled"


def test_the_thread_survives_everything_and_says_what_troubles_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = Faults()
    world = api_world(faults=faults, poll_s=0.001)
    follower = world.services.follower
    faults.plan("get", Fault.LOSE_ANSWER, times=2)
    with caplog.at_level(logging.INFO):
        assert not follower._look()
        assert follower.trouble is not None
        assert follower.trouble.startswith("PEER_UNREACHABLE: store")
        assert not follower._look()
        assert follower._look()
    assert follower.trouble is None
    assert caplog.text.count("chain cannot be followed") == 1
    assert "chain is followed again" in caplog.text


def test_an_unexpected_error_is_trouble_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world = api_world()
    follower = world.services.follower

    def broken() -> bool:
        raise ZeroDivisionError("division")

    monkeypatch.setattr(follower, "poll", broken)
    assert not follower._look()
    assert follower.trouble == "ZeroDivisionError('division')"


def test_the_thread_starts_follows_and_stops() -> None:
    world = api_world(poll_s=0.001)
    follower, seen = world.services.follower, threading.Event()
    follower.poll = seen.set  # type: ignore[assignment,method-assign]  # only whether it is called
    assert not follower.alive
    follower.start()
    assert follower.alive
    assert seen.wait(10)
    follower.stop()
    assert not follower.alive


def test_rejects_are_listed_now_and_then_and_read_once() -> None:
    faults = Faults()
    world = api_world(faults=faults)
    alice = world.wallets["alice"]
    order = alice.order("USD", "EUR", "10", nonce=1)
    world.post(order.verifiable)
    world.gateway.nonces[alice.owner] = 2
    assert world.seal() is None
    looks = 1
    while world.order(order)["state"] == "queued":
        world.poll()
        looks += 1
        assert looks <= REJECTS_EVERY + 1
    faults.plan("get", Fault.LOSE_ANSWER, match="rejects/")
    for _ in range(2 * REJECTS_EVERY):
        world.poll()
    assert faults.pending() == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"items":5}', b'{"items":[{"order_id":"zz","code":"EXPIRED"}]}',
     b'{"items":[{"order_id":"00"}]}'],
)  # fmt: skip
def test_a_reject_object_that_cannot_be_read_spoils_nothing(body: bytes) -> None:
    assert refused_orders("rejects/x.json", body) == {}


def test_items_without_an_id_are_left_out() -> None:
    body = b'{"items":[{"code":"SCHEMA","index":0},{"order_id":"0102","code":"EXPIRED"}]}'
    assert refused_orders("rejects/x.json", body) == {b"\1\2": "EXPIRED"}


def test_a_parked_object_that_cannot_be_read_spoils_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = api_world()
    order = world.wallets["alice"].order("USD", "EUR", "10", nonce=2, valid_until_epoch=9)
    world.post(order.verifiable)
    assert world.seal() is None
    world.store.put_new("parked/00000001/00.parquet", b"PAR1")
    with caplog.at_level(logging.ERROR):
        world.poll()
        world.poll()
    assert world.order(order)["state"] == "parked"
    assert caplog.text.count("parked/00000001/00.parquet") == 1
