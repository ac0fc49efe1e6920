"""The real stack: LocalStack, Prefect server and worker come up, and nothing of them is left."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from convexfx.local.detached import start_detached, stop_stack
from convexfx.local.localstack import aws_environment, install_localstack
from convexfx.local.ports import free_ports, is_free
from convexfx.local.prefect_server import api_url
from convexfx.local.processes import members, wait_gone
from convexfx.local.state import StackState, StateFile
from tasks.adapters.s3 import S3Store
from tasks.adapters.sqs import SqsInbox
from tests.support.stack_fixtures import LOCALSTACK_VENV, ROOT

pytestmark = [pytest.mark.stack, pytest.mark.slow]

FLOW = """
import os, pathlib, time
from prefect import flow

@flow
def sleeper(where: str) -> None:
    pathlib.Path(where).write_text(str(os.getpid()))
    time.sleep(600)
"""


class Real:
    """A detached stack and its ports."""

    def __init__(self, folder: Path, ports: int) -> None:
        self.folder = folder
        self.ports = free_ports(ports)
        argv = [sys.executable, "-m", "tests.integration.real_stack", str(folder)]
        self.state = start_detached([*argv, *map(str, self.ports)], folder)

    def read(self) -> StackState:
        state = StateFile(self.folder).read()
        assert state is not None
        return state

    def pid(self, name: str) -> int:
        return next(service.pid for service in self.read().services if service.name == name)

    def left(self) -> set[int]:
        state = self.read()
        return members(state.marker, [service.pid for service in state.services])

    def gone(self) -> bool:
        """Whether the supervisor ended by itself and nothing is left."""
        with suppress(ChildProcessError):
            assert wait_gone([self.state.pid], 40.0) == set()
            os.waitpid(self.state.pid, 0)
        return self.left() == set() and all(is_free(port) for port in self.ports)


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def real(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Real]:
    monkeypatch.chdir(ROOT)
    install_localstack(LOCALSTACK_VENV)
    if request.param == 2:
        request.getfixturevalue("new_database")(tmp_path / "state")
    stack = Real(tmp_path / "state", request.param)
    for key, value in aws_environment(f"http://127.0.0.1:{stack.ports[0]}").items():
        monkeypatch.setenv(key, value)
    yield stack
    stop_stack(stack.folder)


def start_sleeper(real: Real, folder: Path) -> Path:
    """Start a flow run on the worker; the file in which it writes its process id."""
    from prefect import flow
    from prefect.deployments import run_deployment
    from prefect.settings import PREFECT_API_URL, temporary_settings

    (folder / "sleeper.py").write_text(FLOW)
    where = folder / "pid"
    with temporary_settings({PREFECT_API_URL: api_url(real.ports[1])}):
        loaded = flow.from_source(source=str(folder), entrypoint="sleeper.py:sleeper")
        loaded.deploy(name="test", work_pool_name="convexfx", print_next_steps=False)
        run_deployment("sleeper/test", parameters={"where": str(where)}, timeout=0)
    return where


@pytest.mark.parametrize("real", [2], indirect=True)
def test_up_a_worker_killed_a_flow_running_and_down(real: Real, tmp_path: Path) -> None:
    S3Store("convexfx-epochs").prove_semantics()
    inbox = SqsInbox("convexfx-inbox", first_wait_s=0)
    inbox.send(["hello"])
    assert [message.body for message in inbox.receive(1)] == ["hello"]
    assert inbox.dead_letter_depth().visible == 0

    first = real.pid("worker-convexfx")
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: real.pid("worker-convexfx") != first, 10.0)

    where = start_sleeper(real, tmp_path)
    assert eventually(lambda: where.exists() and bool(where.read_text()), 60.0)
    running = int(where.read_text())
    assert os.getsid(running) != os.getsid(real.pid("worker-convexfx"))
    assert running in real.left()

    os.kill(real.state.pid, signal.SIGTERM)
    assert real.gone()
    assert real.read().status == "stopped"


@pytest.mark.parametrize("real", [1], indirect=True)
def test_a_killed_server_ends_the_stack_and_says_so(real: Real) -> None:
    os.kill(real.pid("localstack"), signal.SIGKILL)
    assert real.gone()
    state = real.read()
    assert state.status == "failed"
    assert "localstack" in state.error
    assert "SIGKILL" in state.error
    logs = {path.name for path in (real.folder / "logs").glob("*.jsonl")}
    assert logs == {"localstack.jsonl", "supervisor.jsonl"}
