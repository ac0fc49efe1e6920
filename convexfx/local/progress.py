"""What people see while a stack starts and stops."""

from typing import Protocol

from rich.console import Console
from rich.status import Status


class Progress(Protocol):
    """Told about every step of a stack."""

    def begin(self, doing: str) -> None:
        """Something begins."""
        ...

    def done(self, what: str, seconds: float, note: str = "") -> None:
        """It took so many seconds."""
        ...

    def end(self) -> None:
        """Nothing more comes for now."""
        ...


class SilentProgress:
    """Shows nothing."""

    def begin(self, doing: str) -> None:
        """Nothing."""

    def done(self, what: str, seconds: float, note: str = "") -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class PatientConsole(Console):
    """A console whose reader may go away; rich's own way is to end the process."""

    def on_broken_pipe(self) -> None:
        """Say nothing more."""
        self.quiet = True


class ConsoleProgress:
    """A spinner for what is under way and a line for what is done; lines only on a plain stream.

    Parameters
    ----------
    console : where to; standard error keeps standard output for results.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or PatientConsole(stderr=True, highlight=False)
        self._status: Status | None = None

    def begin(self, doing: str) -> None:
        """Spin with a text."""
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status(doing)
            self._status.start()
        else:
            self._status.update(doing)

    def done(self, what: str, seconds: float, note: str = "") -> None:
        """Print a line."""
        line = f"[green]ok[/green] {what:<24} {seconds:5.1f} s  {note}"
        self._console.print(line.rstrip(), soft_wrap=True)

    def end(self) -> None:
        """Stop spinning."""
        if self._status is not None:
            self._status.stop()
            self._status = None
