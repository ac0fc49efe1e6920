"""``GET /events``: ids of the chain, resumption, and the end of a stream."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from convexfx.api.problem import Problem
from convexfx.api.routes.events import events_after, first_wanted, latest, stream
from convexfx_core.errors import ClearingCode, ClearingRefused
from tests.support.api_live import LiveApi, live_api
from tests.support.api_world import ApiWorld, api_world


def settled(epochs: int) -> ApiWorld:
    world = api_world()
    for nonce in range(1, epochs + 1):
        world.post(world.wallets["alice"].order("USD", "EUR", "10", nonce=nonce).verifiable)
        world.epoch()
    return world


def parsed(text: str) -> list[dict[str, str]]:
    """Events of a stream's text; comments and ``retry`` are left out."""
    blocks = [block.splitlines() for block in text.split("\n\n")]
    found = [dict(line.split(": ", 1) for line in block if line[:1] != ":") for block in blocks]
    return [event for event in found if "event" in event]


def read(world: ApiWorld, last: int) -> list[dict[str, str]]:
    """What a stream tells before it waits."""
    world.services.change_signal.close()

    async def collect() -> str:
        return "".join([part async for part in stream(world.services, last)])

    return parsed(asyncio.run(collect()))


def test_an_epoch_has_two_events_and_their_ids_follow_from_its_number() -> None:
    events = read(settled(2), 0)
    assert [(event["id"], event["event"]) for event in events] == [
        ("1", "sealed"), ("2", "settled"), ("3", "sealed"), ("4", "settled"),
    ]  # fmt: skip
    assert [json.loads(event["data"])["epoch"] for event in events] == [1, 1, 2, 2]


def test_the_data_of_an_outcome_is_the_epoch_as_the_list_shows_it() -> None:
    world = settled(1)
    shown = world.get("/epochs")["epochs"][0]
    assert json.loads(read(world, 1)[0]["data"]) == shown


def test_a_stream_goes_on_behind_the_last_event_seen() -> None:
    world = settled(3)
    for last in range(7):
        ids = [event.id for event in events_after(world.services.index, last)]
        assert ids == list(range(last + 1, 7))


def test_pages_join_without_a_gap() -> None:
    world, last, ids = settled(3), 0, []
    while found := events_after(world.services.index, last, limit=2):
        assert len(found) <= 2
        last = found[-1].id
        ids += [event.id for event in found]
    assert ids == [1, 2, 3, 4, 5, 6]


def test_a_seal_is_told_before_its_outcome() -> None:
    world = settled(1)
    world.post(world.wallets["alice"].order("USD", "EUR", "10", nonce=2).verifiable)
    sealed = world.seal()
    assert sealed is not None
    world.poll()
    index = world.services.index
    assert latest(index) == 3
    assert [event.name for event in events_after(index, 2)] == ["sealed"]
    world.finish(sealed, ClearingRefused(ClearingCode.STEP_NORM, "y", "a small last step", 3))
    world.poll()
    assert [(event.id, event.name) for event in events_after(index, 3)] == [(4, "aborted")]


def test_where_a_stream_begins() -> None:
    index = settled(2).services.index
    assert first_wanted(index, None) == 3, "the last outcome comes first"
    assert first_wanted(api_world().services.index, None) == 0
    assert first_wanted(index, "2") == 2
    assert first_wanted(index, "4") == 4
    assert first_wanted(index, "5") == 0, "an id of another chain"


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", "1 ", "9" * 13, "\u0661"])
def test_an_invalid_id_is_a_problem(text: str) -> None:
    with pytest.raises(Problem) as caught:
        first_wanted(api_world().services.index, text)
    assert (caught.value.status, caught.value.code) == (422, "PARAMETER")
    assert "Last-Event-ID" in caught.value.detail


def test_a_chain_that_was_not_read_yet_is_not_ready() -> None:
    world = settled(1).restarted()
    answer = world.client.get("/events")
    assert (answer.status_code, answer.json()["code"]) == (503, "NOT_READY")


def test_what_an_idle_stream_sends_is_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexfx.api.routes.events.KEEP_ALIVE_S", 0.001)
    world = api_world()

    async def first() -> list[str]:
        found = stream(world.services, 0)
        return [await anext(found), await anext(found)]

    assert asyncio.run(first()) == ["retry: 2000\n\n", ": nothing new\n\n"]


@pytest.fixture(scope="module")
def live() -> Iterator[LiveApi]:
    with live_api() as served:
        yield served


def listen(url: str, count: int, headers: dict[str, str]) -> list[dict[str, Any]]:
    """The first events of a served stream."""
    text = ""
    with httpx.stream("GET", f"{url}/events", headers=headers, timeout=30) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        for part in answer.iter_text():
            text += part
            if len(parsed(text)) >= count:
                return parsed(text)[:count]
    raise AssertionError(text)


def test_a_listener_hears_an_epoch_and_another_one_goes_on_behind_it(live: LiveApi) -> None:
    alice = live.world.wallets["alice"]
    live.world.post(alice.order("USD", "EUR", "10", nonce=1).verifiable)
    heard = listen(live.url, 2, {"Last-Event-ID": "0"})
    assert [event["event"] for event in heard] == ["sealed", "settled"]
    live.world.post(alice.order("USD", "EUR", "10", nonce=2).verifiable)
    later = listen(live.url, 2, {"Last-Event-ID": heard[-1]["id"]})
    assert [event["id"] for event in later] == ["3", "4"]
