"""``GET /events``: the chain of epochs as server-sent events.

The event of an epoch's seal has id 2n - 1, that of its outcome 2n. Ids follow from the chain alone,
so that a client goes on behind the last one it saw, whatever process serves it.
"""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse

from convexfx.api.answers.epoch_view import epoch_answer
from convexfx.api.chain_index.index import Index
from convexfx.api.problem import Problem, ProblemCode, documented
from convexfx.api.routes.orders import require_read
from convexfx.api.services import Services

EVENT_STREAM: Final = "text/event-stream"
KEEP_ALIVE_S: Final = 15.0
RECONNECT_MS: Final = 2_000
PAGE: Final = 200
"""Events that are read from the index at a time."""
_ID: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Event(NamedTuple):
    """One event: ``name`` is sealed, settled or aborted, ``data`` is JSON on one line."""

    id: int
    name: str
    data: str

    def text(self) -> str:
        """The event as it goes over the wire."""
        return f"id: {self.id}\nevent: {self.name}\ndata: {self.data}\n\n"


def latest(index: Index) -> int:
    """Id of the last event that there is, 0 before the first."""
    head, sealed = index.head, index.sealed_epoch
    return 2 * head if sealed is None else max(2 * head, 2 * sealed - 1)


def events_after(index: Index, last: int, limit: int = PAGE) -> list[Event]:
    """Events behind the one with id ``last``, at most ``limit``."""
    found = []
    for number in range(last + 1, min(last + limit, latest(index)) + 1):
        epoch, is_outcome = (number + 1) // 2, number % 2 == 0
        if not is_outcome:
            found.append(Event(number, "sealed", f'{{"epoch":{epoch},"status":"sealed"}}'))
        elif (facts := index.epoch(epoch)) is not None:
            answer = epoch_answer(facts)
            found.append(Event(number, answer.status, answer.model_dump_json()))
    return found


def first_wanted(index: Index, last_event_id: str | None) -> int:
    """Id behind which a stream begins.

    Without one it begins with the last outcome. One that the chain has not given yet belongs to
    another chain, so everything is told.

    Raises
    ------
    Problem
        PARAMETER for anything but a whole number.
    """
    if last_event_id is None:
        return max(2 * index.head - 1, 0)
    if not _ID.fullmatch(last_event_id):
        expected = f"Last-Event-ID: expected the id of an event, found {last_event_id[:40]}"
        raise Problem(ProblemCode.PARAMETER, expected)
    return int(last_event_id) if int(last_event_id) <= latest(index) else 0


async def stream(services: Services, last: int) -> AsyncIterator[str]:
    """Everything behind ``last``, then what happens, until the server or the client ends it."""
    yield f"retry: {RECONNECT_MS}\n\n"
    while True:
        changed = services.change_signal.next_change()
        found = events_after(services.index, last)
        for event in found:
            last = event.id
            yield event.text()
        if services.change_signal.closed:
            return
        if not found:
            await services.change_signal.wait(changed, KEEP_ALIVE_S)
            if not changed.is_set():
                yield ": nothing new\n\n"


def event_routes(services: Services) -> APIRouter:
    """``GET /events``."""
    routes = APIRouter(tags=["epochs"])

    @routes.get(
        "/events",
        response_class=Response,
        responses={
            200: {
                "description": "Server-sent events",
                "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
            },
            **documented(ProblemCode.PARAMETER, ProblemCode.NOT_READY),
        },
    )
    async def events(
        last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
    ) -> StreamingResponse:
        """Epochs as they are sealed, settled or aborted; resumed behind ``Last-Event-ID``."""
        require_read(services)
        begin = first_wanted(services.index, last_event_id)
        body = stream(services, begin)
        return StreamingResponse(body, media_type=EVENT_STREAM, headers=_HEADERS)

    return routes
