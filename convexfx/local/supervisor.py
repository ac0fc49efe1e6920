"""Starts the parts of a stack in order, watches them, and stops them so that nothing is left.

``exchange`` says what the parts are; this module gives them their life. A service that ends is
started again as often as its declaration allows; then the stack ends with an error. Whatever
happens, the stop is the same: last started first, then every process that carries the marker.
"""

import atexit
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from convexfx.local.child import Child
from convexfx.local.interrupts import Interrupts
from convexfx.local.logs import LineLog
from convexfx.local.ports import require_free
from convexfx.local.processes import identity, sweep
from convexfx.local.progress import Progress, SilentProgress
from convexfx.local.service import Part, Service, Step, services_of
from convexfx.local.state import Running, StackState, StateFile
from convexfx_core.errors import ConvexFxError, PeerUnreachable

POLL_S: Final = 0.1
HURRIED_GRACE_S: Final = 0.2


class Stack:
    """A local stack as a context: it starts on entry and stops on exit, whatever happens between.

    Parameters
    ----------
    parts : services, steps and tuples of services, in the order of their start.
    folder : state folder; holds ``stack.json`` and ``logs/``.
    level : least urgent level that logs keep (error, warn, info, debug, trace).
    env : environment of every service below its own; this process's own if absent.
    progress : hears of every step.

    Ctrl-C, SIGTERM and SIGHUP raise ``KeyboardInterrupt`` inside the context; a second one during
    the stop makes it quick.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        folder: Path,
        *,
        level: str = "info",
        env: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.parts = tuple(parts)
        self.folder = folder
        self.logs = folder / "logs"
        self.children: dict[str, Child] = {}
        self._level = level
        self._env = dict(os.environ if env is None else env)
        self._progress = progress or SilentProgress()
        self._file = StateFile(folder)
        self._interrupts = Interrupts()
        self._held = ExitStack()
        self._stopped = False
        self._failure = ""
        self._log: LineLog | None = None
        self.state = StackState(uuid.uuid4().hex, os.getpid(), identity(os.getpid()))

    def __enter__(self) -> Self:
        """Start everything.

        Raises
        ------
        ConfigurationError
            Another stack holds the folder (``SETTING``) or a port is taken (``PORT_TAKEN``).
        PeerUnreachable
            A service ended or did not get ready.
        """
        self._held.enter_context(self._file.owned())
        atexit.register(self.stop)
        self._interrupts.install()
        try:
            self._sweep_earlier()
            require_free(services_of(self.parts))
            self._log = LineLog(self.logs / "supervisor.jsonl", "supervisor", self._level)
            for part in self.parts:
                self._start(part)
            self._show("ready")
        except BaseException as error:
            self._fail(error)
            self.stop()
            raise
        self._progress.end()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop everything."""
        self._interrupts.shield()
        if error is not None:
            self._fail(error)
        self.stop()

    def check(self) -> None:
        """Look after the services once: start those again that may be, report the others.

        Raises
        ------
        PeerUnreachable
            A service ended for good.
        """
        for child in self.children.values():
            if child.ended() is None:
                continue
            if child.restarts >= child.service.restarts_max:
                self._mark(child, "ended")
                child.check_ready()
            child.restarts += 1
            self._event("warn", f"{child.service.name} ended; started again", n=child.restarts)
            child.start(self.state.marker, self._env)
            self._mark(child, "ready")

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Look after the services until the condition holds; see :meth:`check`."""
        while not until():
            self.check()
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop everything, last started first; may be called again.

        Raises
        ------
        PeerUnreachable
            A process survived even SIGKILL.
        """
        if self._stopped:
            return
        self._stopped = True
        self._interrupts.shield()
        atexit.unregister(self.stop)
        started = time.monotonic()
        self._show("stopping")
        try:
            for part in reversed(self.parts):
                self._stop_part(part)
            left = sweep(self.state.marker, self._pids())
        finally:
            for child in self.children.values():
                child.close()
        self._finish(left, time.monotonic() - started)

    def _start(self, part: Part) -> None:
        if isinstance(part, Step):
            begun = time.monotonic()
            self._doing(part.name)
            part.run()
            self._progress.done(part.name, time.monotonic() - begun)
            return
        group = part if isinstance(part, tuple) else (part,)
        self._doing(", ".join(service.name for service in group))
        waiting = [self._spawn(service) for service in group]
        while waiting:
            for child in [child for child in waiting if child.check_ready()]:
                waiting.remove(child)
                self._mark(child, "ready")
                self._event("info", f"{child.service.name} ready", seconds=child.seconds())
                self._progress.done(child.service.name, child.seconds(), child.service.url)
            self.check()
            time.sleep(POLL_S)

    def _spawn(self, service: Service) -> Child:
        child = Child(service, self.logs, self._level)
        self.children[service.name] = child
        child.start(self.state.marker, self._env)
        self.state.services.append(
            Running(service.name, child.pid, str(child.log.path), url=service.url)
        )
        self._file.write(self.state)
        return child

    def _stop_part(self, part: Part) -> None:
        group = services_of((part,))
        children = [self.children[s.name] for s in group if s.name in self.children]
        begun = time.monotonic()
        for child in children:
            self._progress.begin(f"stopping {child.service.name}")
            child.ask_to_stop()
        for child in children:
            deadline = begun + child.service.grace_s
            while child.running() and time.monotonic() < deadline:
                if self._interrupts.hurry:
                    deadline = min(deadline, time.monotonic() + HURRIED_GRACE_S)
                time.sleep(POLL_S / 2)
            in_time = child.wait_stopped(0)
            self._mark(child, "ended")
            self._event("info" if in_time else "warn", f"{child.service.name} stopped")

    def _finish(self, left: set[int], seconds: float) -> None:
        self.state.error = self._failure
        self._show("failed" if self._failure else "stopped")
        self._event("info", "stack stopped", seconds=round(seconds, 2))
        if self._log is not None:
            self._log.close()
        self._progress.end()
        self._interrupts.restore()
        self._held.close()
        if left:
            raise PeerUnreachable("stack", "every process to end", f"still there: {sorted(left)}")

    def _sweep_earlier(self) -> None:
        """End what a supervisor that was killed left behind."""
        earlier = self._file.read()
        if earlier is not None and earlier.status not in ("stopped", "failed"):
            sweep(earlier.marker, [running.pid for running in earlier.services])

    def _pids(self) -> list[int]:
        return [child.pid for child in self.children.values() if child.pid]

    def _mark(self, child: Child, status: str) -> None:
        for running in self.state.services:
            if running.name == child.service.name:
                running.status, running.pid = status, child.pid
        self._file.write(self.state)

    def _doing(self, what: str) -> None:
        self.state.doing = what
        self._progress.begin(f"starting {what}")
        self._file.write(self.state)

    def _show(self, status: str) -> None:
        self.state.status, self.state.doing = status, ""
        self._file.write(self.state)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            return
        line = (
            error.line() if isinstance(error, ConvexFxError) else f"{type(error).__name__}: {error}"
        )
        self._failure = line
        self._event("error", line)

    def _event(self, level: str, message: str, **fields: object) -> None:
        if self._log is not None:
            self._log.event(level, message, **fields)
