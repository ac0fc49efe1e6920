"""Tells progress without a part in the work: whoever listens can neither end nor delay it.

The program that works writes its events to a pipe. If nobody read that pipe because a listener had
failed or hung, it would fill, and the program would block in the middle of its work. So the reader
of the pipe only leaves its events here, and a thread of its own tells them. What the listener
raises is logged once; if it falls behind, the oldest of the events that wait are dropped.
"""

import contextvars
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tasks.ports import Json

OnEvent = Callable[[Json], None]
EVENTS_MAX: Final = 64
"""Events that wait for a slow listener."""
LAST_EVENT_S: Final = 1.0
"""How long the end of the work waits for the last events to be told."""
logger = logging.getLogger(__name__)


@contextmanager
def telling(listener: OnEvent) -> Iterator[OnEvent]:
    """A function that takes events, never waits and never raises.

    Parameters
    ----------
    listener : gets the events in order, in a thread that has the caller's context variables.
    """
    waiting: deque[Json] = deque(maxlen=EVENTS_MAX)
    over = threading.Event()
    there = threading.Condition()

    def take(event: Json) -> None:
        with there:
            waiting.append(event)
            there.notify()

    def tell() -> None:
        warned = False
        while True:
            with there:
                there.wait_for(lambda: waiting or over.is_set())
                if not waiting:
                    return
                event = waiting.popleft()
            try:
                listener(event)
            except Exception:
                if not warned:
                    logger.warning("progress could not be shown; the work goes on", exc_info=True)
                warned = True

    context = contextvars.copy_context()
    teller = threading.Thread(target=context.run, args=(tell,), daemon=True)
    teller.start()
    try:
        yield take
    finally:
        over.set()
        with there:
            there.notify()
        teller.join(LAST_EVENT_S)
