"""Runs the app: socket, JSON logs, graceful end.

The socket is opened before the app is served, so that a taken port is told as an error with its
number. At the end the long polls and event streams are woken first: they would hold the process.
"""

import logging
import logging.config
import signal
import socket
from types import FrameType
from typing import Any, Final

import uvicorn
from fastapi import FastAPI

from convexfx.api.services import Services
from convexfx.log_levels import PYTHON_LEVEL
from convexfx.loopback import HOST
from convexfx_core.errors import ConfigurationCode, ConfigurationError

BACKLOG: Final = 2_048
GRACE_S: Final = 5
"""Seconds that requests have to end after SIGTERM; long polls are answered at once."""
REQUEST_LEVELS: Final = ("debug", "trace")
"""Levels at which every request is logged."""

log = logging.getLogger("convexfx.api")


class Server(uvicorn.Server):
    """A server that answers its long polls when it is told to stop.

    Parameters
    ----------
    config : of uvicorn. services : whose change_signal wakes the long polls.
    """

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT or SIGTERM."""
        self._services.change_signal.close()
        super().handle_exit(sig, frame)


def open_socket(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 takes a free one.

    Raises
    ------
    ConfigurationError
        ``PORT_TAKEN``.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        expected = f"port {port} to be free for the API (choose another with --port)"
        raise ConfigurationError(
            ConfigurationCode.PORT_TAKEN, "--port", expected, error.strerror or str(error)
        ) from None
    return listener


def configure_logs(level: str) -> None:
    """JSON lines on standard error at or above a level (error, warn, info, debug, trace)."""
    logging.config.dictConfig(log_settings(level))


def log_settings(level: str) -> dict[str, Any]:
    """Settings of ``logging`` for one of our five levels."""
    ours = PYTHON_LEVEL[level]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": "%(created)f %(levelname)s %(name)s %(message)s",
            }
        },
        "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["lines"], "level": "WARNING"},
        "loggers": {name: {"level": ours, "propagate": True} for name in ("convexfx", "uvicorn")},
    }


def serve(app: FastAPI, listener: socket.socket, level: str) -> int:
    """Serve until SIGINT or SIGTERM; the exit status.

    Logs are configured here, behind what Prefect did to them when it was imported. The first line
    names the address.
    """
    configure_logs(level)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=level in REQUEST_LEVELS,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="on",
    )
    # uvicorn raises the signal once more when it has ended; by then it means nothing.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    host, port = listener.getsockname()[:2]
    log.info("listening on http://%s:%d", host, port)
    Server(config, app.state.services).run(sockets=[listener])
    log.info("stopped")
    return 0
