"""A stack that is stopped in the middle of a run goes on when it is started again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from convexfx.local.exchange import Exchange, Ports
from convexfx.local.lost_runs import MESSAGE, end_lost_runs
from convexfx.local.ports import free_port
from convexfx.local.prefect_server import (
    EPOCH_POOL,
    PROVE_POOL,
    api_url,
    prefect_server_service,
)
from convexfx.local.service import Step
from convexfx.local.supervisor import Stack
from convexfx_core.errors import PeerUnreachable
from tasks.adapters.settings import Settings

pytestmark = pytest.mark.stack


class Server:
    """Calls of a worker and a scheduler at a Prefect server."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return dict(self.client.post(path, json=body).raise_for_status().json())

    def deployed(self, pool: str) -> str:
        """A deployment with one slot, as ``deployments`` makes it."""
        self.ask("/work_pools/", {"name": pool, "type": "process"})
        flow = self.ask("/flows/", {"name": f"flow-of-{pool}"})["id"]
        options = {"collision_strategy": "CANCEL_NEW"}
        body = {"name": pool, "flow_id": flow, "work_pool_name": pool, "concurrency_limit": 1}
        return str(self.ask("/deployments/", {**body, "concurrency_options": options})["id"])

    def started(self, deployment: str, last: str = "RUNNING") -> tuple[str, str]:
        """Id of a new run, and the state that it has after a worker took it."""
        run = str(self.ask(f"/deployments/{deployment}/create_flow_run", {})["id"])
        for kind in ("PENDING", "RUNNING", "CANCELLING"):
            said = self.ask(f"/flow_runs/{run}/set_state", {"state": {"type": kind}})
            if said["status"] != "ACCEPT" or kind == last:
                break
        return run, self.state(run)[0]

    def state(self, run: str) -> tuple[str, str | None]:
        found = self.client.get(f"/flow_runs/{run}").raise_for_status().json()["state"]
        return found["type"], found["message"]


def test_runs_that_lost_their_process_are_ended_and_their_slots_are_free(
    tmp_path: Path, new_database: Callable[[Path], None]
) -> None:
    new_database(tmp_path)
    port = free_port()
    server = Server(api_url(port))
    parts = (prefect_server_service(tmp_path, port=port),)
    with Stack(parts, tmp_path):
        epoch, other = server.deployed(EPOCH_POOL), server.deployed(PROVE_POOL)
        (lost, running), (elsewhere, _) = server.started(epoch), server.started(other)
        assert running == "RUNNING"
    with Stack(parts, tmp_path):
        # Canary: this is what every later run met.
        assert server.started(epoch)[1] == "CANCELLED"
        assert end_lost_runs(api_url(port), (EPOCH_POOL,)) == 1
        assert server.state(lost) == ("CRASHED", MESSAGE)
        assert server.state(elsewhere)[0] == "RUNNING", "its pool is not ours"
        for left in ("PENDING", "CANCELLING", "RUNNING"):
            run, reached = server.started(epoch, left)
            assert reached == left
            assert end_lost_runs(api_url(port), (EPOCH_POOL,)) == 1
            assert server.state(run)[0] == ("CANCELLED" if left == "CANCELLING" else "CRASHED")
        assert end_lost_runs(api_url(port), (EPOCH_POOL,)) == 0
    with pytest.raises(PeerUnreachable, match="runs of an earlier start"):
        end_lost_runs(api_url(port), (EPOCH_POOL,))


def test_only_the_start_of_an_own_server_ends_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = Exchange(tmp_path, Ports(prefect=free_port()), Settings(proof_mode="attested"))
    ours = exchange.executor_parts()
    names = [part.name for part in ours if isinstance(part, Step)]
    assert names == ["runs that an earlier start left", "deployments"]
    assert isinstance(ours[1], Step), "before any worker is there"
    monkeypatch.setattr("convexfx.local.exchange.answers", lambda _url: True)
    theirs = exchange.executor_parts()
    assert [part.name for part in theirs if isinstance(part, Step)] == ["deployments"]
