"""A started service: its process, its log, whether it is ready, and how it ends.

``Service`` declares what to run; a :class:`Child` is that service while it runs. The supervisor
holds one for each service: it starts it, asks whether it is ready, starts it again after an
unexpected end, and at last stops it.
"""

import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from convexfx.local.logs import LineLog
from convexfx.local.processes import send, spawn
from convexfx.local.service import Service
from convexfx_core.errors import PeerUnreachable

PUMP_WAIT_S: Final = 0.5
"""Wait for the end of the log; a grandchild may hold the pipe open for much longer."""


class Child:
    """One service while it runs.

    Parameters
    ----------
    service : what to run.
    logs : folder of its log.
    level : least urgent level that its log keeps.
    """

    def __init__(self, service: Service, logs: Path, level: str) -> None:
        self.service = service
        self.log = LineLog(logs / service.log_name(), service.name, level)
        self.restarts = 0
        self.started_s = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self._pump: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """Process id, 0 before the start."""
        return self.process.pid if self.process else 0

    def start(self, marker: str, env: Mapping[str, str]) -> None:
        """Start the process.

        Raises
        ------
        PeerUnreachable
            The program cannot be run.
        """
        self.started_s = time.monotonic()
        try:
            self.process = spawn(self.service, marker, env)
        except OSError as error:
            raise PeerUnreachable(
                self.service.name, f"a program {self.service.argv[0]}", error.strerror or str(error)
            ) from None
        if self.process.stdout is None:
            raise AssertionError("a child's output is always a pipe")
        self._pump = self.log.pump(self.process.stdout)
        self.log.event("debug", "started", pid=self.pid, argv=list(self.service.argv))

    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started_s

    def ended(self) -> int | None:
        """Exit code of the process, ``None`` while it lives."""
        return self.process.poll() if self.process else None

    def running(self) -> bool:
        """Whether the process was started and lives."""
        return self.process is not None and self.process.poll() is None

    def check_ready(self) -> bool:
        """Whether the service is ready now.

        Raises
        ------
        PeerUnreachable
            It ended, or did not get ready in time. The error shows the end of its log.
        """
        code = self.ended()
        if code is not None:
            raise self.failure("to stay up", f"{_exit_text(code)}; {self.last_words()}")
        if self.service.is_ready():
            return True
        if self.seconds() > self.service.ready_s_max:
            raise self.failure(
                f"to be ready within {self.service.ready_s_max:g} s", self.last_words()
            )
        return False

    def failure(self, expected: str, observed: str) -> PeerUnreachable:
        """Make the error that says what was expected and where the log is."""
        return PeerUnreachable(self.service.name, f"{expected} (log: {self.log.path})", observed)

    def last_words(self) -> str:
        """The last error, or the last line, of its log."""
        if self.ended() is not None and self._pump is not None:
            self._pump.join(PUMP_WAIT_S)
        return self.log.last_words() or "it wrote nothing"

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the process alone; it is left to end its own children."""
        if self.running():
            send([self.pid], signal.SIGTERM)

    def wait_stopped(self, seconds: float) -> bool:
        """Wait so many seconds for its end, then send SIGKILL; whether it ended by itself."""
        if not self.process:
            return True
        try:
            self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        return True

    def close(self) -> None:
        """Finish the log, when nothing of the service is left."""
        if self._pump is not None:
            self._pump.join(PUMP_WAIT_S)
        self.log.close()


def _exit_text(code: int) -> str:
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
