"""Queued orders across a restart of the API."""

import logging
from pathlib import Path

import pytest

from convexfx.api.chain_index.journal import EMPTY_S, Journal, queued_order
from convexfx.wallet import SignedVerifiable
from convexfx_core.orders.signed import Domain
from tests.support.api_world import DOMAIN, ApiWorld, api_world


def orders_of(world: ApiWorld, count: int) -> list[SignedVerifiable]:
    alice = world.wallets["alice"]
    return [alice.order("USD", "EUR", "10", nonce=nonce) for nonce in range(1, count + 1)]


def restarted(world: ApiWorld, journal: Path) -> ApiWorld:
    again = world.restarted(journal=journal)
    again.poll()
    return again


def test_a_queued_order_is_queued_after_a_restart(tmp_path: Path) -> None:
    journal = tmp_path / "deep" / "queued.bin"
    world = api_world(journal=journal)
    orders = orders_of(world, 2)
    world.post(*(order.verifiable for order in orders))
    again = restarted(world, journal)
    assert [again.order(order)["state"] for order in orders] == ["queued", "queued"]
    vault = again.get(f"/vaults/{world.wallets['alice'].owner}")
    assert vault["next_order_nonce"] == 3
    again.epoch()
    assert [again.order(order)["state"] for order in orders] == ["filled", "filled"]


def test_without_a_journal_it_is_unknown_until_it_is_sealed() -> None:
    world = api_world()
    [order] = orders_of(world, 1)
    world.post(order.verifiable)
    again = world.restarted()
    again.poll()
    assert again.client.get(f"/orders/{order.order_id.hex()}").status_code == 404
    again.epoch()
    assert again.order(order)["state"] == "filled"


def test_what_an_epoch_has_leaves_the_journal_at_the_next_start(tmp_path: Path) -> None:
    journal = tmp_path / "queued.bin"
    world = api_world(journal=journal)
    first, second = orders_of(world, 2)
    world.post(first.verifiable)
    world.epoch()
    world.post(second.verifiable)
    assert journal.read_bytes() == first.payload + second.payload
    again = restarted(world, journal)
    assert journal.read_bytes() == second.payload
    assert again.order(first)["state"] == "filled"


def test_a_torn_record_and_strange_bytes_are_dropped(tmp_path: Path) -> None:
    journal = tmp_path / "queued.bin"
    world = api_world(journal=journal)
    [order] = orders_of(world, 1)
    journal.write_bytes(bytes(272) + order.payload + order.payload[:100])
    again = restarted(world, journal)
    assert again.order(order)["state"] == "queued"
    assert journal.read_bytes() == order.payload


def test_orders_of_another_exchange_are_dropped(tmp_path: Path) -> None:
    [order] = orders_of(api_world(), 1)
    assert queued_order(order.payload, DOMAIN) is not None
    other = Domain(bytes(32), DOMAIN.pool, DOMAIN.registry)
    assert queued_order(order.payload, other) is None


def test_orders_that_the_inbox_lost_are_given_up_after_a_while(tmp_path: Path) -> None:
    """As after a local stack was started anew beside an old journal."""
    journal = tmp_path / "queued.bin"
    [order] = orders_of(api_world(), 1)
    world = api_world(journal=tmp_path / "other.bin")
    journal.write_bytes(order.payload)
    again = restarted(world, journal)
    assert again.order(order)["state"] == "queued"
    again.poll()
    again.clock.advance(EMPTY_S - 1)
    again.poll()
    assert again.order(order)["state"] == "queued"
    again.clock.advance(1)
    again.poll()
    assert again.client.get(f"/orders/{order.order_id.hex()}").status_code == 404
    assert journal.read_bytes() == b""
    assert again.post(order.verifiable)[0]["status"] == "queued"
    assert again.inbox.depth().visible == 1


def test_orders_that_still_stand_in_the_inbox_are_never_given_up(tmp_path: Path) -> None:
    journal = tmp_path / "queued.bin"
    world = api_world(journal=journal)
    [order] = orders_of(world, 1)
    world.post(order.verifiable)
    again = restarted(world, journal)
    for _ in range(4):
        again.clock.advance(EMPTY_S)
        again.poll()
    assert again.order(order)["state"] == "queued"


def test_a_journal_that_grew_is_compacted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexfx.api.chain_index.journal.RECORDS_MAX", 2)
    journal = tmp_path / "queued.bin"
    world = api_world(journal=journal)
    first, second, third = orders_of(world, 3)
    world.post(first.verifiable)
    world.epoch()
    world.post(second.verifiable, third.verifiable)
    assert len(journal.read_bytes()) == 3 * 272
    world.poll()
    assert journal.read_bytes() == second.payload + third.payload


def test_a_disk_that_refuses_stops_no_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    world = api_world(journal=blocked / "queued.bin")
    [order] = orders_of(world, 1)
    with caplog.at_level(logging.ERROR):
        assert world.post(order.verifiable)[0]["status"] == "queued"
    assert "journal" in caplog.text
    assert world.order(order)["state"] == "queued"


def test_no_journal_keeps_nothing() -> None:
    journal = Journal(None)
    journal.append([bytes(272)])
    journal.keep(lambda _: True)
    assert journal.read() == []
