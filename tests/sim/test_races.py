"""Workers frozen at a call of the gateway, failures that pass, vaults and settings that change.

What another worker did meanwhile is the story of each test; money and receipts must agree after it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from convexfx.agreement import signed_agreement
from convexfx.wallet import parquet_bundle
from convexfx_core.errors import AgreementError, ExecutionCode, ExecutionError, GatewayError
from convexfx_core.records.receipts import read_receipts
from tasks.adapters.memory import MemoryStore
from tasks.adapters.prover_local import LocalProver
from tasks.chain import read_head
from tasks.collect import collect
from tasks.context import Context
from tasks.objects import as_object, epoch_key
from tasks.ports import ProofJob
from tasks.process import using
from tasks.replay import replay_epoch
from tests.support.epoch_world import World, forget_everything, open_world, run_epoch, signer
from tests.support.memory_inbox import MemoryInbox

UNTIL = 5


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path) as world:
        yield world


@dataclass
class Frozen:
    """A gateway in whose call ``name``, for the first time, something else happens first."""

    inner: Any
    name: str
    meanwhile: Callable[[], object]
    done: bool = False

    def __getattr__(self, called: str) -> Any:
        if called == self.name and not self.done:
            self.done = True
            self.meanwhile()
        return getattr(self.inner, called)


def send_two(world: World, nonce: int = 1) -> None:
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    world.send([alice.order("USD", "EUR", "10", nonce=nonce, valid_until_epoch=UNTIL)])
    world.send([bob.order("EUR", "JPY", "7", nonce=nonce, valid_until_epoch=UNTIL)])


def prover_says(world: World, failure: str) -> None:
    url = world.programs[1].url + "/admin/prover"
    httpx.post(url, json={"delay_s": 0, "failure": failure}).raise_for_status()


def run_aborted(world: World) -> None:
    """Another worker takes the epoch to its end, which is a failure of the network's prover."""
    prover_says(world, "law host lost")
    outcome = world.run()
    prover_says(world, "")
    assert outcome is not None
    assert (outcome["status"], outcome["epoch"]) == ("aborted", 1)


def run_as(ctx: Context) -> dict[str, Any] | None:
    with using(ctx):
        return run_epoch()


def ends(world: World) -> list[tuple[int, str]]:
    """(epoch, what then) of every order that ended, in the sequence of the epochs."""
    found = []
    for epoch in range(1, read_head(world.store).epoch + 1):
        body = world.store.get(epoch_key(epoch, "receipts.parquet")) or b""
        found += [(epoch, row["then"]) for row in read_receipts(body) if row["then"] != "carried"]
    return found


def check_settled_once(world: World, epoch: int, second: int | None = None) -> None:
    """Both orders were consumed, in ``epoch`` (and ``second``); vaults and chain agree."""
    assert ends(world) == [(epoch, "consumed"), (second or epoch, "consumed")]
    held = world.balances()
    assert held["alice"]["USD"] == 100_000_000_000 - 10_000_000
    assert held["bob"]["EUR"] == 100_000_000_000 - 7_000_000
    assert world.sums() == {world.minted}
    for number in range(1, read_head(world.store).epoch + 1):
        assert [f for f in replay_epoch(world.store, number) if not f.holds] == []


@pytest.mark.parametrize("call", ["sdl", "next_nonce"])
def test_a_worker_frozen_while_another_ends_the_epoch_sends_nothing(
    world: World, call: str
) -> None:
    send_two(world)
    frozen = Frozen(world.gateway, call, lambda: run_aborted(world))
    seal(world)
    late = run_as(replace(world.ctx, gateway=frozen))
    assert frozen.done
    assert late is not None
    assert late["status"] == "aborted"
    assert world.gateway.next_nonce(world.wallets["alice"].owner) == 1, "nothing was sent again"
    again = world.run()
    assert again is not None
    assert (again["status"], again["epoch"]) == ("settled", 2)
    check_settled_once(world, 2)


def seal(world: World) -> None:
    with using(world.ctx):
        assert collect.fn() is not None


def test_a_failure_that_passed_stays_the_end_of_its_epoch(world: World, tmp_path: Path) -> None:
    """The worker dies with the network's answer; the next one meets a prover that is well."""
    send_two(world)
    prover_says(world, "law host lost")
    world.die_at("submit.done", tmp_path)
    prover_says(world, "")
    first, second = world.run(), world.run()
    assert first is not None
    assert second is not None
    assert (first["status"], second["status"]) == ("aborted", "settled")
    check_settled_once(world, 2)


def test_many_aborted_epochs_in_a_row_then_all_settles(world: World) -> None:
    send_two(world)
    prover_says(world, "law host lost")
    for epoch in range(1, 4):
        outcome = world.run()
        assert outcome is not None
        assert (outcome["status"], outcome["epoch"]) == ("aborted", epoch)
        forget_everything()
    prover_says(world, "")
    assert [(world.run() or {})["status"] for _ in range(2)] == ["settled"] * 2
    check_settled_once(world, 4, 5)


def test_orders_of_aborted_epochs_expire_once(world: World) -> None:
    send_two(world)
    prover_says(world, "law host lost")
    while world.run() is not None:
        forget_everything()
    assert ends(world) == [(UNTIL, "expired")] * 2
    prover_says(world, "")
    world.wait_for_messages()
    assert world.run() is None
    assert world.sums() == {world.minted}


def migrate_bob(world: World) -> None:
    settlement = world.programs[0].url
    vault = f"{world.wallets['bob'].owner},1"
    body = {"vault": vault, "to_shard": 2}
    httpx.post(settlement + "/admin/migrations", json=body).raise_for_status()
    httpx.post(settlement + "/epoch/advance").raise_for_status()
    httpx.post(world.programs[1].url + "/admin/sync").raise_for_status()


def test_a_vault_that_leaves_after_the_seal_ends_the_epoch_not_the_exchange(world: World) -> None:
    send_two(world)
    seal(world)
    migrate_bob(world)
    first, second = world.run(), world.run()
    assert first is not None
    assert first["status"] == "aborted"
    assert f"vault {world.wallets['bob'].owner}" in first["reason"]
    assert second is not None
    assert (second["status"], second["fills"]) == ("settled", 1)


def test_a_refusal_that_is_nobodys_fault_is_no_outcome(world: World) -> None:
    send_two(world)
    body = {"request": "POST /intents/submit", "fault": "error", "times": 1}
    httpx.post(world.programs[1].url + "/admin/faults", json=body).raise_for_status()
    with pytest.raises(GatewayError):
        world.run()
    outcome = world.run()
    assert outcome is not None
    assert (outcome["status"], outcome["epoch"]) == ("settled", 1)
    check_settled_once(world, 1)


def changed_program(world: World) -> Context:
    """The settings after another law program was installed."""
    program = b"\x07" * 32
    prover = LocalProver(world.store, signer("attestor"), program)
    return replace(world.ctx, program_hash=program, prover=prover)


def agree(world: World, ctx: Context) -> None:
    body = signed_agreement(ctx, signer("attestor"), 1, ("attested",))
    world.gateway.settlement.register_agreement(body)
    httpx.post(world.programs[0].url + "/epoch/advance").raise_for_status()


@pytest.mark.parametrize("point", ["prove", "submit.intent"])
def test_a_program_changed_between_crash_and_retry_carries_the_orders(
    world: World, point: str, tmp_path: Path
) -> None:
    send_two(world)
    world.die_at(point, tmp_path)
    changed = changed_program(world)
    if point != "submit.intent":
        with pytest.raises(AgreementError):
            run_as(changed)
    agree(world, changed)
    first, second = run_as(changed), run_as(changed)
    assert first is not None
    assert second is not None
    assert (first["status"], second["status"]) == ("aborted", "settled")
    check_settled_once(world, 2)


def test_a_program_changed_after_the_network_settled_changes_nothing(
    world: World, tmp_path: Path
) -> None:
    send_two(world)
    world.die_at("submit.done", tmp_path)
    changed = changed_program(world)
    agree(world, changed)
    outcome = run_as(changed)
    assert outcome is not None
    assert outcome["status"] == "settled"
    check_settled_once(world, 1)


def test_a_loser_of_a_nonce_has_no_record_that_a_receipt_may_contradict(world: World) -> None:
    """Behind a gap the winner may expire, and the other one be sent again."""
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    pair = [
        alice.order("USD", "EUR", str(10 + i), nonce=2, valid_until_epoch=i) for i in (2, UNTIL)
    ]
    world.send(pair)
    assert world.run() is None
    assert world.ctx.inbox.depth().visible == 0
    assert world.store.list("rejects/") == ()
    world.send([bob.order("EUR", "JPY", "7", nonce=1)])
    assert world.run() is not None
    world.send(pair)
    world.send([alice.cancel(1, "USD"), bob.order("EUR", "JPY", "7", nonce=2)])
    while world.run() is not None:
        pass
    mine = [order.order_id.hex() for order in pair]
    rows = [
        (row["order_id"], row["reason"], row["then"])
        for epoch in range(1, read_head(world.store).epoch + 1)
        for row in read_receipts(world.store.get(epoch_key(epoch, "receipts.parquet")) or b"")
    ]
    last = {one: [row for row in rows if row[0] == one and row[2] != "carried"] for one in mine}
    assert sorted(len(found) for found in last.values()) == [1, 1]
    assert sorted(found[0][2] for found in last.values()) == ["consumed", "refused"]
    assert world.store.list("rejects/") == ()


def test_a_bundle_that_comes_after_its_message_settles_when_the_dead_letter_is_sent_again(
    world: World,
) -> None:
    elsewhere = MemoryStore()
    order = world.wallets["alice"].order("USD", "EUR", "10", nonce=1)
    world.ctx.inbox.send([parquet_bundle([order], elsewhere)])
    assert world.run() is None
    (record,) = [as_object(world.store.get(k) or b"", k) for k in world.store.list("rejects/")]
    assert record["items"][0]["code"] == "BUNDLE_MISSING"
    inbox = world.ctx.inbox
    assert isinstance(inbox, MemoryInbox)
    assert [reason for _, reason in inbox.dead_letters] == ["BUNDLE_MISSING"]
    for key in elsewhere.list("inbox/"):
        world.store.put_new(key, elsewhere.get(key) or b"")
    inbox.send([body for body, _ in inbox.dead_letters])
    outcome = world.run()
    assert outcome is not None
    assert outcome["fills"] == 1


@dataclass
class Allergic:
    """A prover whose guest stops on every witness that has a certain vault."""

    inner: Any
    store: Any
    owner: bytes

    def request(self, job: ProofJob, *_: Any) -> None:
        if self.owner in (self.store.get(job.witness_key) or b""):
            raise ExecutionError(ExecutionCode.GUEST_TRAPPED, "witness", "an end", "none")
        self.inner.request(job)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_an_order_that_ends_every_epoch_does_not_hold_up_the_others_for_ever(
    tmp_path: Path,
) -> None:
    names = ("alice", "bob", "charlie", "dora", "erin")
    with open_world(tmp_path, names) as world:
        bob, last = world.wallets["bob"], 12
        prover = Allergic(world.ctx.prover, world.store, bob.owner_id)
        ctx = replace(world.ctx, prover=prover)
        for wallet in world.wallets.values():
            world.send([wallet.order("USD", "EUR", "10", nonce=1, valid_until_epoch=last)])
        epochs = 0
        while (outcome := run_as(ctx)) is not None:
            epochs = int(outcome["epoch"])
            if epochs == 3:
                world.send([bob.cancel(2, "USD", last)])
        found = ends(world)
        assert [then for _, then in found].count("consumed") == len(names) - 1
        assert max(epoch for epoch, then in found if then == "consumed") <= 8
        assert [epoch for epoch, then in found if then == "expired"] == [last, last]
        assert epochs == last
        held = world.balances()
        assert held["bob"]["USD"] == 100_000_000_000
        assert world.sums() == {world.minted}
        for epoch in range(1, epochs + 1):
            assert [f for f in replay_epoch(world.store, epoch) if not f.holds] == []
