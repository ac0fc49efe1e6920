"""Errors of the HTTP API: ``application/problem+json`` with a code from a closed list."""

from enum import StrEnum
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from convexfx_core.errors import (
    CommitUnknown,
    ConvexFxError,
    GatewayError,
    PeerUnreachable,
    RejectedOrder,
)

MEDIA_TYPE = "application/problem+json"


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
    INTERNAL = "INTERNAL"


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
        "type": f"/problems/{code.lower()}",
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
    if isinstance(error, PeerUnreachable | GatewayError | CommitUnknown):
        return problem_response(503, ProblemCode.PEER_UNREACHABLE, error.line())
    if isinstance(error, RejectedOrder):
        return problem_response(422, error.code, error.line())
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
