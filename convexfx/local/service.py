"""What a local stack is made of: services, steps between them, and when a service is ready.

These are declarations only. ``exchange`` writes them down, and the supervisor acts on them: it
starts the parts in order and goes on when each is ready.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

PROBE_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a service listens on, and the option that changes it."""

    number: int
    option: str


@dataclass(frozen=True, slots=True)
class Service:
    """A process of the stack.

    Attributes
    ----------
    name : lower case, unique in the stack; its log is ``<name>.jsonl`` unless ``log`` is set.
    argv : command line.
    env : variables on top of the supervisor's own; an empty value removes one.
    ready : URL that answers below 400 when the service is ready, or a probe; ``None``: at once.
    ports : what it listens on; each is checked to be free before anything starts.
    log : name of its log file.
    cwd : working directory; the supervisor's own if absent.
    ready_s_max : seconds until it must be ready.
    grace_s : seconds between SIGTERM and SIGKILL.
    restarts_max : how often it is started again after an unexpected end.
    url : what people are shown for it.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: str | Callable[[], bool] | None = None
    ports: tuple[Port, ...] = ()
    log: str = ""
    cwd: Path | None = None
    ready_s_max: float = 90.0
    grace_s: float = 8.0
    restarts_max: int = 0
    url: str = ""

    def is_ready(self) -> bool:
        """Ask the service once whether it is ready."""
        if self.ready is None:
            return True
        if isinstance(self.ready, str):
            return answers(self.ready)
        return self.ready()

    def log_name(self) -> str:
        """Name of the log file."""
        return self.log or f"{self.name}.jsonl"


@dataclass(frozen=True, slots=True)
class Step:
    """Work between two services, done in the supervisor's own process (a deployment, a mint)."""

    name: str
    run: Callable[[], object]


Part = Service | Step | tuple[Service, ...]
"""One place in the order of a stack; the services of a tuple start, and stop, side by side."""


def answers(url: str) -> bool:
    """Whether an HTTP GET is answered with a status below 400."""
    try:
        return httpx.get(url, timeout=PROBE_TIMEOUT_S, trust_env=False).status_code < 400
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def services_of(parts: tuple[Part, ...]) -> list[Service]:
    """Every service of a stack in its order."""
    found: list[Service] = []
    for part in parts:
        if isinstance(part, Service):
            found.append(part)
        elif isinstance(part, tuple):
            found.extend(part)
    return found
