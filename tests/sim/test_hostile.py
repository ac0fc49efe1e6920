"""The chaos with more against it: workers that freeze, aborts, spoilt bundles, an API that looks.

Workers stand still before reads, puts and deletes while others go on; the network's prover fails
for whole rounds and is well again; bundles are missing, cut, counted wrongly or sent twice. An API
that follows the chain asks for every order again and again: what it once called final must stay.
"""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from convexfx.api.chain_index.order_state import UNDECIDED, OrderFacts
from convexfx.api.services import Services, build_services
from convexfx.wallet import SignedVerifiable, parquet_bundle
from tasks.adapters.memory import MemoryStore
from tests.sim.test_chaos import (
    ROUNDS,
    SEEDS,
    WORKERS,
    Exchange,
    Traffic,
    check_exchange,
    drain,
    open_exchange,
    plan_faults,
    work,
)

STILL_S = (0.0, 0.02, 0.3)
READS = ("sdl", "next_nonce", "vaults", "vault", "agreement")


@dataclass
class Slow:
    """A port whose calls ``names`` now and then stand still before they begin."""

    inner: Any
    names: tuple[str, ...]
    draw: random.Random

    def __getattr__(self, name: str) -> Any:
        if name in self.names and self.draw.random() < 0.03:
            time.sleep(self.draw.choice(STILL_S))
        return getattr(self.inner, name)

    def __hash__(self) -> int:
        return id(self)


@dataclass
class Watcher:
    """An API on the same objects, without the faults; the last answer on every order."""

    exchange: Exchange
    api: Services
    said: dict[bytes, OrderFacts] = field(default_factory=dict)

    def look(self) -> None:
        """Every answer that was final before is the same now; no answer names an earlier epoch."""
        for _ in range(8):
            self.api.follower.poll()
        for name in map(bytes.fromhex, list(self.exchange.sent)):
            now, before = self.api.index.find(name), self.said.get(name)
            if before is not None:
                assert now is not None, "a known order is forgotten"
                if before.final:
                    assert (now.state, now.paid, now.received) == (
                        before.state, before.paid, before.received
                    ), f"a final answer changed: {before} -> {now}"  # fmt: skip
                    assert before.epoch in (None, now.epoch)
                assert (now.epoch or 0) >= (before.epoch or 0) or now.state in UNDECIDED
            if now is not None:
                self.said[name] = now


@contextmanager
def watched(folder: Path) -> Iterator[tuple[Exchange, Watcher]]:
    with open_exchange(folder) as exchange:
        calm = MemoryStore()
        calm.objects.share(exchange.store.objects)
        api = build_services(replace(exchange.world.ctx, store=calm), grace_s=0.0)
        yield exchange, Watcher(exchange, api)


def frozen_work(exchange: Exchange, turns: int, seed: int) -> None:
    """A worker of its own, which often stands still."""
    ctx, draw = exchange.world.ctx, random.Random(seed)
    slow = replace(
        ctx,
        gateway=Slow(ctx.gateway, READS, draw),
        store=Slow(ctx.store, ("get", "exists", "put_new", "put_if_match", "list"), draw),
        inbox=Slow(ctx.inbox, ("receive", "delete", "release"), draw),
    )
    work(replace(exchange, world=replace(exchange.world, ctx=slow)), turns)


def spoil(exchange: Exchange, draw: random.Random) -> None:
    """A bundle that is not what its message says, and one that comes twice."""
    known: list[SignedVerifiable] = list(exchange.sent.values())
    if not known:
        return
    batch = draw.sample(known, min(len(known), 3))
    message = json.loads(parquet_bundle(batch, exchange.store))
    spoilt = draw.choice(
        [{"key": f"inbox/{'0' * 64}.parquet", "sha256": "0" * 64}, {"count": 1 + len(batch)}, {}]
    )
    text = json.dumps(message | spoilt)
    exchange.inbox.send([text, text])


def prover_says(exchange: Exchange, failure: str, delay_s: float = 0.0) -> None:
    url = exchange.world.programs[1].url + "/admin/prover"
    httpx.post(url, json={"delay_s": delay_s, "failure": failure}).raise_for_status()


def run_hostile(exchange: Exchange, watcher: Watcher, seed: int) -> None:
    draw = random.Random(seed)
    traffic = Traffic(exchange, draw)
    for round_ in range(ROUNDS):
        traffic.round()
        spoil(exchange, draw)
        plan_faults(exchange, draw)
        failure = draw.choice(("", "", "law host lost"))
        prover_says(exchange, failure, draw.choice((0.0, 0.05)))
        seeds = [seed * 1_000 + round_ * 10 + place for place in range(WORKERS)]
        workers = [threading.Thread(target=frozen_work, args=(exchange, 2, s)) for s in seeds]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            watcher.look()
            time.sleep(0.05)
        watcher.look()
    traffic.flush()
    prover_says(exchange, "")


@pytest.mark.parametrize("seed", SEEDS)
def test_no_answer_is_taken_back_whatever_stands_still_or_fails(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with watched(tmp_path) as (exchange, watcher):
        run_hostile(exchange, watcher, seed)
        drain(exchange)
        ends = check_exchange(exchange)
        watcher.look()
        open_still = [facts for facts in watcher.said.values() if not facts.final]
        with capsys.disabled():
            print(f"\nseed {seed}: {dict(ends)}, runs ended by {dict(exchange.stopped)}")
        assert open_still == []
        assert exchange.escaped == []
