"""Start of a devnet program: options that both have, socket, logs, graceful end."""

import argparse
import gc
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Final

import uvicorn

from devnet.injected_faults import AsgiApp, parse_fault

HOST: Final = "127.0.0.1"
BACKLOG: Final = 2048
"""Connections that wait between the announcement and the first answer."""
GC_THRESHOLD: Final = 1_000_000
"""Reading 100 MB of JSON makes millions of objects and no garbage: at Python's own threshold the
collector takes six times as long as the parser."""
LEVELS: Final = ("error", "warn", "info", "debug", "trace")
_UVICORN_LEVEL: Final = {"warn": "WARNING", "trace": "DEBUG"}


def option_parser(program: str, port: int, purpose: str) -> argparse.ArgumentParser:
    """Parser with the options of both programs."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=purpose)
    parser.add_argument("--port", type=int, default=port, help="0 takes a free one")
    parser.add_argument("--network", default="convexfx-devnet", help="name of the network")
    parser.add_argument("--state-file", type=Path, help="JSON snapshot that a restart reads")
    parser.add_argument("--log-level", choices=LEVELS, default="info")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=parse_fault,
        metavar="KIND:METHOD PATH",
        help="fault to inject once, e.g. 'lost_answer:POST /sdls/submit'",
    )
    return parser


def serve(name: str, app: AsgiApp, port: int, log_level: str) -> int:
    """Serve ``app`` on 127.0.0.1 until SIGINT or SIGTERM; returns the exit status.

    The first line on standard output is ``devnet <name> listening on http://127.0.0.1:<port>``.
    """
    # With the protocol left at 0 asyncio would not set TCP_NODELAY: 40 ms an answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
    except OSError as error:
        print(f"devnet {name}: port {port} cannot be used: {error.strerror}", file=sys.stderr)
        return 2
    config = uvicorn.Config(
        app,
        log_config=_log_config(log_level),
        access_log=log_level in ("debug", "trace"),
        timeout_graceful_shutdown=10,
    )
    gc.set_threshold(GC_THRESHOLD, 20, 100)
    server = uvicorn.Server(config)

    def stop(*_: object) -> None:
        server.should_exit = True

    # Until uvicorn has its own handlers these keep a signal from being lost; it calls them again
    # at its end, which is why the exit status stays 0.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    port = listener.getsockname()[1]
    print(f"devnet {name} listening on http://{HOST}:{port}", flush=True)
    server.run(sockets=[listener])
    return 0


def _log_config(level: str) -> dict[str, Any]:
    logger = {"handlers": ["lines"], "level": _UVICORN_LEVEL.get(level, level.upper())}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
            }
        },
        "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {"uvicorn": logger, "devnet": logger},
    }
