"""``convexfx run`` against services that others run, and ``up --detach`` with ``down``.

``CONVEXFX_LONG=1`` lets it refuse without an agreement, settle an epoch, and starts a whole stack.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from convexfx.agreement import signed_agreement
from convexfx.local.ports import free_port, free_ports
from convexfx.local.processes import members
from convexfx.local.state import StateFile
from convexfx.wallet import inline_messages
from tasks.adapters.keys import write_key
from tasks.adapters.s3 import S3Store
from tasks.adapters.settings import Settings
from tasks.adapters.sqs import SqsInbox
from tasks.adapters.wiring import context_from_settings
from tasks.chain import outcome_of
from tests.integration.test_api_stack import settings_of
from tests.support.epoch_world import World, open_world, signer
from tests.support.stack_fixtures import AwsNames, environment

pytestmark = [pytest.mark.stack, pytest.mark.slow]
LONG = pytest.mark.skipif(
    not os.environ.get("CONVEXFX_LONG"), reason="a minute; set CONVEXFX_LONG=1"
)
COMMAND = (sys.executable, "-W", "ignore", "-m", "convexfx")
START_S, EPOCH_S, STOP_S = 90.0, 120.0, 60.0


@pytest.fixture
def world(tmp_path: Path, aws_names: AwsNames) -> Iterator[World]:
    with open_world(tmp_path) as world:
        write_key(tmp_path / "attestor.json", sha256(b"epoch world attestor").digest())
        chosen = settings_of(world, tmp_path, aws_names) | {
            "CONVEXFX_ATTESTOR": str(tmp_path / "attestor.json"),
            "CONVEXFX_EPOCH_INTERVAL_S": "86400",
        }
        with environment(chosen):
            yield world


def convexfx(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180)


def until(seconds: float, condition: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, log.read_text()[-2000:]
        time.sleep(0.2)


def healthy(api: str) -> bool:
    try:
        return httpx.get(f"{api}/api/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def epoch_deployment(prefect: str) -> Any:
    return httpx.get(f"{prefect}/deployments/name/epoch/epoch").raise_for_status().json()


@contextmanager
def running(folder: Path) -> Iterator[Path]:
    """``convexfx run`` at work; its output. SIGTERM ends it with all that it started."""
    port, log = free_port(), folder / "run.txt"
    with log.open("wb") as output:
        words = [*COMMAND, "run", "--api-port", str(port)]
        process = subprocess.Popen(words, cwd=folder, stdout=output, stderr=output)
    try:
        until(START_S, lambda: "Prefect UI" in log.read_text(), log)
        assert healthy(f"http://127.0.0.1:{port}")
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(STOP_S)
    assert code == 0, log.read_text()[-2000:]
    assert left(folder / ".convexfx" / "executor") == set()


def left(state: Path) -> set[int]:
    """Processes of the stack of a state folder that still run."""
    found = StateFile(state).read()
    assert found is not None
    return members(found.marker, [service.pid for service in found.services])


def next_delta_epoch(world: World) -> None:
    httpx.post(world.programs[0].url + "/epoch/advance").raise_for_status()


def test_run_serves_the_api_and_leaves_nothing_behind(
    world: World, prefect_server: str, tmp_path: Path
) -> None:
    ctx = context_from_settings(Settings.load())
    agreed = signed_agreement(ctx, signer("attestor"), 1, ("attested",))
    world.gateway.settlement.register_agreement(agreed)
    next_delta_epoch(world)
    with running(tmp_path) as log:
        assert "active for shard 1" in log.read_text()
        assert epoch_deployment(prefect_server)["schedules"]


@LONG
def test_run_refuses_without_its_agreement_then_settles(
    world: World, aws_names: AwsNames, prefect_server: str, tmp_path: Path
) -> None:
    refused = convexfx(tmp_path, "run")
    assert refused.returncode == 1
    assert "convexfx submit-domain-agreement" in refused.stdout + refused.stderr
    assert convexfx(tmp_path, "submit-domain-agreement", "--fee", "1000000").returncode == 0
    next_delta_epoch(world)
    store = S3Store(aws_names.bucket)
    with running(tmp_path) as log:
        order = world.wallets["alice"].order("USD", "EUR", "10", nonce=1)
        SqsInbox(aws_names.queue).send(inline_messages([order]))
        deployment = epoch_deployment(prefect_server)["id"]
        url = f"{prefect_server}/deployments/{deployment}/create_flow_run"
        httpx.post(url, json={}).raise_for_status()
        until(EPOCH_S, lambda: outcome_of(store, 1) is not None, log)
        assert (outcome_of(store, 1) or {})["status"] == "settled"


@LONG
def test_up_in_the_background_and_down(localstack: str, tmp_path: Path) -> None:
    assert localstack
    name = f"up-{uuid.uuid4().hex[:12]}"
    api, *ports = free_ports(4)
    options = ("--prefect-port", "--gateway-port", "--settlement-port")
    words = [word for pair in zip(options, map(str, ports), strict=True) for word in pair]
    state = ("--state", str(tmp_path / "state"))
    with environment({"CONVEXFX_BUCKET": name, "CONVEXFX_INBOX_QUEUE": name}):
        try:
            up = convexfx(tmp_path, "up", "--detach", "--no-traffic", "--proof", "attested",
                          "--api-port", str(api), *words, *state)  # fmt: skip
            assert up.returncode == 0, up.stdout + up.stderr
            assert healthy(f"http://127.0.0.1:{api}")
        finally:
            down = convexfx(tmp_path, "down", *state)
    assert (down.returncode, left(tmp_path / "state")) == (0, set())
    assert not healthy(f"http://127.0.0.1:{api}")
