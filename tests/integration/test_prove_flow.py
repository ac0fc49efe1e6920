"""The flow ``prove`` under Prefect: progress, retries, a served prover that is killed.

Both flows run in this process, against a real server; the external host is a fake one. The pool's
own worker stands in ``tests/e2e/test_proving_pool.py``.
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
from flows.epoch import epoch as epoch_flow
from flows.prove import prove as prove_flow
from tasks.adapters import prover_prefect
from tasks.adapters.prover_local import LocalProver, raise_failure, stored_proof
from tasks.adapters.prover_prefect import PrefectProver
from tasks.chain import read_head
from tasks.injected_faults import InjectedFault
from tasks.ports import Json, Progress, ProofJob, ProofResult, Store, no_progress
from tasks.process import proving_with, using
from tests.support.epoch_world import World, forget_everything, open_world, signer
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


# Modes without a proof: the epoch's own run calls the stage


def ask(url: str, path: str, body: Any = None) -> Any:
    method = "GET" if body is None else "POST"
    return httpx.request(method, url + path, json=body, trust_env=False).raise_for_status().json()


@contextmanager
def executed_here(world: World, fake: FakeHost) -> Iterator[World]:
    """The epoch's flow as its worker runs it in mode executed."""
    fake.behave()
    ctx = replace(world.ctx, proof_mode="executed", prover=PrefectProver(world.store))
    prover = LocalProver(world.store, signer("attestor"), bytes(32), fake.host())
    with using(ctx), proving_with(prover):
        yield replace(world, ctx=ctx)


def next_wave(world: World) -> int:
    wave(world, world.gateway.next_nonce(world.wallets["alice"].owner))
    return read_head(world.store).epoch + 1


def makers(url: str, state: Any, ended: str = "COMPLETED") -> tuple[str, list[Json]]:
    """Id of an epoch's run, and its task runs ``make-proof`` once it and all of them ended.

    The server learns of task runs by events, some time after they took place.
    """
    run = str(state.state_details.flow_run_id)
    asked = {"task_runs": {"flow_run_id": {"any_": [run]}}}
    found: list[Json] = []

    def all_told() -> bool:
        told = ask(url, "/task_runs/filter", asked)
        found[:] = [one for one in told if one["name"].startswith("make-proof")]
        settled = [one for one in told if one["name"].startswith("settle")]
        return bool(settled) and all(one["state_type"] in (ended, "COMPLETED") for one in told)

    until(all_told)
    return run, found


def test_a_mode_without_a_proof_is_a_stage_of_the_epoch_s_run(
    world: World, fake: FakeHost, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prover_prefect, "run_deployment", None)
    with executed_here(world, fake) as here:
        number = next_wave(here)
        state: Any = epoch_flow(return_state=True)
    outcome = world.outcome(number)
    assert (outcome["status"], outcome["mode"]) == ("settled", "executed")
    run, (maker,) = makers(prefect_server, state)
    assert maker["state_type"] == "COMPLETED"
    below = {"flow_runs": {"parent_flow_run_id": {"any_": [run]}}}
    assert ask(prefect_server, "/flow_runs/filter", below) == [], "no run beside the epoch's"
    (shown, *_) = artifacts(prefect_server, "proof-executed")
    assert (shown["flow_run_id"], shown["task_run_id"]) == (run, maker["id"])
    assert float(shown["data"]) == 100.0
    assert shown["description"] == f"epoch {number}: executed"


def test_a_law_that_breaks_in_the_stage_at_hand_aborts_the_epoch(
    world: World, fake: FakeHost, prefect_server: str
) -> None:
    with executed_here(world, fake) as here:
        number = next_wave(here)
        fake.behave(execute="violated")
        state: Any = epoch_flow(return_state=True)
        _, (maker,) = makers(prefect_server, state, "FAILED")
        assert maker["state_type"] == "FAILED"
        assert "L5: index 7: expected 4, found -3" in maker["state"]["message"]
        outcome = world.outcome(number)
        assert outcome["status"] == "aborted"
        assert outcome["reason"] == "L5: index 7: expected 4, found -3"
        fake.behave()
        assert epoch_flow(return_state=True).is_completed()
    assert world.outcome(number + 1)["status"] == "settled"
    assert world.sums() == {world.minted}


@pytest.mark.parametrize("point", ["prove.made", "prove.done"])
def test_another_run_takes_the_proof_of_one_that_died(
    world: World,
    fake: FakeHost,
    prefect_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    """Between proof and stage result, in the stage at hand or behind it: the proof is made once."""
    armed = tmp_path / "fault"
    monkeypatch.setenv("CONVEXFX_FAULT", str(armed))
    with executed_here(world, fake) as here:
        number = next_wave(here)
        made = fake.runs().count("execute")
        armed.write_text(f"{point} raise")
        with pytest.raises(InjectedFault):
            epoch_flow()
        forget_everything()
        state: Any = epoch_flow(return_state=True)
    assert world.outcome(number)["status"] == "settled"
    assert fake.runs().count("execute") == made + 1
    assert makers(prefect_server, state)[1] == [], "the second run finds the proof"
