"""Tells progress without a part in the work: whoever listens can neither end nor delay it.

The program that works writes its events to a pipe. If nobody read that pipe because a listener had
failed or hung, it would fill, and the program would block in the middle of its work. So the reader
of the pipe only leaves the newest event here, and a thread of its own tells it. What the listener
raises is logged once; events that come while it is busy are replaced by later ones.
"""

import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tasks.ports import Json

OnEvent = Callable[[Json], None]
LAST_EVENT_S: Final = 1.0
"""How long the end of the work waits for the newest event to be told."""
logger = logging.getLogger(__name__)


@contextmanager
def telling(listener: OnEvent) -> Iterator[OnEvent]:
    """A function that takes events, never waits and never raises.

    Parameters
    ----------
    listener : gets the newest event, in a thread that has the caller's context variables.
    """
    newest: list[Json] = []
    over = threading.Event()
    there = threading.Condition()

    def take(event: Json) -> None:
        with there:
            newest[:] = [event]
            there.notify()

    def tell() -> None:
        warned = False
        while True:
            with there:
                there.wait_for(lambda: newest or over.is_set())
                if not newest:
                    return
                event = newest.pop()
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
