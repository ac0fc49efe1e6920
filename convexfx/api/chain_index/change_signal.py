"""Wakes coroutines that wait for the index to change.

The index changes in a thread (the follower), long polls and event streams wait in the event loop.
A waiter takes the next change first and looks at the index then: a change between the two is not
missed.
"""

import asyncio
from contextlib import suppress


class ChangeSignal:
    """A change that any thread may announce and any coroutine may wait for.

    Announcements before ``attach`` are dropped: nobody can wait yet. After ``close`` nobody waits
    any longer.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next = asyncio.Event()
        self.closed = False

    def attach(self) -> None:
        """Use the running loop."""
        self._loop = asyncio.get_running_loop()

    def announce(self) -> None:
        """Wake everybody who waits; callable from every thread."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Wake everybody for the last time."""
        self.closed = True
        self.announce()

    def next_change(self) -> asyncio.Event:
        """Set at the next announcement; taken before looking, so that none is missed."""
        return self._next

    async def wait(self, change: asyncio.Event, seconds: float) -> None:
        """Wait for a change, at most so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(change.wait(), seconds)

    def _wake(self) -> None:
        self._next.set()
        self._next = asyncio.Event()
