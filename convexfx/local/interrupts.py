"""Turns Ctrl-C, SIGTERM and a closed terminal into one thing: an orderly stop of the stack.

The supervisor installs this for as long as a stack runs. Without it, SIGTERM and SIGHUP would end
the supervisor at once and leave its services running.
"""

import signal
import threading
from types import FrameType
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """While installed, the first of these signals raises ``KeyboardInterrupt`` in the main thread.

    While shielded (the stack is stopping) signals are only counted: ``hurry`` tells that somebody
    does not want to wait any longer.
    """

    def __init__(self) -> None:
        self.hurry = False
        self._shielded = False
        self._before: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Take over the signals; in another thread than the main one nothing changes.

        An ignored SIGHUP stays ignored: that is what ``nohup`` asks for.
        """
        if threading.current_thread() is not threading.main_thread() or self._before:
            return
        for number in SIGNALS:
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._before[number] = signal.signal(number, self._handle)

    def restore(self) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def shield(self) -> None:
        """From now on signals interrupt nothing."""
        self._shielded = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._shielded:
            self.hurry = True
            return
        self._shielded = True
        raise KeyboardInterrupt(signal.Signals(number).name)
