"""Errors of the HTTP API: ``application/problem+json`` with a code from a closed list.

A program that gets an error must know what to do next, so every answer that is not a success has
the same shape (RFC 9457) and a code that a program can compare. Each code has one HTTP status,
written down here only; the OpenAPI document says for every route which codes it can answer.
"""

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
_SCHEMA: Final = {"$ref": "#/components/schemas/ProblemAnswer"}

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


_STATUS: Final[dict[str, int]] = {
    ProblemCode.NOT_FOUND: 404,
    ProblemCode.EPOCH_UNKNOWN: 404,
    ProblemCode.ORDER_UNKNOWN: 404,
    ProblemCode.OWNER_ID: 422,
    ProblemCode.ORDER_ID: 422,
    ProblemCode.PARAMETER: 422,
    ProblemCode.METHOD: 405,
    ProblemCode.PEER_UNREACHABLE: 503,
    ProblemCode.NOT_READY: 503,
    ProblemCode.CLEARING_REFUSED: 409,
    ProblemCode.INTERNAL: 500,
    RejectCode.MESSAGE_TOO_LARGE: 413,
}
BODY_CODES: Final = (
    RejectCode.MESSAGE_TOO_LARGE,
    RejectCode.NOT_JSON,
    RejectCode.SCHEMA,
    RejectCode.TOO_MANY_ITEMS,
)
"""Reject codes of a body that cannot be read at all."""


def status_of(code: str) -> int:
    """HTTP status of a code; 400 for the other reject codes and for BODY."""
    return _STATUS.get(code, 400)


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for the OpenAPI document, by status, with an example a code.

    INTERNAL is always among them: any route can have a defect.
    """
    answers: dict[int | str, dict[str, Any]] = {}
    for code in (*codes, ProblemCode.INTERNAL):
        answer = answers.setdefault(
            status_of(code), {"description": "", "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
        )
        answer["description"] = ", ".join(filter(None, (answer["description"], str(code))))
        examples = answer["content"][MEDIA_TYPE].setdefault("examples", {})
        examples[str(code)] = {"value": problem_body(status_of(code), code, _example(code))}
    return answers


def _example(code: str) -> str:
    if code in MEANINGS:
        return MEANINGS[ProblemCode(code)]
    return f"{code}: body: expected another body"


class Problem(Exception):
    """An answer that is an error.

    Parameters
    ----------
    code : of :class:`ProblemCode` or a reject code.
    detail : one line with the field and what was expected.
    """

    def __init__(self, code: str, detail: str) -> None:
        self.status = status_of(code)
        self.code = str(code)
        self.detail = detail
        super().__init__(detail)


def problem_body(status: int, code: str, detail: str) -> dict[str, Any]:
    """The fields of a problem."""
    return {
        "type": f"/problems#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": str(code),
        "detail": detail,
    }


def problem_response(status: int, code: str, detail: str) -> JSONResponse:
    """The answer of a problem."""
    return JSONResponse(problem_body(status, code, detail), status, media_type=MEDIA_TYPE)


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return problem_response(error.status, error.code, error.detail)


async def _core_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ConvexFxError)
    log.warning("%s", error.line())
    if isinstance(error, PeerUnreachable | GatewayError | CommitUnknown):
        return problem_response(503, ProblemCode.PEER_UNREACHABLE, error.line())
    if isinstance(error, RejectedOrder):
        return problem_response(status_of(error.code), error.code, error.line())
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
