"""What people see while a stack starts and stops: a spinner and a line for each finished part.

The supervisor reports each step to a :class:`Progress`, so that it need not know whether a person
watches, a log file does, or nobody.
"""

from typing import Protocol

from rich.console import Console
from rich.status import Status


class Progress(Protocol):
    """Hears of every step of a stack."""

    def begin(self, doing: str) -> None:
        """A step begins; ``doing`` names it."""
        ...

    def done(self, what: str, seconds: float, note: str = "") -> None:
        """A step is done and took so many seconds."""
        ...

    def end(self) -> None:
        """No step follows for now."""
        ...


class SilentProgress:
    """Shows nothing."""

    def begin(self, doing: str) -> None:
        """Do nothing."""

    def done(self, what: str, seconds: float, note: str = "") -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


class PatientConsole(Console):
    """A console that falls silent when its reader goes away; rich would end the process."""

    def on_broken_pipe(self) -> None:
        """Print nothing more."""
        self.quiet = True


class ConsoleProgress:
    """A spinner for what is under way and a line for what is done; lines only on a plain stream.

    Parameters
    ----------
    console : where it is shown; by default standard error, so that standard output is for results.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or PatientConsole(stderr=True, highlight=False)
        self._status: Status | None = None

    def begin(self, doing: str) -> None:
        """Show a spinner with the text ``doing``."""
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status(doing)
            self._status.start()
        else:
            self._status.update(doing)

    def done(self, what: str, seconds: float, note: str = "") -> None:
        """Print a line for the finished step."""
        line = f"[green]ok[/green] {what:<24} {seconds:5.1f} s  {note}"
        self._console.print(line.rstrip(), soft_wrap=True)

    def end(self) -> None:
        """Remove the spinner."""
        if self._status is not None:
            self._status.stop()
            self._status = None
