"""A real proof is made by a worker of the pool ``sp1-gpu``, in a run of its own deployment.

A whole local exchange in mode core, as ``make run PROOF=core`` starts it; only the external host
is a fake one, so that its proof takes no minutes.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from convexfx.local.exchange import Ports, local_exchange
from convexfx.local.ports import free_ports
from convexfx.local.prefect_server import api_url
from convexfx.local.service import Step
from convexfx.local.session import demo_traffic
from convexfx.local.supervisor import Stack
from tasks.adapters.settings import Settings
from tasks.adapters.wiring import context_from_settings
from tasks.chain import outcome_of
from tests.support.fake_laws_host import FakeHost, fake_host
from tests.support.stack_fixtures import with_step

__all__ = ["fake_host"]
pytestmark = [pytest.mark.stack, pytest.mark.slow]


def test_an_epoch_in_mode_core_is_proven_by_the_pool(
    fake_host: FakeHost,
    new_database: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(
        proof_mode="core",
        law_program=fake_host.folder / "elf",
        laws_host=fake_host.binary,
        epoch_interval_s=10,
    )
    exchange = local_exchange(tmp_path / "state", Ports(), settings, free=free_ports)
    laid = Step("database", lambda: new_database(exchange.folder))
    parts = with_step(exchange.parts(), "state of an earlier run", laid)
    with Stack(parts, exchange.folder) as stack:
        assert {"worker-convexfx", "worker-sp1-gpu", "laws-host-serve"} <= set(stack.children)
        for name, value in exchange.aws().items():
            monkeypatch.setenv(name, value)
        ctx = context_from_settings(exchange.settings)
        quotes = ctx.prices.at(datetime.now(UTC), 1)
        demo_traffic(exchange, ctx).wave(ctx.inbox, quotes, 1)
        stack.watch(until=lambda: outcome_of(ctx.store, 1) is not None)
        outcome = outcome_of(ctx.store, 1)
        assert outcome is not None
        assert (outcome["status"], outcome["mode"]) == ("settled", "core")
        url = api_url(exchange.ports.prefect) + "/flow_runs/filter"
        body = {"work_pools": {"name": {"any_": ["sp1-gpu"]}}}
        (run,) = httpx.post(url, json=body, trust_env=False).raise_for_status().json()
    assert run["parameters"]["job"]["job_id"] == outcome["job_id"]
    assert run["deployment_id"] is not None
    assert fake_host.runs().count("served") == 1
