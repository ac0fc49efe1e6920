"""Faults that a test injects into either program: lost answers, lost or doubled requests.

They sit between the network and the routes, so neither side's rules know of them.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from devnet.request_body import FAULT_BYTES_MAX, read_body

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class FaultKind(StrEnum):
    """What goes wrong with a request."""

    LOST_ANSWER = "lost_answer"
    LOST_REQUEST = "lost_request"
    DUPLICATE = "duplicate"
    DUPLICATE_SECOND = "duplicate_second"
    ERROR = "error"
    DELAY = "delay"


@dataclass(slots=True)
class Fault:
    """A fault waiting for its request.

    Attributes
    ----------
    request : ``"<METHOD> <path pattern>"``, e.g. ``"POST /sdls/*/prove"``.
    fault : ``lost_answer`` closes the connection after the request took effect,
        ``lost_request`` before; ``duplicate`` lets the request take effect twice and answers
        with the first answer, ``duplicate_second`` with the second; ``error`` answers 503 and
        does nothing; ``delay`` waits ``delay_s`` first.
    times : how many requests it hits.
    delay_s : seconds.
    """

    request: str
    fault: FaultKind
    times: int = 1
    delay_s: float = 0.0


def parse_fault(text: str) -> Fault:
    """Fault of a command line option ``KIND:METHOD PATH``, e.g. ``lost_answer:POST /sdls/submit``.

    Raises
    ------
    ValueError
        When the text has another shape or names no known kind.
    """
    kind, colon, request = text.partition(":")
    if not colon or " /" not in request:
        raise ValueError(f'fault: expected "<kind>:<METHOD> <path>", found {text!r}')
    return Fault(request, FaultKind(kind))


class FaultLayer:
    """ASGI layer that applies the faults of ``faults`` to the requests of ``app``."""

    def __init__(self, app: AsgiApp, faults: list[Fault]) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One connection of the server."""
        fault = self._take(scope) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.fault is FaultKind.DELAY:
            await asyncio.sleep(fault.delay_s)
            await self._app(scope, receive, send)
        elif fault.fault is FaultKind.ERROR:
            await JSONResponse({"error": "UNAVAILABLE: injected"}, 503)(scope, receive, send)
        elif fault.fault in (FaultKind.LOST_ANSWER, FaultKind.LOST_REQUEST):
            if fault.fault is FaultKind.LOST_ANSWER:
                await self._app(scope, receive, _forget)
            await send(dict(_UNFINISHED))
        else:
            await self._twice(scope, receive, send, fault.fault)

    async def _twice(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, kind: FaultKind
    ) -> None:
        body = await _read(receive)
        first = kind is FaultKind.DUPLICATE
        await self._app(dict(scope), _replay(body), send if first else _forget)
        await self._app(dict(scope), _replay(body), _forget if first else send)

    def _take(self, scope: MutableMapping[str, Any]) -> Fault | None:
        request = f"{scope['method']} {scope['path']}"
        for fault in self._faults:
            if fnmatchcase(request, fault.request):
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault
        return None


_UNFINISHED: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-length", b"1")],
}
"""A head without its body: the server then closes the connection."""


async def _forget(message: Message) -> None:
    del message


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _replay(body: bytes) -> Receive:
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def fault_routes(faults: list[Fault]) -> APIRouter:
    """Routes ``/admin/faults`` that list, add and clear faults."""
    routes = APIRouter()

    @routes.get("/admin/faults")
    async def listed() -> JSONResponse:
        return JSONResponse([asdict(fault) for fault in faults])

    @routes.post("/admin/faults")
    async def added(request: Request) -> JSONResponse:
        try:
            fields = json.loads(await read_body(request, FAULT_BYTES_MAX) or b"")
            fault = Fault(**(fields | {"fault": FaultKind(fields["fault"])}))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return JSONResponse({"error": f"SCHEMA: fault: {error}"}, 400)
        faults.append(fault)
        return JSONResponse([asdict(fault) for fault in faults])

    @routes.delete("/admin/faults")
    async def cleared() -> JSONResponse:
        faults.clear()
        return JSONResponse([])

    return routes
