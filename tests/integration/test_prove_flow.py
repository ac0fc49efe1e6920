"""The flow of the proving pool under Prefect: progress, retries, a served prover that is killed.

The flow runs in this process, against a real server; the external host is a fake one.
"""

import contextvars
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from convexfx.local.service import Service
from convexfx.local.supervisor import Stack
from convexfx_core.errors import LawViolated
from flows.prove import prove as prove_flow
from tasks.adapters.prover_local import LocalProver, raise_failure, stored_proof
from tasks.ports import Progress, ProofJob, ProofResult, Store, no_progress
from tasks.process import proving_with
from tests.support.epoch_world import World, open_world, signer
from tests.support.fake_laws_host import FakeHost

pytestmark = pytest.mark.stack
SERVE = "laws-host-serve"


class FlowProver:
    """Asks the flow, one run at a time; the pool's worker would run it in a process of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.run: threading.Thread | None = None
        self.failures: list[BaseException] = []

    def request(self, job: ProofJob, progress: Progress = no_progress) -> None:
        raise_failure(self.store, job)
        if self.run is not None and self.run.is_alive():
            return
        context = contextvars.copy_context()
        self.run = threading.Thread(target=context.run, args=(self.flow, job))
        self.run.start()

    def flow(self, job: ProofJob) -> None:
        try:
            prove_flow(asdict(job))
        except BaseException as error:
            self.failures.append(error)

    def result(self, job: ProofJob) -> ProofResult | None:
        return stored_proof(self.store, job)


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> FakeHost:
    return FakeHost(tmp_path_factory.mktemp("fake") / "host")


@pytest.fixture(scope="module")
def world(
    fake: FakeHost, prefect_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    names = ("alice", "bob")
    with open_world(folder, names, proof=(("core", "executed"), fake.host())) as made:
        yield replace(made, ctx=replace(made.ctx, prover=FlowProver(made.store)))


def wave(world: World, nonce: int) -> None:
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    at = {"nonce": nonce, "valid_until_epoch": 90}
    world.send([alice.order("USD", "EUR", "100", **at), bob.order("EUR", "USD", "50", **at)])


def flow_prover(world: World) -> FlowProver:
    assert isinstance(world.ctx.prover, FlowProver)
    return world.ctx.prover


@contextmanager
def watched(fake: FakeHost, folder: Path) -> Iterator[Stack]:
    """``serve`` under the supervisor, looked after as ``convexfx up`` does."""
    words = ("--elf", str(fake.program.elf), "serve", "--socket", str(fake.socket))
    service = Service(SERVE, (str(fake.binary), *words), restarts_max=5)
    over = threading.Event()
    with Stack([service], folder) as stack:
        watch = threading.Thread(target=stack.watch, args=(over.is_set,))
        watch.start()
        try:
            yield stack
        finally:
            over.set()
            watch.join()


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def artifacts(url: str, key: str) -> list[dict[str, Any]]:
    body = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC"}
    answer = httpx.post(url + "/artifacts/filter", json=body, trust_env=False)
    found: list[dict[str, Any]] = answer.raise_for_status().json()
    return found


def test_killing_serve_in_the_middle_of_a_proof_loses_nothing(
    world: World, fake: FakeHost, prefect_server: str, tmp_path: Path
) -> None:
    """The flow asks again when the supervisor has brought it back; the epoch settles once."""
    fake.behave(seconds=30)
    host = fake.host(
        socket=fake.socket, served=True, limits=replace(fake.host().limits, serve_s=30)
    )
    wave(world, 1)
    with (
        watched(fake, tmp_path) as stack,
        proving_with(LocalProver(world.store, None, bytes(32), host)),
    ):
        outcomes: list[Any] = []
        context = contextvars.copy_context()
        epoch = threading.Thread(target=lambda: outcomes.append(context.run(world.run)))
        epoch.start()
        until(lambda: "served" in fake.runs())
        time.sleep(0.7)
        os.kill(stack.children[SERVE].pid, signal.SIGKILL)
        fake.behave()
        until(lambda: fake.runs().count("serve") == 2)
        epoch.join(120)
    (outcome,) = outcomes
    assert (outcome["epoch"], outcome["status"], outcome["mode"]) == (1, "settled", "core")
    assert fake.runs().count("served") == 2
    assert "prove" not in fake.runs(), "no second prover beside the served one"
    assert flow_prover(world).failures == []
    assert world.gateway.next_nonce(world.wallets["alice"].owner) == 2
    assert world.sums() == {world.minted}
    shown = artifacts(prefect_server, "proof-core")
    assert len(shown) == 2, "one for each attempt"
    assert (shown[0]["type"], float(shown[0]["data"])) == ("progress", 100.0)
    assert float(shown[1]["data"]) < 100.0
    assert shown[1]["description"].startswith("epoch 1: core, ")


def test_a_broken_law_is_not_tried_again_and_aborts_the_epoch(world: World, fake: FakeHost) -> None:
    fake.behave(execute="violated")
    wave(world, 2)
    world = replace(world, ctx=replace(world.ctx, proof_mode="executed"))
    before = fake.runs().count("execute")
    prover = LocalProver(world.store, signer("attestor"), bytes(32), fake.host())
    with proving_with(prover):
        outcome = world.run()
        assert outcome is not None
        assert outcome["status"] == "aborted"
        assert outcome["reason"] == "L5: index 7: expected 4, found -3"
        run = flow_prover(world).run
        assert run is not None
        run.join(30)
        fake.behave()
        second = world.run()
    assert second is not None
    assert (second["status"], second["mode"]) == ("settled", "executed")
    assert fake.runs().count("execute") == before + 2
    (failure,) = flow_prover(world).failures
    assert isinstance(failure, LawViolated)
    stored = [key for key in world.store.list("proofs/") if key.endswith("failure.json")]
    assert [key.split("/")[2] for key in stored] == ["executed"]
