"""The API as a process: start, JSON logs, long polls at its end, settings that are wrong."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from convexfx.api.__main__ import main
from convexfx.api.server import log_settings, open_socket
from convexfx.log_levels import LEVELS
from convexfx.wallet import domain_to_json
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import ConfigurationError
from tasks.adapters.keys import write_key
from tests.support.api_world import api_world

START_S = 60.0


class Api:
    """A started API and the lines that it logs."""

    def __init__(self, log: Path, level: str) -> None:
        self.log = log
        words = [sys.executable, "-W", "ignore", "-m", "tests.support.api_serve", level]
        with log.open("wb") as output:
            self.process = subprocess.Popen(words, stdout=output, stderr=output)
        self.url = self._address()

    def _address(self) -> str:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            for line in self.log.read_text().splitlines():
                if "listening on " in line:
                    return str(json.loads(line)["message"]).split()[-1]
            time.sleep(0.05)
        pytest.fail(self.log.read_text()[-2000:])

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def wait_healthy(self) -> None:
        assert httpx.get(f"{self.url}/api/health", timeout=30).text == "OK"

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def running(folder: Path, level: str = "info") -> Iterator[Api]:
    api = Api(folder / "api.log", level)
    try:
        api.wait_healthy()
        yield api
    finally:
        if api.process.poll() is None:
            api.process.kill()
            api.process.wait()


def test_it_serves_and_sigterm_answers_long_polls_and_ends_with_zero(tmp_path: Path) -> None:
    order = api_world().wallets["alice"].order("USD", "EUR", "5", nonce=1)
    with running(tmp_path) as api, ThreadPoolExecutor(1) as pool:
        answer = httpx.post(f"{api.url}/verifiables", json=[order.verifiable], timeout=30)
        assert answer.json()[0]["status"] == "queued"
        url = f"{api.url}/orders/{order.order_id.hex()}?wait_s=250"
        waiting = pool.submit(httpx.get, url, timeout=60)
        end = time.monotonic() + 30
        while httpx.get(f"{api.url}/metrics", timeout=30).status_code != 200:
            assert time.monotonic() < end
        time.sleep(0.3)
        assert not waiting.done()
        begun = time.monotonic()
        assert api.stop(signal.SIGTERM) == 0
        assert time.monotonic() - begun < 10
        assert waiting.result().json()["state"] == "queued"
        lines = api.lines()
    assert lines[0]["message"] == f"listening on {api.url}"
    assert lines[-1]["message"] == "stopped"
    for line in lines:
        assert {"created", "levelname", "name", "message"} <= set(line)
    assert all("GET /" not in line["message"] for line in lines)


def test_sigint_ends_it_too_and_debug_logs_requests(tmp_path: Path) -> None:
    with running(tmp_path, "debug") as api:
        assert api.stop(signal.SIGINT) == 0
        assert any("GET /api/health" in line["message"] for line in api.lines())


def test_it_listens_on_the_loopback_only() -> None:
    with open_socket(0) as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(ConfigurationError, match="PORT_TAKEN: --port: expected port"):
            open_socket(port)


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_has_its_settings(level: str) -> None:
    found = log_settings(level)["loggers"]["convexfx"]["level"]
    assert found == {"warn": "WARNING", "trace": "DEBUG"}.get(level, level.upper())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shard: 0\n", "SETTING: shard"),
        ("colour: red\n", "SETTING: colour"),
        ("keypair: nowhere.json\n", "KEYPAIR: nowhere.json"),
        ("api_port: 70000\n", "SETTING: api_port"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_2(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "executor.yaml"
    config.write_text(text)
    assert main(["--config", str(config), "--port", "0"]) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith(f"convexfx api: {said}")
    assert written.err.count("\n") == 1


def local_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings whose files are there, of services that are not."""
    world = api_world()
    write_key(folder / "operator.json", bytes(range(32)))
    (folder / "tokens.json").write_bytes(json_bytes(domain_to_json("net", world.ctx.domain)))
    values = {
        "CONVEXFX_KEYPAIR": str(folder / "operator.json"),
        "CONVEXFX_TOKENS": str(folder / "tokens.json"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    monkeypatch.chdir(folder)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_a_taken_port_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    local_settings(tmp_path, monkeypatch)
    with open_socket(0) as listener:
        port = listener.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    written = capsys.readouterr().err
    assert written.startswith(f"convexfx api: PORT_TAKEN: --port: expected port {port} to be free")
    assert written.count("\n") == 1


def test_missing_tokens_are_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    local_settings(tmp_path, monkeypatch)
    (tmp_path / "tokens.json").unlink()
    assert main(["--port", "0"]) == 2
    assert capsys.readouterr().err.startswith("convexfx api: REGISTRY: ")


def test_options_that_are_wrong_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--port", "x"], ["--nothing"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err
