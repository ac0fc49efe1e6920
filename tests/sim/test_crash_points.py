"""A flow that dies at every point of every stage, then runs again: nothing lost, nothing doubled.

The process's memory is what dies: caches are emptied, only store, queue and devnet remain. That
real processes behave the same under SIGKILL is shown by ``test_sigkill``.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.chain import read_head
from tasks.replay import replay_epoch
from tests.support.epoch_world import World, forget_everything, open_world

POINTS = (
    "collect", "collect.rejects", "collect.sealed", "collect.done", "clear", "clear.done",
    "validate", "validate.done", "state_diffs", "state_diffs.done", "prove", "prove.done",
    "submit", "submit.intent", "submit.done", "settle", "settle.outcome", "settle.done",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_changes_no_outcome(world: World, point: str, tmp_path: Path) -> None:
    number = read_head(world.store).epoch + 1
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    nonce = {name: world.gateway.next_nonce(w.owner) for name, w in world.wallets.items()}
    before = world.balances()
    world.send([alice.order("USD", "EUR", "10", nonce=nonce["alice"])])
    world.send([bob.order("EUR", "JPY", "7", nonce=nonce["bob"])])
    world.ctx.inbox.send(["{poison"])
    world.die_at(point, tmp_path)
    world.wait_for_messages()
    outcome = world.run() or world.outcome(number)
    assert (outcome["status"], outcome["fills"], outcome["epoch"]) == ("settled", 2, number)
    after = world.balances()
    assert after["alice"]["USD"] == before["alice"]["USD"] - 10_000_000
    assert after["bob"]["EUR"] == before["bob"]["EUR"] - 7_000_000
    assert world.sums() == {world.minted}
    forget_everything()
    world.wait_for_messages()
    assert world.run() is None, "redelivered messages are acknowledged"
    assert world.ctx.inbox.depth().visible == world.ctx.inbox.depth().in_flight == 0
    assert [f for f in replay_epoch(world.store, number) if not f.holds] == []
