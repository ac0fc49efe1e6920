"""Wakes coroutines that wait for the index to change."""

import asyncio
from contextlib import suppress


class Pulse:
    """A change that any thread may announce and any coroutine may wait for.

    ``attach`` binds it to the running loop; before that announcements are kept as nothing, because
    nobody can wait yet. After ``close`` nobody waits any longer.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self.closed = False

    def attach(self) -> None:
        """Use the running loop."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def announce(self) -> None:
        """Wake everybody who waits; callable from every thread."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Wake everybody for the last time."""
        self.closed = True
        self.announce()

    async def wait(self, seconds: float) -> None:
        """Wait for the next announcement, at most so many seconds."""
        if self.closed or seconds <= 0:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
