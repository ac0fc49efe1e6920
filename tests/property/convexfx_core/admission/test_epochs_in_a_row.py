"""Many epochs in a row: whatever is sent when, every order ends exactly once, nonces never skip."""

import os
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.admission.book import Batch, admit
from convexfx_core.admission.carry import SeenSet, carry_over, seen_after, unseen
from convexfx_core.ledger.diffs import consumed_mask
from convexfx_core.orders.row import KIND_CANCEL
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.records.tables import read_orders, read_state, write_orders, write_state
from tests.support.epoch_cases import EPOCH, Sketch, opening_of, sealed

EXAMPLES = 2_000 if os.environ.get("CONVEXFX_LONG") else 40
VAULTS = (1, 2)
BALANCE = 100


@dataclass
class World:
    """Vaults and everything that ended, over epochs."""

    nonces: dict[int, int] = field(default_factory=lambda: dict.fromkeys(VAULTS, 0))
    balances: dict[int, int] = field(default_factory=lambda: dict.fromkeys(VAULTS, BALANCE))
    seen: SeenSet = field(default_factory=SeenSet.empty)
    live: SealedOrders = field(default_factory=SealedOrders.empty)
    ended: dict[bytes, str] = field(default_factory=dict)
    consumed: dict[int, list[int]] = field(default_factory=lambda: {v: [] for v in VAULTS})

    def end(self, orders: SealedOrders, how: str) -> None:
        """Note the end of orders; none may end twice."""
        for name in (row.tobytes() for row in orders.order_ids):
            assert name not in self.ended, f"{self.ended[name]}, then {how}"
            self.ended[name] = how


@st.composite
def messages(draw: st.DrawFn) -> list[list[Sketch]]:
    """What arrives before each epoch; replays among them."""
    epochs, sent = [], list[Sketch]()
    for epoch in range(EPOCH, EPOCH + draw(st.integers(1, 5))):
        fresh = [
            Sketch(
                vault=draw(st.sampled_from(VAULTS)),
                nonce=draw(st.integers(1, 5)),
                budget=draw(st.sampled_from([1, 30, 60, 101])),
                cancel=False,
                sealed=epoch,
                valid_until=draw(st.sampled_from([0, epoch, epoch + 1, epoch + 3])),
                salt=draw(st.integers(0, 2)),
            )
            for _ in range(draw(st.integers(0, 4)))
        ]
        cancels = draw(st.lists(st.tuples(st.sampled_from(VAULTS), st.integers(1, 5)), max_size=1))
        fresh += [Sketch(v, n, cancel=True, sealed=epoch, salt=9) for v, n in cancels]
        again = draw(st.lists(st.sampled_from(sent), max_size=3)) if sent else []
        epochs.append([*fresh, *(replace(s, sealed=epoch) for s in again)])
        sent += fresh
    return epochs


def seal(world: World, epoch: int, arrived: list[Sketch]) -> tuple[SealedOrders, Batch]:
    """Candidates as the orders object holds them, and the batch that a stranger admits."""
    fresh = unseen(sealed(*arrived), world.seen)
    candidates = read_orders(write_orders(SealedOrders.joined([world.live, fresh])))
    vaults = {v: (world.nonces[v], (world.balances[v], 0, 0)) for v in VAULTS}
    return candidates, admit(candidates, opening_of(vaults, epoch))


def settle(world: World, batch: Batch, chosen: np.ndarray, aborted: bool) -> np.ndarray:
    """Consume what the clearing filled; bool[K] of the consumed ones."""
    rows = batch.orders.rows
    paid = np.where(chosen & (rows["kind"] != KIND_CANCEL), rows["budget"], 0).astype(np.uint64)
    consumed = consumed_mask(rows, paid) & (not aborted)
    for row, amount, used in zip(rows, paid, consumed, strict=True):
        if used:
            vault = next(v for v in VAULTS if row["owner"].tobytes() == Sketch(v, 1).owner())
            world.nonces[vault] += 1
            assert row["nonce"] == world.nonces[vault]
            world.consumed[vault].append(int(row["nonce"]))
            world.balances[vault] -= int(amount)
            assert world.balances[vault] >= 0
    return consumed


def run_epoch(
    world: World, epoch: int, arrived: list[Sketch], bits: list[bool], aborted: bool
) -> None:
    """One epoch, with the state written and read back as the chain does."""
    candidates, batch = seal(world, epoch, arrived)
    chosen = np.array([bits[k % len(bits)] for k in range(len(batch.orders))], dtype=np.bool_)
    consumed = settle(world, batch, chosen, aborted)
    carried = carry_over(batch, ~consumed)
    world.end(batch.orders.take(consumed), "consumed")
    world.end(batch.rejected.orders, "rejected")
    world.end(carried.expired, "expired")
    seen = seen_after(world.seen, candidates, epoch)
    world.seen, world.live = read_state(write_state(seen, carried.orders))
    assert world.seen.holds(world.live.order_ids).all()


@settings(max_examples=EXAMPLES, deadline=None)
@given(messages(), st.lists(st.booleans(), min_size=1, max_size=7), st.integers(0, 5))
def test_every_order_ends_exactly_once(
    epochs: list[list[Sketch]], bits: list[bool], aborted: int
) -> None:
    world, epoch = World(), EPOCH
    sent = {sketch.order_id() for arrived in epochs for sketch in arrived}
    for arrived in epochs:
        run_epoch(world, epoch, arrived, bits, aborted == epoch - EPOCH)
        epoch += 1
        waiting = {row.tobytes() for row in world.live.order_ids}
        assert not waiting & set(world.ended)
    for _ in range(4):
        run_epoch(world, epoch, [], [False], False)
        epoch += 1
    assert len(world.live) == 0
    assert set(world.ended) == sent
    for vault, used in world.consumed.items():
        assert used == list(range(1, world.nonces[vault] + 1))
