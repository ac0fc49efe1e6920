"""Prefect's settings on one machine: every variable is one that Prefect knows."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from convexfx.local.ports import free_port
from convexfx.local.prefect_server import (
    api_url,
    prefect_environment,
    prefect_server_service,
    prefect_worker_service,
    server_environment,
    ui_url,
    worker_online,
)
from convexfx.log_levels import LEVELS


def parsed(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Prefect's own reading of the variables."""
    from prefect.settings import Settings

    for key, value in variables.items():
        monkeypatch.delenv(key, raising=False)
        if value:
            monkeypatch.setenv(key, value)
    return Settings()


def test_prefect_reads_what_we_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "a key of somebody's cloud")
    settings = parsed(
        prefect_environment(tmp_path, 4201, "debug") | server_environment(), monkeypatch
    )
    assert settings.home == tmp_path / "prefect"
    assert settings.api.url == api_url(4201) == "http://127.0.0.1:4201/api"
    assert settings.api.key is None
    assert settings.ui_url == ui_url(4201)
    assert settings.server.analytics_enabled is False
    assert settings.server.ephemeral.enabled is False
    assert settings.results.default_serializer == "json"
    assert settings.flows.heartbeat_frequency == 30
    assert settings.worker.query_seconds == settings.runner.poll_frequency == 2
    assert settings.logging.level == "DEBUG"
    assert settings.server.concurrency.initial_deployment_lease_duration == 60
    assert settings.server.services.db_vacuum.enabled_vacuum_types >= {"events", "flow_runs"}
    assert settings.server.services.scheduler.loop_seconds == 10


def test_every_variable_is_one_of_prefects(tmp_path: Path) -> None:
    from prefect.settings import Settings
    from prefect.settings.legacy import _get_settings_fields

    known = {name for name in _get_settings_fields(Settings) if name.isupper()}
    worker = prefect_worker_service(tmp_path, "p", server_port=1)
    ours = {**worker.env, **prefect_server_service(tmp_path).env}
    nested = ("PREFECT_LOGGING_HANDLERS_", "DO_NOT_TRACK", "PREFECT_PROFILE")
    assert {name for name in ours if not name.startswith(nested)} <= known


@pytest.mark.parametrize("level", LEVELS)
def test_the_five_levels_are_known_to_it(
    tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = parsed(prefect_environment(tmp_path, level=level), monkeypatch)
    assert settings.logging.level in ("ERROR", "WARNING", "INFO", "DEBUG")


def test_the_server_answers_where_its_clients_ask(tmp_path: Path) -> None:
    service = prefect_server_service(tmp_path, port=4201)
    assert service.ready == f"{service.env['PREFECT_API_URL']}/health"
    assert service.argv[-4:] == ("--host", "127.0.0.1", "--port", "4201")
    assert [(port.number, port.option) for port in service.ports] == [(4201, "--prefect-port")]


def test_a_worker_listens_on_no_port_and_may_be_started_again(tmp_path: Path) -> None:
    service = prefect_worker_service(
        tmp_path, "sp1-gpu", server_port=4201, env={"CONVEXFX_SHARD": "2"}, cwd=tmp_path
    )
    assert service.name == "worker-sp1-gpu"
    assert service.argv[3:7] == ("worker", "start", "--pool", "sp1-gpu")
    assert service.env["CONVEXFX_SHARD"] == "2"
    assert service.env["PREFECT_API_URL"] == api_url(4201)
    assert service.ports == ()
    assert service.restarts_max > 0


@pytest.fixture
def server() -> Iterator[tuple[int, list[tuple[int, bytes]]]]:
    """A server whose next answers (status, body) a test appends."""
    answers: list[tuple[int, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/work_pools/convexfx/workers/filter"
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.02,)).start()
    yield int(http.server_address[1]), answers
    http.shutdown()
    http.server_close()


@pytest.mark.parametrize(
    ("status", "body", "online"),
    [
        (200, b'[{"last_heartbeat_time": "2024-01-02T12:00:00Z"}]', True),
        (200, b'[{"last_heartbeat_time": "2024-01-02T11:59:59.999Z"}]', False),
        (200, b'[{"last_heartbeat_time": null}]', False),
        (200, b"[]", False),
        (404, b'{"detail": "Work pool not found"}', False),
        (200, b"<html>", False),
    ],
)
def test_a_worker_is_ready_when_the_server_has_heard_of_it(
    server: tuple[int, list[tuple[int, bytes]]], status: int, body: bytes, online: bool
) -> None:
    port, answers = server
    answers.append((status, body))
    assert worker_online(port, "convexfx", datetime(2024, 1, 2, 12, tzinfo=UTC)) is online


def test_without_a_server_no_worker_is_ready() -> None:
    assert not worker_online(free_port(), "convexfx", datetime(2024, 1, 2, tzinfo=UTC))
