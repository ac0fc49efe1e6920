"""Session fixtures on real services, started once for a whole test session, however many workers.

``localstack``: endpoint URL of S3 and SQS, with the AWS variables set in this process.
``aws_names``: a fresh bucket and queue (with dead letters) on it, for one test.
``prefect_server``: API URL of a Prefect server, with the Prefect variables set in this process.
``new_database``: lays the database of a new Prefect server into the folder of another one.

The controlling process names the session in :data:`SESSION`; workers inherit it. Whoever needs a
service first starts it under a file lock; the controller ends all of them by the session's marker.
"""

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from convexfx.local.localstack import (
    aws_environment,
    existing_endpoint,
    install_localstack,
    localstack_service,
)
from convexfx.local.ports import free_port
from convexfx.local.prefect_server import api_url, prefect_environment, prefect_server_service
from convexfx.local.processes import MARKER, default_interrupt, sweep
from convexfx.local.provision import provision
from convexfx.local.service import Part, Service, Step

SESSION = "CONVEXFX_TEST_SESSION"
ROOT = Path(__file__).resolve().parents[2]
NEW_DATABASE = "prefect-new"
OWNER = pytest.StashKey[bool]()
LOCALSTACK_VENV = ROOT / ".venv-localstack"


@dataclass(frozen=True)
class AwsNames:
    """A bucket and a queue that belong to one test."""

    bucket: str
    queue: str


def session_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"convexfx-tests-{os.environ[SESSION]}"


def pytest_configure(config: pytest.Config) -> None:
    """Name the session once, in the controlling process."""
    if not hasattr(config, "workerinput") and SESSION not in os.environ:
        os.environ[SESSION] = uuid.uuid4().hex
        config.stash[OWNER] = True


def pytest_unconfigure(config: pytest.Config) -> None:
    """End every service of the session and forget it."""
    if not config.stash.get(OWNER, False):
        return
    folder = session_folder()
    if folder.is_dir():
        left = sweep(os.environ[SESSION], started_pids(folder))
        shutil.rmtree(folder, ignore_errors=True)
        if left:
            raise RuntimeError(f"processes of the test session survived: {sorted(left)}")
    del os.environ[SESSION]


def started_pids(folder: Path) -> list[int]:
    return [json.loads(path.read_text())["pid"] for path in folder.glob("*.service")]


@contextmanager
def only_one(folder: Path, name: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_service(service: Service, folder: Path) -> None:
    """Start a service that outlives this worker, and wait until it is ready."""
    env = {**os.environ, **service.env, MARKER: os.environ[SESSION]}
    with (folder / service.log_name()).open("wb") as output, default_interrupt():
        process = subprocess.Popen(
            service.argv,
            env={key: value for key, value in env.items() if value},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (folder / f"{service.name}.service").write_text(json.dumps({"pid": process.pid}))
    deadline = time.monotonic() + service.ready_s_max
    while not service.is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            said = (folder / service.log_name()).read_text(errors="replace")[-2000:]
            pytest.fail(f"{service.name} did not come up: {said}")
        time.sleep(0.1)


def shared_address(name: str, start: Callable[[Path], str]) -> str:
    """Address of a service of this session; the first who asks starts it."""
    folder = session_folder()
    with only_one(folder, name):
        known = folder / f"{name}.address"
        if not known.is_file():
            known.write_text(start(folder))
        return known.read_text()


def start_localstack(folder: Path) -> str:
    found = existing_endpoint()
    if found:
        return found
    install_localstack(LOCALSTACK_VENV)
    service = localstack_service(folder, port=free_port(), venv=LOCALSTACK_VENV)
    run_service(service, folder)
    return service.url


def start_prefect(folder: Path) -> str:
    port = free_port()
    run_service(prefect_server_service(folder, port=port), folder)
    keep_new_database(folder)
    return str(port)


def keep_new_database(folder: Path) -> None:
    """Copy what a server has just made, before anybody knows its address.

    The memo says which block types the database holds, so the database is read after it.
    """
    made, new = folder / "prefect", folder / NEW_DATABASE
    new.mkdir()
    shutil.copyfile(made / "memo_store.toml", new / "memo_store.toml")
    with (
        closing(sqlite3.connect(made / "prefect.db")) as source,
        closing(sqlite3.connect(new / "prefect.db")) as copy,
    ):
        source.backup(copy)


def with_step(parts: tuple[Part, ...], after: str, step: Step) -> tuple[Part, ...]:
    """The parts of a stack with one more step after the step of that name."""
    names = [part.name if isinstance(part, Step) else "" for part in parts]
    place = names.index(after) + 1
    return (*parts[:place], step, *parts[place:])


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for key, value in variables.items():
            if value:
                patch.setenv(key, value)
            else:
                patch.delenv(key, raising=False)
        yield


@pytest.fixture(scope="session")
def localstack() -> Iterator[str]:
    """Endpoint URL of S3 and SQS for the whole session; AWS variables are set."""
    url = shared_address("localstack", start_localstack)
    with environment(aws_environment(url) | {"AWS_PROFILE": "", "AWS_SESSION_TOKEN": ""}):
        yield url


@pytest.fixture
def aws_names(localstack: str) -> AwsNames:
    """A fresh bucket and a fresh queue with dead letters."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    provision(name, name)
    return AwsNames(bucket=name, queue=name)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """API URL of a Prefect server for the whole session; clients in and below here use it."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    port = int(shared_address("prefect-server", start_prefect))
    variables = prefect_environment(session_folder(), port)
    with environment(variables), temporary_settings({PREFECT_API_URL: api_url(port)}):
        yield api_url(port)


@pytest.fixture(scope="session")
def new_database(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """Lays a new server's database into a state folder, so that the server there migrates none.

    A hundred migrations take longer than the rest of a server's start, and each stack of the suite
    would repeat those of the session's own server. A file that runs alone starts no such server,
    and nothing is laid: the server there makes its database itself.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        request.getfixturevalue("prefect_server")
    new = session_folder() / NEW_DATABASE

    def lay(folder: Path) -> None:
        if new.is_dir():
            shutil.copytree(new, folder / "prefect")

    return lay
