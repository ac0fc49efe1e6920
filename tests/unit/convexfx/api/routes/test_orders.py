"""What ``GET /orders/{order_id}`` says over an order's life: only ever forward."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from convexfx.wallet import SignedVerifiable
from convexfx_core.errors import ClearingCode, ClearingRefused
from tests.support.api_world import ApiWorld, api_world

NEVER = "0.0000001"
"""A limit ratio that no price meets."""


def life(world: ApiWorld, order: SignedVerifiable) -> tuple[str, int | None, bool]:
    found = world.order(order)
    return found["state"], found["epoch"], found["final"]


def test_queued_sealed_filled() -> None:
    world = api_world()
    order = world.wallets["alice"].order("USD", "EUR", "1000", nonce=1)
    world.post(order.verifiable)
    assert life(world, order) == ("queued", None, False)
    sealed = world.seal()
    assert sealed is not None
    assert life(world, order) == ("queued", None, False)
    world.poll()
    assert life(world, order) == ("sealed", 1, False)
    world.finish(sealed)
    world.poll()
    assert life(world, order) == ("filled", 1, True)
    found = world.order(order)
    assert found["status"] == found["state"]
    assert found["reason"] is None
    assert found["fill"]["paid"] == "1000.000000"
    assert found["fill"]["paid_base_units"] == "1000000000"
    gross = sum(int(found["fill"][f"{name}_base_units"]) for name in ("received", "fee"))
    assert gross * 300 // 10**6 in range(int(found["fill"]["fee_base_units"]) - 1, gross)
    assert (found["pay_asset"], found["receive_asset"], found["budget"]) == (
        "USD", "EUR", "1000.000000",
    )  # fmt: skip
    assert found["owner"] == world.wallets["alice"].owner


def test_carried_until_it_expires() -> None:
    world = api_world()
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    order = alice.order("USD", "EUR", "10", nonce=1, limit_ratio=NEVER, valid_until_epoch=2)
    world.post(order.verifiable)
    world.epoch()
    assert life(world, order) == ("carried", 1, False)
    found = world.order(order)
    assert found["reason"] == "limit"
    assert found["fill"] is None
    assert float(found["filling_limit"]) > 1
    world.post(bob.order("USD", "EUR", "10", nonce=1).verifiable)
    sealed = world.seal()
    world.poll()
    assert life(world, order) == ("sealed", 2, False)
    assert sealed is not None
    world.finish(sealed)
    world.poll()
    assert life(world, order) == ("expired", 2, True)


def test_an_order_for_one_epoch_only_expires_with_it() -> None:
    world = api_world()
    order = world.wallets["alice"].order("USD", "EUR", "10", nonce=1, limit_ratio=NEVER)
    world.post(order.verifiable)
    world.epoch()
    assert life(world, order) == ("expired", 1, True)


def test_an_unfilled_order_whose_nonce_was_consumed() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    first = alice.order("USD", "EUR", "10", nonce=1, limit_ratio=NEVER, valid_until_epoch=9)
    second = alice.order("USD", "EUR", "10", nonce=2)
    world.post(first.verifiable, second.verifiable)
    world.epoch()
    assert life(world, first) == ("unfilled", 1, True)
    assert world.order(first)["reason"] == "limit"
    assert life(world, second) == ("filled", 1, True)


def test_cancel_and_cancelled() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    order = alice.order("USD", "EUR", "10", nonce=1, limit_ratio=NEVER, valid_until_epoch=9)
    world.post(order.verifiable)
    world.epoch()
    cancel = alice.cancel(1, "USD")
    world.post(cancel.verifiable)
    assert world.order(cancel)["kind"] == "cancel"
    assert world.order(cancel)["receive_asset"] is None
    world.epoch()
    assert life(world, order) == ("cancelled", 2, True)
    assert world.order(order)["reason"] == "rejected:CANCELLED"
    assert life(world, cancel) == ("consumed", 2, True)


def test_parked_in_an_epoch_then_filled() -> None:
    world = api_world()
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    early = alice.order("USD", "EUR", "10", nonce=2, valid_until_epoch=9)
    world.post(early.verifiable, bob.order("USD", "EUR", "10", nonce=1).verifiable)
    world.epoch()
    assert life(world, early) == ("parked", 1, False)
    assert world.order(early)["reason"] == "parked:NONCE_GAP"
    world.post(alice.order("USD", "EUR", "10", nonce=1).verifiable)
    world.epoch()
    assert life(world, early) == ("filled", 2, True)


def test_parked_without_an_epoch_then_filled() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    early = alice.order("USD", "EUR", "10", nonce=2, valid_until_epoch=9)
    world.post(early.verifiable)
    assert world.seal() is None
    assert life(world, early) == ("queued", None, False)
    world.poll()
    assert life(world, early) == ("parked", None, False)
    assert world.post(early.verifiable)[0]["status"] == "queued"
    assert world.inbox.depth().visible == 0
    world.post(alice.order("USD", "EUR", "10", nonce=1).verifiable)
    world.epoch()
    assert life(world, early) == ("filled", 1, True)


def test_refused_where_nothing_could_be_sealed() -> None:
    """The vault's nonce moved on while the order stood in the queue."""
    world = api_world()
    alice = world.wallets["alice"]
    order = alice.order("USD", "EUR", "10", nonce=1)
    world.post(order.verifiable)
    world.gateway.nonces[alice.owner] = 2
    assert world.seal() is None
    for _ in range(8):
        world.poll()
    assert life(world, order) == ("rejected", None, True)
    assert world.order(order)["reason"] == "rejected:NONCE_STALE"
    assert world.get(f"/vaults/{alice.owner}")["open_orders"] == []
    assert world.post(order.verifiable)[0]["status"] == "queued"
    assert world.inbox.depth().visible == 0


def test_refused_past_the_api_is_known_by_its_id_alone() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    order = alice.order("USD", "EUR", "10", nonce=1)
    world.gateway.nonces[alice.owner] = 2
    world.send(order)
    assert world.seal() is None
    for _ in range(8):
        world.poll()
    found = world.order(order)
    assert (found["state"], found["final"], found["reason"]) == (
        "rejected", True, "rejected:NONCE_STALE",
    )  # fmt: skip
    assert found["owner"] is found["budget"] is found["kind"] is None


def test_an_order_sent_past_the_api_is_known_once_it_is_sealed() -> None:
    world = api_world()
    order = world.wallets["alice"].order("USD", "EUR", "10", nonce=1)
    world.send(order)
    answer = world.client.get(f"/orders/{order.order_id.hex()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "ORDER_UNKNOWN")
    world.epoch()
    assert life(world, order) == ("filled", 1, True)


def test_an_aborted_epoch_carries_its_orders() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    order = alice.order("USD", "EUR", "10", nonce=1, valid_until_epoch=9)
    single = world.wallets["bob"].order("USD", "EUR", "10", nonce=1)
    world.post(order.verifiable, single.verifiable)
    sealed = world.seal()
    assert sealed is not None
    world.finish(sealed, ClearingRefused(ClearingCode.STEP_NORM, "y", "a small last step", 3))
    world.poll()
    assert life(world, order) == ("carried", 1, False)
    assert world.order(order)["reason"] == "aborted"
    assert life(world, single) == ("expired", 1, True)
    world.epoch()
    assert life(world, order) == ("filled", 2, True)


@pytest.mark.parametrize("text", ["0", "zz", "0x", "11" * 31, "gg" * 32, "0x" + "11" * 33])
def test_what_is_no_order_id(text: str) -> None:
    answer = api_world().client.get(f"/orders/{text}")
    assert (answer.status_code, answer.json()["code"]) == (422, "ORDER_ID")


def test_ids_in_hex_with_and_without_prefix_and_base58_are_one() -> None:
    from convexfx_core.identity import base58_encode

    world = api_world()
    order = world.wallets["alice"].order("USD", "EUR", "10", nonce=1)
    world.post(order.verifiable)
    for text in (order.order_id.hex(), "0x" + order.order_id.hex(), base58_encode(order.order_id)):
        assert world.get(f"/orders/{text}")["order_id"] == order.order_id.hex()


@pytest.mark.parametrize("wait", ["-1", "x", "nan", "inf"])
def test_waits_that_are_no_numbers(wait: str) -> None:
    answer = api_world().client.get(f"/orders/{'11' * 32}?wait_s={wait}")
    assert (answer.status_code, answer.json()["code"]) == (422, "PARAMETER")
    assert "wait_s" in answer.json()["detail"]


RANKS = {"queued": 0, "sealed": 1, "parked": 2, "carried": 2}


def rank(found: dict[str, Any]) -> tuple[int, int]:
    """Later answers have no smaller rank: (epoch, place in it)."""
    return found["epoch"] or 0, RANKS.get(found["state"], 3)


@pytest.mark.parametrize("seed", range(3))
def test_answers_never_go_back(seed: int, tmp_path: Path) -> None:
    """Random orders, seals, outcomes, looks, restarts; each answer is compared with the last."""
    chance, journal = random.Random(seed), tmp_path / "queued.bin"
    world = api_world(journal=journal)
    nonces = dict.fromkeys(world.wallets, 1)
    orders: list[SignedVerifiable] = []
    last: dict[bytes, dict[str, Any]] = {}
    sealed: dict[str, Any] | None = None

    def look() -> None:
        for order in orders:
            found, before = world.order(order), last.get(order.order_id)
            if before is not None:
                assert rank(found) >= rank(before)
                assert not before["final"] or found == before
            last[order.order_id] = found

    def send() -> None:
        name = chance.choice(sorted(world.wallets))
        wallet, nonce = world.wallets[name], nonces[name] + chance.choice([0, 0, 0, 1])
        order = wallet.order(
            "USD", "EUR", str(chance.randint(1, 60_000)), nonce=nonce,
            limit_ratio=chance.choice([None, None, NEVER]),
            valid_until_epoch=chance.choice([0, 3, 9]),
        )  # fmt: skip
        nonces[name] = nonce + 1
        if world.post(order.verifiable)[0]["status"] == "queued":
            orders.append(order)

    for _ in range(60):
        step = chance.choice(["send", "send", "epoch", "poll", "poll", "restart"])
        if step == "send":
            send()
        elif step == "epoch":
            sealed = world.finish(sealed) and None if sealed else world.seal()
        elif step == "restart":
            world = world.restarted(journal=journal)
            world.poll()
        else:
            world.poll()
        look()
    while sealed is not None or (sealed := world.seal()) is not None:
        world.finish(sealed)
        sealed = None
        for _ in range(8):
            world.poll()
        look()
    assert len({found["state"] for found in last.values()}) > 2


Steps = Callable[[httpx.AsyncClient], Awaitable[Any]]


def live(world: ApiWorld, steps: Steps) -> Any:
    """Run steps against the app while its thread follows the chain."""

    async def run() -> Any:
        transport = httpx.ASGITransport(world.client.app)
        async with (
            world.client.app.router.lifespan_context(world.client.app),
            httpx.AsyncClient(transport=transport, base_url="http://api", timeout=60) as client,
        ):
            return await steps(client)

    return asyncio.run(run())


def test_a_long_poll_answers_when_the_epoch_has_its_outcome() -> None:
    world = api_world(poll_s=0.01)
    order = world.wallets["alice"].order("USD", "EUR", "10", nonce=1)

    async def steps(client: httpx.AsyncClient) -> Any:
        waiting = asyncio.create_task(client.get(f"/orders/{order.order_id.hex()}?wait_s=30"))
        await client.post("/verifiables", json=[order.verifiable])
        sealed = await asyncio.to_thread(world.seal)
        assert sealed is not None
        await asyncio.to_thread(world.finish, sealed)
        return (await waiting).json()

    assert live(world, steps)["state"] == "filled"


def test_a_long_poll_ends_after_its_time_with_what_is_known() -> None:
    world = api_world(poll_s=0.01)
    order = world.wallets["alice"].order("USD", "EUR", "10", nonce=1)

    async def steps(client: httpx.AsyncClient) -> Any:
        unknown = await client.get(f"/orders/{order.order_id.hex()}?wait_s=0.02")
        await client.post("/verifiables", json=[order.verifiable])
        return unknown, await client.get(f"/orders/{order.order_id.hex()}?wait_s=0.02")

    unknown, queued = live(world, steps)
    assert (unknown.status_code, queued.json()["state"]) == (404, "queued")


def test_a_long_poll_does_not_wait_for_what_is_decided() -> None:
    world = api_world(poll_s=0.01)
    order = world.wallets["alice"].order(
        "USD", "EUR", "10", nonce=1, limit_ratio=NEVER, valid_until_epoch=9
    )
    world.post(order.verifiable)
    world.epoch()

    async def steps(client: httpx.AsyncClient) -> Any:
        return await client.get(f"/orders/{order.order_id.hex()}?wait_s=300")

    assert live(world, steps).json()["state"] == "carried"


def test_an_end_of_the_server_answers_the_long_polls() -> None:
    world = api_world(poll_s=0.01)
    order = world.wallets["alice"].order("USD", "EUR", "10", nonce=1)

    async def steps(client: httpx.AsyncClient) -> Any:
        await client.post("/verifiables", json=[order.verifiable])
        waiting = asyncio.create_task(client.get(f"/orders/{order.order_id.hex()}?wait_s=300"))
        await asyncio.sleep(0)
        world.services.change_signal.close()
        return await waiting

    assert live(world, steps).json()["state"] == "queued"
