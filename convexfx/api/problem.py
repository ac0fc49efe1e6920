"""Errors of the HTTP API: ``application/problem+json`` with a code from a closed list."""

import logging
from enum import StrEnum
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from convexfx_core.errors import (
    CommitUnknown,
    ConvexFxError,
    GatewayError,
    PeerUnreachable,
    RejectCode,
    RejectedOrder,
)

MEDIA_TYPE: Final = "application/problem+json"


log = logging.getLogger("convexfx.api")


class ProblemCode(StrEnum):
    """Codes of answers that are not about one order; an order's are the reject codes."""

    NOT_FOUND = "NOT_FOUND"
    EPOCH_UNKNOWN = "EPOCH_UNKNOWN"
    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    OWNER_ID = "OWNER_ID"
    ORDER_ID = "ORDER_ID"
    PARAMETER = "PARAMETER"
    METHOD = "METHOD"
    BODY = "BODY"
    PEER_UNREACHABLE = "PEER_UNREACHABLE"
    NOT_READY = "NOT_READY"
    CLEARING_REFUSED = "CLEARING_REFUSED"
    INTERNAL = "INTERNAL"


MEANINGS: Final = {
    ProblemCode.NOT_FOUND: "no such route or object",
    ProblemCode.EPOCH_UNKNOWN: "no epoch of that number is sealed",
    ProblemCode.ORDER_UNKNOWN: "no such order was queued here or sealed anywhere",
    ProblemCode.OWNER_ID: "not an owner",
    ProblemCode.ORDER_ID: "not an order id",
    ProblemCode.PARAMETER: "a parameter of the request is out of its range",
    ProblemCode.METHOD: "the route has other methods",
    ProblemCode.BODY: "the request as such cannot be read",
    ProblemCode.PEER_UNREACHABLE: "a service behind the API does not answer; try again",
    ProblemCode.NOT_READY: "the chain is still being read, or nothing can be sealed now; try again",
    ProblemCode.CLEARING_REFUSED: "the open orders have no acceptable clearing",
    ProblemCode.INTERNAL: "a defect of the API",
}
"""The closed list of problems, for people. Of a body that cannot be read at all the code is a
reject code: MESSAGE_TOO_LARGE, NOT_JSON, SCHEMA, TOO_MANY_ITEMS."""


class Problem(Exception):
    """An answer that is an error.

    Parameters
    ----------
    status : HTTP status.
    code : of :class:`ProblemCode` or a reject code.
    detail : one line with the field and what was expected.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status = status
        self.code = str(code)
        self.detail = detail
        super().__init__(detail)


def problem_response(status: int, code: str, detail: str) -> JSONResponse:
    """The answer of a problem."""
    body: dict[str, Any] = {
        "type": f"/problems#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
    }
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return problem_response(error.status, error.code, error.detail)


async def _core_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ConvexFxError)
    log.warning("%s", error.line())
    if isinstance(error, PeerUnreachable | GatewayError | CommitUnknown):
        return problem_response(503, ProblemCode.PEER_UNREACHABLE, error.line())
    if isinstance(error, RejectedOrder):
        status = 413 if error.code == RejectCode.MESSAGE_TOO_LARGE else 400
        return problem_response(status, error.code, error.line())
    return problem_response(500, ProblemCode.INTERNAL, error.line())


async def _validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return problem_response(422, ProblemCode.PARAMETER, f"{field}: {first['msg']}")


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = {404: ProblemCode.NOT_FOUND, 405: ProblemCode.METHOD}.get(
        error.status_code, ProblemCode.BODY
    )
    return problem_response(error.status_code, code, str(error.detail))


async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    return problem_response(500, ProblemCode.INTERNAL, type(error).__name__)


def install_problems(app: FastAPI) -> None:
    """Let every error of the app answer as a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(ConvexFxError, _core_error)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
