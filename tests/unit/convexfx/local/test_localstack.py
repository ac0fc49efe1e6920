"""LocalStack's environment and settings, without starting it."""

import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from convexfx.local import localstack
from convexfx.local.localstack import (
    REQUIREMENTS,
    aws_environment,
    existing_endpoint,
    find_uv,
    install_localstack,
    localstack_service,
    use_local_aws,
)
from convexfx.local.ports import free_port
from convexfx_core.errors import PeerUnreachable


class Endpoint(BaseHTTPRequestHandler):
    status: ClassVar[dict[str, int]] = {}

    def do_GET(self) -> None:
        self.send_response(self.status[self.path])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def serve(**status: int) -> tuple[ThreadingHTTPServer, str]:
    paths = {"/": status["root"], "/_localstack/health": status["health"]}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("E", (Endpoint,), {"status": paths}))
    threading.Thread(target=server.serve_forever, args=(0.02,)).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.parametrize(
    ("root", "health", "found"),
    [(200, 200, True), (500, 200, True), (403, 404, True), (503, 404, False)],
)
def test_something_healthy_is_used_again(root: int, health: int, found: bool) -> None:
    server, url = serve(root=root, health=health)
    try:
        assert existing_endpoint({"AWS_ENDPOINT_URL": url}) == (url if found else None)
    finally:
        server.shutdown()
        server.server_close()


def test_what_does_not_answer_is_not_used() -> None:
    for url in ("", "nonsense", f"http://127.0.0.1:{free_port()}"):
        assert existing_endpoint({"AWS_ENDPOINT_URL": url}) is None
    assert existing_endpoint({}) is None


def test_clients_need_only_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "mine")
    for name in aws_environment(""):
        monkeypatch.setenv(name, "before")
    use_local_aws("http://127.0.0.1:5001")
    import os

    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5001"
    assert os.environ["AWS_ACCESS_KEY_ID"] == "test"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(os.environ)


def test_it_listens_on_the_loopback_only(tmp_path: Path) -> None:
    service = localstack_service(tmp_path, port=5001)
    assert 'interface="127.0.0.1"' in service.argv[-1]
    assert service.env["GATEWAY_LISTEN"] == service.env["LOCALSTACK_HOST"] == "127.0.0.1:5001"
    assert service.env["DNS_ADDRESS"] == "0"
    assert service.url == "http://127.0.0.1:5001"


@pytest.mark.parametrize(
    ("level", "theirs"),
    [("error", "error"), ("warn", "warning"), ("info", "warning"), ("debug", "info"),
     ("trace", "debug")],
)  # fmt: skip
def test_a_line_a_request_comes_only_with_debug(tmp_path: Path, level: str, theirs: str) -> None:
    assert localstack_service(tmp_path, level=level).env["LS_LOG"] == theirs


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A uv that writes down how it was called and makes the folder."""
    calls = tmp_path / "calls"
    fake = tmp_path / "uv"
    fake.write_text(
        f'#!/bin/sh\necho "$@" >> {calls}\n[ ! -e {tmp_path}/offline ] || '
        "{ echo no index >&2; exit 1; }\n"
        'for last; do :; done\n[ "$1" != venv ] || mkdir -p "$last/bin"\n'
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(localstack, "find_uv", lambda: str(fake))
    return calls


def test_it_is_installed_once(tmp_path: Path, installer: Path) -> None:
    venv = tmp_path / "deep" / "venv"
    assert install_localstack(venv) is True
    assert install_localstack(venv) is False
    make, fill = installer.read_text().splitlines()
    assert make.startswith("venv")
    assert sys.executable in make
    assert all(requirement in fill for requirement in REQUIREMENTS)


def test_many_who_ask_at_once_build_it_once(tmp_path: Path, installer: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        built = list(pool.map(lambda _: install_localstack(tmp_path / "venv"), range(6)))
    assert built.count(True) == 1
    assert len(installer.read_text().splitlines()) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"calls", "uv", "venv"}


def test_a_half_built_or_older_environment_is_built_again(tmp_path: Path, installer: Path) -> None:
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / "rubbish").write_text("")
    assert install_localstack(venv)
    assert not (venv / "rubbish").exists()
    (venv / ".ready").write_text("localstack-core==1")
    assert install_localstack(venv)
    assert len(installer.read_text().splitlines()) == 4


def test_without_packages_the_reason_is_told(tmp_path: Path, installer: Path) -> None:
    (tmp_path / "offline").write_text("")
    with pytest.raises(PeerUnreachable, match="no index") as caught:
        install_localstack(tmp_path / "venv")
    assert caught.value.field == "package index"
    assert not (tmp_path / "venv" / ".ready").exists()
    (tmp_path / "offline").unlink()
    assert install_localstack(tmp_path / "venv")


def test_without_uv_it_is_venv_and_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        commands.append(command)
        (tmp_path / "venv").mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(localstack, "find_uv", lambda: None)
    monkeypatch.setattr(subprocess, "run", run)
    assert install_localstack(tmp_path / "venv")
    assert commands[0] == [sys.executable, "-m", "venv", str(tmp_path / "venv")]
    assert commands[1][1:4] == ["-m", "pip", "install"]
    assert tuple(commands[1][-len(REQUIREMENTS) :]) == REQUIREMENTS


def test_uv_beside_this_python_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    assert find_uv() is None
    (tmp_path / "uv").write_text("")
    assert find_uv() == str(tmp_path / "uv")
