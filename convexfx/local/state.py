"""The stack's state file: who runs what, so that another process can watch the stack or end it.

The supervisor writes ``stack.json`` at every change and holds ``stack.lock`` while it lives.
``convexfx down``, ``convexfx up --detach`` and the next start read the file: the next start also to
end what a supervisor that was killed left running.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from convexfx.local.processes import identity
from convexfx_core.errors import ConfigurationCode, ConfigurationError

VERSION: Final = 1


@dataclass(slots=True)
class Running:
    """A started service: its process, its log and what it is doing (starting, ready, ended)."""

    name: str
    pid: int
    log: str
    status: str = "starting"
    url: str = ""


@dataclass(slots=True)
class StackState:
    """What the state file says.

    Attributes
    ----------
    marker : name that every process of the stack carries.
    pid, identity : the supervisor.
    status : starting, ready, stopping, stopped or failed.
    doing : what is being started, for people.
    error : one line, when failed.
    """

    marker: str
    pid: int
    identity: str
    status: str = "starting"
    doing: str = ""
    error: str = ""
    services: list[Running] = field(default_factory=list)
    version: int = VERSION

    def alive(self) -> bool:
        """Whether the supervisor that wrote it still lives."""
        return bool(self.identity) and identity(self.pid) == self.identity


class StateFile:
    """``stack.json`` and its lock in a state folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "stack.json"
        self._lock = folder / "stack.lock"

    def read(self) -> StackState | None:
        """The state, or ``None`` where no stack ever ran or the file is of another version."""
        try:
            value = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(value, dict) or value.get("version") != VERSION:
            return None
        try:
            services = [Running(**running) for running in value.pop("services")]
            return StackState(services=services, **value)
        except (KeyError, TypeError):
            return None

    def write(self, state: StackState) -> None:
        """Replace the file as a whole, so that no reader sees half of it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        fresh.write_text(json.dumps(asdict(state), indent=1) + "\n", encoding="utf-8")
        fresh.replace(self.path)

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the folder for one supervisor; the lock ends with the process, however it ends.

        Raises
        ------
        ConfigurationError
            ``SETTING``: another supervisor holds it.
        """
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise self._taken() from None
            yield

    def require_ended(self) -> None:
        """Refuse a folder in which a stack runs, before anything in it is touched.

        Raises
        ------
        ConfigurationError
            ``SETTING``: a supervisor lives there.
        """
        state = self.read()
        if state is not None and state.alive():
            raise self._taken()

    def _taken(self) -> ConfigurationError:
        state = self.read()
        holder = f"process {state.pid}" if state else "another process"
        expected = "no running stack there (convexfx down stops it)"
        return ConfigurationError(
            ConfigurationCode.SETTING, str(self.path.parent), expected, holder
        )
