"""Prefect on this machine: the server with its UI, and a worker for each work pool.

Prefect runs the epochs: the server holds schedule and states, a worker starts each run as a process
and watches it. This module declares both as services for ``exchange``, with the settings that
server, workers, runs and clients must share to find each other.
"""

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from convexfx.local.service import PROBE_TIMEOUT_S, Port, Service
from convexfx.log_levels import PYTHON_LEVEL
from convexfx.loopback import HOST

PORT: Final = 4200
EPOCH_POOL: Final = "convexfx"
PROVE_POOL: Final = "sp1-gpu"
LEASES: Final = "prefect.server.concurrency.lease_storage.filesystem"
"""Where leases of slots are kept. The slots are rows of the database; with leases in the server's
memory alone, a restart would leave slots that nobody ever gives back."""
LEASE_S: Final = 60
"""Seconds for which a dead run keeps a deployment's only slot."""
HEARTBEAT_S: Final = 30
WORKER_QUERY_S: Final = 2


def api_url(port: int = PORT) -> str:
    """API address of the server on a port."""
    return f"http://{HOST}:{port}/api"


def ui_url(port: int = PORT) -> str:
    """UI address of the server on a port."""
    return f"http://{HOST}:{port}"


def prefect_environment(folder: Path, port: int = PORT, level: str = "info") -> dict[str, str]:
    """Settings that server, workers, flow runs and clients of one stack share.

    Parameters
    ----------
    folder : state folder; Prefect's home is ``prefect/`` there.
    level : one of the five log levels.
    """
    return {
        "PREFECT_HOME": str(folder.absolute() / "prefect"),
        "PREFECT_API_URL": api_url(port),
        "PREFECT_UI_URL": ui_url(port),
        "PREFECT_API_KEY": "",
        "PREFECT_API_AUTH_STRING": "",
        "PREFECT_PROFILE": "",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
        "PREFECT_WORKER_QUERY_SECONDS": str(WORKER_QUERY_S),
        "PREFECT_RUNNER_POLL_FREQUENCY": str(WORKER_QUERY_S),
        "PREFECT_LOGGING_LEVEL": PYTHON_LEVEL[level],
        "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json",
        "PREFECT_LOGGING_COLORS": "false",
    }


def server_environment() -> dict[str, str]:
    """Settings of the server alone."""
    return {
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        "PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": str(LEASE_S),
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "10",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "3600",
    }


def prefect_server_service(
    folder: Path, *, port: int = PORT, option: str = "--prefect-port", level: str = "info"
) -> Service:
    """The server with its UI, database in the state folder."""
    return Service(
        name="prefect-server",
        argv=(*_prefect(), "server", "start", "--host", HOST, "--port", str(port)),
        env=prefect_environment(folder, port, level) | server_environment(),
        ready=f"{api_url(port)}/health",
        ports=(Port(port, option),),
        ready_s_max=180.0,
        url=ui_url(port),
    )


def prefect_worker_service(
    folder: Path,
    pool: str,
    *,
    server_port: int,
    env: dict[str, str] | None = None,
    level: str = "info",
    cwd: Path | None = None,
) -> Service:
    """A worker that starts runs as processes; it is ready when the server has heard from it.

    The worker makes its pool where there is none.

    Parameters
    ----------
    pool : name of the work pool; the service is ``worker-<pool>``.
    server_port : the server's.
    env : what its flow runs need besides.
    cwd : where its flow runs find their code.
    """
    return Service(
        name=f"worker-{pool}",
        argv=(
            *_prefect(),
            *("worker", "start", "--pool", pool, "--type", "process", "--name", f"{pool}-local"),
            *("--install-policy", "never"),
        ),
        env={**prefect_environment(folder, server_port, level), **(env or {})},
        ready=partial(worker_online, server_port, pool, datetime.now(UTC)),
        cwd=cwd,
        grace_s=5.0,
        restarts_max=3,
    )


def worker_online(server_port: int, pool: str, since: datetime) -> bool:
    """Whether a worker of the pool has reported to the server since a moment.

    The server is asked, since the worker's own health page answers before its pool is made.
    """
    url = f"{api_url(server_port)}/work_pools/{pool}/workers/filter"
    try:
        answer = httpx.post(url, json={}, timeout=PROBE_TIMEOUT_S, trust_env=False)
        beats = [worker["last_heartbeat_time"] for worker in answer.raise_for_status().json()]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False
    return any(beat and datetime.fromisoformat(beat) >= since for beat in beats)


def _prefect() -> tuple[str, ...]:
    return (sys.executable, "-m", "prefect")
