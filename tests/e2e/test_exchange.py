"""The whole local exchange under Prefect: retries show cached stages, schedules run, kills heal.

Mode executed where the Rust parts are built, else attested, as in `make run`.

One stack serves all tests of this file; they run in their sequence.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.events.actions import ChangeFlowRunState

from convexfx.local.automations import silent_runs
from convexfx.local.deployments import results_block_slug
from convexfx.local.exchange import Exchange, Ports, local_exchange
from convexfx.local.ports import free_ports
from convexfx.local.prefect_server import EPOCH_POOL
from convexfx.local.service import Step
from convexfx.local.session import demo_traffic
from convexfx.local.supervisor import Stack
from convexfx.local.traffic import Traffic
from convexfx.wallet import parquet_bundle
from tasks.adapters.proof_modes import default_mode
from tasks.adapters.settings import Settings
from tasks.adapters.wiring import context_from_settings
from tasks.chain import outcome_of, read_head
from tasks.context import Context
from tasks.replay import replay_epoch
from tests.support.stack_fixtures import with_step

pytestmark = [pytest.mark.stack, pytest.mark.slow]
STAGES = ["collect", "clear", "validate", "state-diffs", "prove", "submit", "settle"]
RUN_S_MAX = 180.0
RECORD_S_MAX = 60.0


class Running:
    """A running exchange and what tests ask of it."""

    def __init__(self, exchange: Exchange, ctx: Context, fault: Path, stack: Stack) -> None:
        self.exchange = exchange
        self.stack = stack
        self.ctx = ctx
        self.fault = fault
        self.traffic: Traffic = demo_traffic(exchange, ctx)
        self.api = httpx.Client(base_url=exchange.prefect_url + "/api", timeout=20, trust_env=False)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        for _ in range(20):
            answer = self.api.request(method, path, json=body)
            if answer.status_code != 503:
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def send_wave(self) -> int:
        epoch = read_head(self.ctx.store).epoch + 1
        quotes = self.ctx.prices.at(datetime.now(UTC), epoch)
        self.traffic.wave(self.ctx.inbox, quotes, epoch)
        return epoch

    def start_run(self) -> str:
        deployment = self.ask("GET", "/deployments/name/epoch/epoch")["id"]
        return str(self.ask("POST", f"/deployments/{deployment}/create_flow_run", {})["id"])

    def await_run(self, run: str, wanted: set[str]) -> dict[str, Any]:
        end = time.monotonic() + RUN_S_MAX
        while time.monotonic() < end:
            found = self.ask("GET", f"/flow_runs/{run}")
            if found["state_type"] in wanted:
                return dict(found)
            time.sleep(0.5)
        pytest.fail(f"run {run} is {found['state_name']}, wanted {wanted}")

    def retry(self, run: str) -> None:
        """What the Retry button of the UI sends."""
        state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
        self.ask("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": True})

    def await_crash(self, run: str) -> None:
        """Wait until the worker has said twice that the run's process died.

        It does so seconds apart, and its second word undoes a retry between the two.
        """
        self.await_run(run, {"CRASHED"})
        log = self.exchange.folder / "logs" / f"worker-{EPOCH_POOL}.jsonl"
        end = time.monotonic() + RECORD_S_MAX
        while time.monotonic() < end:
            lines = map(json.loads, log.read_text().splitlines())
            said = [line["logger"] for line in lines if line.get("flow_run_id") == run]
            if "prefect.flow_runs.worker" in said[last(said, "prefect.runner.flow_run_executor") :]:
                return
            time.sleep(0.2)
        pytest.fail(f"the worker said of run {run} only {said}")

    def await_states(self, run: str, cached: list[str], executed: list[str]) -> None:
        """The server records task states behind the run's own."""
        end = time.monotonic() + RECORD_S_MAX
        while time.monotonic() < end:
            states = self.task_states(run)
            if all("Cached" in states.get(name, ()) for name in cached) and all(
                "Completed" in states.get(name, ()) and "Cached" not in states[name]
                for name in executed
            ):
                return
            time.sleep(0.5)
        pytest.fail(f"stages are {states}, wanted cached {cached}, executed {executed}")

    def task_states(self, run: str) -> dict[str, list[str]]:
        """Names of the states that every stage's task runs went through."""
        body = {"flow_runs": {"id": {"any_": [run]}}}
        found: dict[str, list[str]] = {}
        for row in self.ask("POST", "/task_runs/filter", body):
            states = self.ask("GET", f"/task_run_states/?task_run_id={row['id']}")
            names = [state["name"] for state in states]
            found.setdefault(row["name"].rsplit("-", 1)[0], []).extend(names)
        return found


def last(items: list[str], item: str) -> int:
    """Place of the last of equal items, the length where there is none."""
    return max((at for at, found in enumerate(items) if found == item), default=len(items))


def children_of(pid: int) -> list[int]:
    """Every process below one."""
    direct = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [below for child in map(int, direct) for below in (child, *children_of(child))]


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[Path], None]
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("exchange")
    fault = folder / "fault"
    settings = Settings(epoch_interval_s=10)
    settings = settings.changed(proof_mode=default_mode(settings)[0])
    exchange = local_exchange(folder, Ports(), settings, scheduled=False, free=free_ports)
    laid = Step("database", lambda: new_database(folder))
    parts = with_step(exchange.parts(), "state of an earlier run", laid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVEXFX_FAULT", str(fault))
        with Stack(parts, folder) as stack:
            for name, value in exchange.aws().items():
                patch.setenv(name, value)
            yield Running(exchange, context_from_settings(exchange.settings), fault, stack)
            stack.check()


@pytest.mark.parametrize("place", [1, 4, 6])
def test_retry_finishes_the_epoch_and_shows_cached_stages(running: Running, place: int) -> None:
    stage = STAGES[place]
    epoch = running.send_wave()
    running.fault.write_text(f"{stage.replace('-', '_')} raise")
    run = running.start_run()
    running.await_run(run, {"FAILED"})
    assert outcome_of(running.ctx.store, epoch) is None
    running.retry(run)
    running.await_run(run, {"COMPLETED"})
    running.await_states(run, cached=STAGES[:place], executed=STAGES[place:])
    outcome = outcome_of(running.ctx.store, epoch)
    assert outcome is not None
    assert (outcome["status"], outcome["mode"]) == ("settled", running.ctx.proof_mode)
    assert [f for f in replay_epoch(running.ctx.store, epoch) if not f.holds] == []


def test_a_killed_flow_process_is_finished_by_another_run(running: Running) -> None:
    epoch = running.send_wave()
    running.fault.write_text("submit.intent kill")
    running.await_run(running.start_run(), {"CRASHED"})
    running.await_run(running.start_run(), {"COMPLETED"})
    outcome = outcome_of(running.ctx.store, epoch)
    assert outcome is not None
    assert outcome["status"] == "settled"


def test_a_process_killed_inside_make_proof_is_finished_by_a_retry(running: Running) -> None:
    """The stage inside ``prove`` dies with the epoch's process, in the middle of its work."""
    epoch = running.send_wave()
    running.fault.write_text("prove.asked kill")
    run = running.start_run()
    running.await_crash(run)
    running.retry(run)
    running.await_run(run, {"COMPLETED"})
    running.await_states(run, cached=STAGES[:4], executed=STAGES[4:])
    outcome = outcome_of(running.ctx.store, epoch)
    assert outcome is not None
    assert outcome["status"] == "settled"


@pytest.mark.skipif(not os.environ.get("CONVEXFX_LONG"), reason="2 min; set CONVEXFX_LONG=1")
def test_a_run_whose_worker_dies_too_frees_the_slot_by_its_silence(running: Running) -> None:
    epoch = running.send_wave()
    run = running.start_run()
    running.await_run(run, {"RUNNING"})
    worker = running.stack.children[f"worker-{EPOCH_POOL}"]
    for pid in (worker.pid, *children_of(worker.pid)):
        os.kill(pid, signal.SIGKILL)
    running.stack.watch(until=lambda: worker.restarts > 0)
    found = running.await_run(run, {"CRASHED"})
    assert "No heartbeat" in found["state"]["message"]
    running.await_run(running.start_run(), {"COMPLETED"})
    outcome = outcome_of(running.ctx.store, epoch)
    assert outcome is not None
    assert outcome["status"] == "settled"


@pytest.mark.skipif(not os.environ.get("CONVEXFX_LONG"), reason="20 s; set CONVEXFX_LONG=1")
def test_ten_thousand_orders_cost_little_above_their_stages(running: Running) -> None:
    epoch = read_head(running.ctx.store).epoch + 1
    orders = [
        wallet.order("USD", "EUR", "1", nonce=running.traffic.nonces[name] + place)
        for name, wallet in running.traffic.wallets.items()
        for place in range(3_334)
    ]
    running.ctx.inbox.send([parquet_bundle(orders, running.ctx.store)])
    run = running.await_run(running.start_run(), {"COMPLETED"})
    outcome = outcome_of(running.ctx.store, epoch)
    assert outcome is not None
    assert outcome["fills"] >= len(orders)
    for name in running.traffic.nonces:
        running.traffic.nonces[name] += 3_334
    above_s = run["total_run_time"] - sum(outcome["stages"].values()) / 1000
    print(f"{len(orders)} orders: {run['total_run_time']:.1f} s, {above_s:.1f} s above the stages")
    assert above_s <= 3.0


def test_runs_have_their_artifacts(running: Running) -> None:
    rows = running.ask("POST", "/artifacts/filter", {"limit": 200})
    keys = {row["key"] for row in rows}
    mode = running.exchange.settings.proof_mode
    assert {"epoch-report", "epoch-prices", "epoch-objects", f"proof-{mode}"} <= keys
    report = next(row for row in rows if row["key"] == "epoch-report")
    assert f"{mode} (not a proof)" in report["data"]


def test_results_are_json_in_the_bucket(running: Running) -> None:
    keys = running.ctx.store.list("results/")
    assert any(key.startswith("results/epoch-00000001-clear-") for key in keys), keys
    assert all((running.ctx.store.get(key) or b"").startswith(b"{") for key in keys)
    assert results_block_slug() in running.exchange.environment().values()


def test_an_interval_schedule_completes_runs_by_itself(running: Running) -> None:
    since = datetime.now(UTC)
    scheduled = local_exchange(
        running.exchange.folder, running.exchange.ports, running.exchange.settings
    )
    scheduled._deploy()
    body = {
        "flow_runs": {
            "state": {"type": {"any_": ["COMPLETED"]}},
            "expected_start_time": {"after_": (since - timedelta(seconds=1)).isoformat()},
            "tags": {"all_": ["auto-scheduled"]},
        }
    }
    end = time.monotonic() + 120
    while time.monotonic() < end:
        rows = running.ask("POST", "/flow_runs/filter", body)
        if len(rows) >= 2:
            break
        time.sleep(1)
    assert len(rows) >= 2
    assert {row["created_by"]["type"] for row in rows} == {"SCHEDULE"}


def test_a_run_that_ended_is_not_crashed_by_the_rule_for_silent_ones(running: Running) -> None:
    (ended, *_) = running.ask(
        "POST",
        "/flow_runs/filter",
        {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}, "limit": 1},
    )
    (action,) = silent_runs().actions
    assert isinstance(action, ChangeFlowRunState)
    asked = {"state": {"type": "CRASHED", "name": "Crashed"}, "force": action.force}
    answer = running.ask("POST", f"/flow_runs/{ended['id']}/set_state", asked)
    assert answer["status"] == "ABORT"
    assert running.ask("GET", f"/flow_runs/{ended['id']}")["state_type"] == "COMPLETED"
