"""``POST /preview``: the answer is what the epoch then gives, and every refusal names its field."""

import asyncio
import json
import threading
from decimal import Decimal
from typing import Any

import httpx
import pytest

from convexfx.api.preview.open_batch import OpenBatches
from convexfx.api.preview.preview import BODY_BYTES_MAX
from convexfx_core.errors import ClearingCode, ClearingRefused
from tests.support.api_world import ApiWorld, api_world, unreachable

AMOUNTS = ("paid", "received", "fee")


def preview(world: ApiWorld, pay: str, receive: str, budget: object, **more: object) -> Any:
    order = {"pay_asset": pay, "receive_asset": receive, "budget": budget, **more}
    answer = world.client.post("/preview", content=json.dumps(order))
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(world: ApiWorld, body: str | bytes) -> tuple[int, str, str]:
    answer = world.client.post("/preview", content=body)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"], answer.json()["detail"]


@pytest.mark.parametrize(
    ("pay", "receive", "budget", "more"),
    [
        ("USD", "EUR", "1000", {}),
        ("JPY", "CHF", "70000.5", {"limit_ratio": "200"}),
        ("EUR", "USD", "40000", {"min_fill_fraction": "1"}),
        ("USD", "EUR", "500", {"limit_ratio": "0.5"}),
    ],
)
def test_the_epoch_gives_what_the_preview_said(
    pay: str, receive: str, budget: str, more: dict[str, Any]
) -> None:
    world = api_world()
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    world.post(bob.order("USD", "EUR", "30000", nonce=1).verifiable)
    said = preview(world, pay, receive, budget, **more)
    order = alice.order(pay, receive, budget, nonce=1, **more)
    world.post(order.verifiable)
    world.epoch()
    found = world.order(order)
    assert said["epoch"] == found["epoch"] == 1
    assert said["orders"] == 1
    if said["status"] == "unfilled":
        assert (found["state"], found["reason"]) == ("expired", said["reason"])
        assert said["limit_ratio"] != "0.5", "the one that would have filled"
    else:
        assert found["state"] == said["status"] == "filled"
        assert {name: said[name] for name in AMOUNTS} == {
            name: found["fill"][name] for name in AMOUNTS
        }


def test_rates_lie_where_they_say() -> None:
    made = api_world()
    small, large = (preview(made, "USD", "EUR", budget) for budget in ("10", "90000"))
    for said in (small, large):
        rate, low, high = (
            Decimal(text)
            for text in (said["rate"], said["interval"]["low"], said["interval"]["high"])
        )
        assert low <= rate <= high
        assert abs(rate - Decimal(said["received"]) / Decimal(said["paid"])) < Decimal("1e-6")
        assert abs(rate * Decimal(said["limit_ratio"]) - 1) < Decimal("1e-11")
        impact = 10_000 * (Decimal(said["rate_without"]) / rate - 1)
        assert abs(impact - Decimal(said["price_impact_bps"])) < Decimal("1e-5")
    assert Decimal(large["price_impact_bps"]) > 100 * Decimal(small["price_impact_bps"]) > 0


def test_a_limit_as_previewed_is_filled_and_the_next_smaller_one_is_not() -> None:
    world = api_world()
    said = preview(world, "USD", "EUR", "1000")
    limit = Decimal(said["limit_ratio"])
    assert preview(world, "USD", "EUR", "1000", limit_ratio=str(limit))["status"] == "filled"
    less = preview(world, "USD", "EUR", "1000", limit_ratio=str(limit * Decimal("0.999")))
    assert (less["status"], less["reason"]) == ("unfilled", "limit")


def test_queued_sealed_and_carried_orders_count_once() -> None:
    world = api_world()
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    far = alice.order("USD", "EUR", "100", nonce=1, limit_ratio="0.01", valid_until_epoch=9)
    world.post(far.verifiable, bob.order("EUR", "USD", "9000", nonce=1).verifiable)
    queued = preview(world, "GBP", "USD", "100")
    sealed = world.seal()
    assert sealed is not None
    world.poll()
    assert preview(world, "GBP", "USD", "100") == queued
    assert queued["orders"] == 2
    world.finish(sealed)
    world.poll()
    after = preview(world, "GBP", "USD", "100")
    assert (after["epoch"], after["orders"]) == (2, 1), "the carried one"


def test_orders_without_balance_move_no_preview() -> None:
    world = api_world()
    before = preview(world, "USD", "EUR", "100")
    world.gateway.balances[world.wallets["bob"].owner] = [0] * 6
    world.post(world.wallets["bob"].order("USD", "EUR", "90000", nonce=1).verifiable)
    assert preview(world, "USD", "EUR", "100") == before


def test_a_preview_changes_nothing() -> None:
    world = api_world()
    keys = set(world.store.objects.bodies)
    preview(world, "USD", "EUR", "100")
    assert set(world.store.objects.bodies) == keys
    assert world.inbox.depth().visible == 0
    assert world.run() is None


def test_number_literals_are_read_from_their_text() -> None:
    world = api_world()
    body = '{"pay_asset":"USD","receive_asset":"EUR","budget":0.1,"min_fill_fraction":0.5}'
    answer = world.client.post("/preview", content=body)
    assert answer.json()["budget"] == "0.100000"


@pytest.mark.parametrize(
    ("order", "code", "said"),
    [
        ({"receive_asset": "USD"}, "SELF_PAIR", "receive"),
        ({"receive_asset": "XYZ"}, "ASSET_UNKNOWN", "receive_asset: expected USD EUR"),
        ({"pay_asset": 5}, "SCHEMA", "preview.pay_asset"),
        ({"budget": "0"}, "BUDGET_ZERO", "budget"),
        ({"budget": "-1"}, "BUDGET_NEGATIVE", "budget"),
        ({"budget": "0.0000001"}, "AMOUNT_PRECISION", "budget: expected at most 6 decimals"),
        ({"budget": "x"}, "SCHEMA", "budget"),
        ({"limit_ratio": "0"}, "LIMIT_RANGE", "limit"),
        ({"min_fill_fraction": "1.1"}, "MIN_FILL_RANGE", "min_fill_fraction"),
        ({"owner": "x"}, "SCHEMA", "owner"),
    ],
)
def test_invalid_orders_name_code_and_field(order: dict[str, Any], code: str, said: str) -> None:
    good = {"pay_asset": "USD", "receive_asset": "EUR", "budget": "1"}
    status, found, detail = refusal(api_world(), json.dumps({**good, **order}))
    assert (status, found) == (400, code), detail
    assert said in detail


def test_invalid_bodies_are_problems() -> None:
    world = api_world()
    assert refusal(world, b"{")[:2] == (400, "NOT_JSON")
    assert refusal(world, b"[]")[:2] == (400, "SCHEMA")
    assert refusal(world, b" " * (BODY_BYTES_MAX + 1))[:2] == (413, "MESSAGE_TOO_LARGE")


def test_peers_and_prices_that_fail_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    world = api_world()
    good = json.dumps({"pay_asset": "USD", "receive_asset": "EUR", "budget": "1"})
    world.gateway.down = unreachable()
    assert refusal(world, good)[:2] == (503, "PEER_UNREACHABLE")
    world.gateway.down = None
    world.clock.advance(10**6)
    monkeypatch.setattr(type(world.ctx.prices), "at", stale(world))
    assert refusal(world, good)[:2] == (503, "NOT_READY")


def stale(world: ApiWorld) -> Any:
    """Quotes of long ago."""
    quotes = world.ctx.prices.at(world.clock.now(), 1)
    old = type(quotes)(
        **{name: getattr(quotes, name) for name in quotes.__dataclass_fields__ if name != "as_of"},
        as_of=quotes.as_of.replace(year=2001),
    )
    return lambda *_: old


def test_a_chain_that_was_not_read_yet_is_not_ready() -> None:
    body = json.dumps({"pay_asset": "USD", "receive_asset": "EUR", "budget": "1"})
    assert refusal(api_world().restarted(), body)[:2] == (503, "NOT_READY")


def test_a_crowd_of_previews_keeps_no_other_request_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, go = api_world(), threading.Event()

    def look(_: OpenBatches) -> None:
        go.wait(30)
        raise ClearingRefused(ClearingCode.NOT_CONVERGED, "prices", "an equilibrium")

    monkeypatch.setattr(OpenBatches, "look", look)
    order = {"pay_asset": "USD", "receive_asset": "EUR", "budget": "1"}

    async def crowd() -> list[int]:
        transport = httpx.ASGITransport(world.client.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            waiting = [asyncio.create_task(client.post("/preview", json=order)) for _ in range(100)]
            for _ in range(100):
                await asyncio.sleep(0)
            answer = await asyncio.wait_for(client.get(f"/vaults/{world.wallets['bob'].owner}"), 20)
            go.set()
            return [
                answer.status_code,
                *[one.status_code for one in await asyncio.gather(*waiting)],
            ]

    assert asyncio.run(crowd()) == [200, *[409] * 100]


def test_a_batch_that_cannot_be_cleared_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    world = api_world()

    def refuse(_: object) -> None:
        raise ClearingRefused(ClearingCode.NOT_CONVERGED, "prices", "an equilibrium")

    monkeypatch.setattr("convexfx.api.preview.open_batch.propose", refuse)
    good = json.dumps({"pay_asset": "USD", "receive_asset": "EUR", "budget": "1"})
    status, code, detail = refusal(world, good)
    assert (status, code) == (409, "CLEARING_REFUSED")
    assert "NOT_CONVERGED" in detail


def test_a_look_serves_for_a_second_unless_something_changes() -> None:
    world, seconds = api_world(), [0.0]
    batches = OpenBatches(world.ctx, world.services.index, lambda: seconds[0])
    first = batches.look()
    assert batches.look() is first
    world.post(world.wallets["alice"].order("USD", "EUR", "5", nonce=1).verifiable)
    second = batches.look()
    assert (len(first.case.orders), len(second.case.orders)) == (0, 1)
    seconds[0] = 2.0
    assert batches.look() is not second
