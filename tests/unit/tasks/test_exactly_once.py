"""The rules of sealing on the ports alone: whatever crashes, every order settles exactly once.

A small sealer is written out here as the rules say (receive, conditional manifest, delete only what
is durable, conditional outcome). It is not the product's own, which has its own tests: it shows
that the semantics of the ports are enough, and that without the condition on a put they are not.
"""

import collections
import contextlib
import hashlib
import json
import random
import threading
from collections.abc import Callable

import pytest

from convexfx_core.errors import CommitConflict, CommitUnknown, PeerUnreachable
from tasks.adapters.clock import ManualClock
from tasks.adapters.injected_faults import Crash, Fault, Faults
from tasks.adapters.memory import MemoryStore
from tasks.ports import Depth, Message, PutResult
from tests.support.memory_inbox import MemoryInbox

ORDERS = 90
SEALERS = 3
ROUNDS_MAX = 4_000
VISIBILITY_S = 30.0
FAULT_RATE = 0.06


class RandomFaults(Faults):
    """Lets any call fail in any way, by a seed."""

    def __init__(self, seed: int, rate: float) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.rate = rate
        self.crashes = 0
        self.guard = threading.Lock()

    def take(self, operation: str, subject: str = "") -> Fault | None:
        with self.guard:
            if self.random.random() >= self.rate:
                return None
            fault = self.random.choice(list(Fault))
            self.crashes += fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)
        if fault is Fault.CRASH_BEFORE:
            raise Crash(f"before {operation} {subject}")
        return fault


class Gateway:
    """Applies a batch once, by its hash; refuses some for good; its answers get lost."""

    def __init__(self, faults: Faults) -> None:
        self.settled: collections.Counter[str] = collections.Counter()
        self.applied: dict[str, bool] = {}
        self.parent = "genesis"
        self.forks = 0
        self.faults = faults
        self.lock = threading.Lock()

    def submit(self, batch: str, parent: str, orders: list[str]) -> bool:
        fault = self.faults.take("submit")
        with self.lock:
            if batch not in self.applied:
                accepted = int(batch[:4], 16) % 7 != 0
                if accepted and parent != self.parent:
                    self.forks += 1
                    accepted = False
                self.applied[batch] = accepted
                if accepted:
                    self.settled.update(orders)
                    self.parent = batch
        if fault is not None:
            raise CommitUnknown("gateway", "an answer", "none")
        return self.applied[batch]


class World:
    """Store, queue and gateway that several sealers share."""

    def __init__(self, seed: int, *, conditional: bool = True, rate: float = FAULT_RATE) -> None:
        self.faults = RandomFaults(seed, rate)
        self.clock = ManualClock()
        self.store = MemoryStore(self.faults, conditional=conditional)
        self.inbox = MemoryInbox(
            self.clock, visibility_s=VISIBILITY_S, receives_max=10_000, faults=self.faults
        )
        self.gateway = Gateway(self.faults)

    def fill(self, seed: int) -> set[str]:
        """Orders, some of them twice, and poison; sent without faults."""
        self.faults.rate, rate = 0.0, self.faults.rate
        chance = random.Random(seed)
        orders = [f"order-{i:04d}" for i in range(ORDERS)]
        bodies = [json.dumps({"id": order}) for order in orders]
        bodies += [chance.choice(bodies) for _ in range(ORDERS // 4)]
        bodies += [f'{{"poison {i}' for i in range(5)]
        chance.shuffle(bodies)
        self.inbox.send(bodies)
        self.faults.rate = rate
        return set(orders)


def chain(store: MemoryStore) -> tuple[int, str, set[str], set[str]]:
    """Next epoch, last settled batch, orders that settled, orders carried from an abort."""
    epoch, parent = 1, "genesis"
    seen: set[str] = set()
    carried: set[str] = set()
    while (body := store.get(f"epochs/{epoch:08d}/outcome.json")) is not None:
        outcome = json.loads(body)
        orders = set(json.loads(store.get(f"epochs/{epoch:08d}/manifest.json") or b"")["orders"])
        if outcome["settled"]:
            parent, seen, carried = outcome["batch"], seen | orders, set()
        else:
            carried = orders
        epoch += 1
    return epoch, parent, seen, carried


def order_of(message: Message) -> str | None:
    try:
        return str(json.loads(message.body)["id"])
    except ValueError:
        return None


def reject(world: World, message: Message) -> None:
    """Record first, then the copy, then delete."""
    name = hashlib.sha256(message.body.encode()).hexdigest()
    world.store.put_new(f"rejects/{name}.json", b"NOT_JSON")
    world.inbox.dead_letter(message.body, "NOT_JSON")
    world.inbox.delete([message.handle])


def receive(world: World) -> dict[str, list[str]]:
    """Handles by order; poison is put away."""
    handles: dict[str, list[str]] = {}
    for message in world.inbox.receive(15):
        order = order_of(message)
        if order is None:
            reject(world, message)
        else:
            handles.setdefault(order, []).append(message.handle)
    return handles


def seal(world: World, step: Callable[[str], None] = lambda _: None) -> None:
    """One epoch from wherever the chain stands; ``step`` is told between the rules."""
    epoch, parent, seen, carried = chain(world.store)
    key = f"epochs/{epoch:08d}/manifest.json"
    handles = receive(world)
    manifest = world.store.get(key)
    step("read")
    if manifest is None and (fresh := (set(handles) - seen) | carried):
        # The epoch makes a carried batch another batch: a gateway refuses the same one for good.
        content = {"epoch": epoch, "parent": parent, "orders": sorted(fresh)}
        body = json.dumps(content).encode()
        try:
            world.store.put_new(key, body)
            manifest = body
        except CommitConflict:
            manifest = world.store.get(key)
    step("sealed")
    sealed = set(json.loads(manifest)["orders"]) if manifest else set()
    durable = seen | sealed
    world.inbox.delete(h for order in set(handles) & durable for h in handles[order])
    step("deleted")
    if manifest is not None:
        settle(world, epoch, manifest)


def settle(world: World, epoch: int, manifest: bytes) -> None:
    batch = hashlib.sha256(manifest).hexdigest()
    content = json.loads(manifest)
    settled = world.gateway.submit(batch, content["parent"], content["orders"])
    outcome = json.dumps({"batch": batch, "settled": settled}).encode()
    world.store.put_new(f"epochs/{epoch:08d}/outcome.json", outcome)


def work(world: World, expected: set[str]) -> None:
    """Seal again and again, whatever happened, until everything settled."""
    for _ in range(ROUNDS_MAX):
        if set(world.gateway.settled) >= expected and world.inbox.depth().visible == 0:
            return
        try:
            seal(world)
        except (Crash, CommitUnknown, PeerUnreachable):
            world.clock.advance(VISIBILITY_S / 10)
        else:
            world.clock.advance(1.0)


@pytest.mark.parametrize("seed", range(40))
def test_every_order_settles_exactly_once(seed: int) -> None:
    world = World(seed)
    expected = world.fill(seed)
    sealers = [threading.Thread(target=work, args=(world, expected)) for _ in range(SEALERS)]
    for sealer in sealers:
        sealer.start()
    for sealer in sealers:
        sealer.join()
    assert set(world.gateway.settled) == expected
    assert set(world.gateway.settled.values()) == {1}
    assert world.gateway.forks == 0
    world.faults.rate = 0.0
    assert len(world.store.list("rejects/")) == 5
    assert {body for body, _ in world.inbox.dead_letters} == {f'{{"poison {i}' for i in range(5)}


def test_the_faults_of_every_seed_do_crash() -> None:
    for seed in range(40):
        faults = RandomFaults(seed, FAULT_RATE)
        for _ in range(1_000):
            with contextlib.suppress(Crash):
                faults.take("put")
        assert faults.crashes > 0


def test_every_message_is_gone_in_the_end() -> None:
    world = World(0, rate=0.0)
    expected = world.fill(0)
    work(world, expected)
    seal_again(world)
    assert world.inbox.depth() == Depth(0, 0)
    assert set(world.gateway.settled.values()) == {1}


class Died(Exception):
    """The other sealer dies when its messages are deleted, before it settles."""


def stop_after_deletion(point: str) -> None:
    if point == "deleted":
        raise Died


def seal_again(world: World) -> None:
    for _ in range(6):
        world.clock.advance(VISIBILITY_S)
        seal(world)


def overtaken(*, conditional: bool) -> World:
    """A sealer that another overtakes between its look at the manifest and its put."""
    world = World(1, conditional=conditional, rate=0.0)
    world.inbox.send(['{"id": "first"}'])

    def other_sealer(point: str) -> None:
        if point == "read":
            world.inbox.send(['{"id": "second"}'])
            with pytest.raises(Died):
                seal(world, stop_after_deletion)

    seal(world, other_sealer)
    return world


def test_the_loser_of_a_race_adopts_the_winners_manifest() -> None:
    world = overtaken(conditional=True)
    manifest = json.loads(world.store.get("epochs/00000001/manifest.json") or b"")
    assert manifest["orders"] == ["second"]
    seal_again(world)
    assert world.gateway.settled == {"first": 1, "second": 1}


def test_canary_without_the_condition_an_order_is_lost() -> None:
    world = overtaken(conditional=False)
    seal_again(world)
    assert world.gateway.settled == {"first": 1}
    assert world.inbox.depth() == Depth(0, 0)


def test_a_zombie_changes_nothing() -> None:
    world = World(2, rate=0.0)
    world.inbox.send(['{"id": "a"}'])
    late: list[str] = []

    def overtake(point: str) -> None:
        if point == "read" and not late:
            late.append(point)
            world.clock.advance(2 * VISIBILITY_S)
            seal(world)

    seal(world, overtake)
    assert world.gateway.settled == {"a": 1}
    body = world.store.get("epochs/00000001/manifest.json")
    assert body is not None
    assert world.store.put_new("epochs/00000001/manifest.json", body) is PutResult.UNCHANGED
    assert not world.store.exists("epochs/00000002/outcome.json")
