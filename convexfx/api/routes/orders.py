"""Routes of submissions and orders."""

import time
from asyncio import Semaphore
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from convexfx.api.answers.order_view import order_answer
from convexfx.api.answers.shapes import OrderAnswer, PreviewAnswer, SubmissionAnswer
from convexfx.api.chain_index.order_state import UNDECIDED, OrderFacts
from convexfx.api.preview.preview import PreviewOrder
from convexfx.api.problem import BODY_CODES, Problem, ProblemCode, documented
from convexfx.api.services import Services, hash_of
from convexfx.api.submission.items import BODY_BYTES_MAX, too_large
from convexfx.api.submission.submission_desk import Verdict
from convexfx_core.errors import ClearingRefused, ConfigurationError, RejectedOrder

WAIT_S_MAX: Final = 300.0
"""Longer waits count as this one."""
_SUBMISSIONS: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1000,
                    "items": {
                        "anyOf": [
                            {"$ref": "/schemas/swap.json"},
                            {"$ref": "/schemas/verifiable.json"},
                        ]
                    },
                }
            }
        },
    }
}
PREVIEW_EXAMPLE: Final = {
    "pay_asset": "USD", "receive_asset": "EUR", "budget": "1000", "limit_ratio": "1.2",
}  # fmt: skip
_PREVIEW: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": PreviewOrder.model_json_schema(),
                "example": PREVIEW_EXAMPLE,
            }
        },
    }
}
_CAN_ANSWER: Final = (*BODY_CODES, ProblemCode.NOT_READY, ProblemCode.PEER_UNREACHABLE)


async def read_body(request: Request) -> bytes:
    """The body of a request, read no further than its limit.

    Raises
    ------
    RejectedOrder
        MESSAGE_TOO_LARGE.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > BODY_BYTES_MAX:
        raise too_large(int(length))
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise too_large(size)
    return b"".join(parts)


def submission_answer(verdict: Verdict) -> SubmissionAnswer:
    """Answer about one item."""
    if isinstance(verdict, RejectedOrder):
        return SubmissionAnswer(status="rejected", code=verdict.code, detail=verdict.line())
    return SubmissionAnswer(status="queued", order_id=verdict.order_id.hex())


async def await_order(services: Services, order_id: bytes, wait_s: float) -> OrderFacts:
    """An order's facts when its epoch has its outcome, or after so many seconds as they are.

    Raises
    ------
    Problem
        ORDER_UNKNOWN or NOT_READY, also after the wait.
    """
    end = time.monotonic() + min(wait_s, WAIT_S_MAX)
    while True:
        changed = services.change_signal.next_change()
        found = await run_in_threadpool(services.index.find, order_id)
        left = end - time.monotonic()
        if found is not None and (found.state not in UNDECIDED or left <= 0):
            return found
        if left <= 0 or services.change_signal.closed:
            break
        await services.change_signal.wait(changed, left)
    if found is not None:
        return found
    raise services.absent(ProblemCode.ORDER_UNKNOWN, f"order {order_id.hex()} is not known")


def require_read(services: Services) -> None:
    """``Problem`` NOT_READY until the chain was read once."""
    if not services.index.caught_up:
        raise Problem(ProblemCode.NOT_READY, "the chain is still being read; try again")


def previewed(services: Services, body: bytes) -> PreviewAnswer:
    """Preview of an order; ``Problem`` where no epoch could be cleared now."""
    try:
        return services.previews.of(body)
    except ConfigurationError as error:
        raise Problem(ProblemCode.NOT_READY, error.line()) from None
    except ClearingRefused as error:
        raise Problem(ProblemCode.CLEARING_REFUSED, error.line()) from None


def order_routes(services: Services) -> APIRouter:
    """``POST /verifiables``, ``POST /preview`` and ``GET /orders/{order_id}``."""
    routes = APIRouter(tags=["orders"])
    solving = Semaphore(1)  # who waits for a preview takes no thread from other routes

    @routes.post(
        "/verifiables",
        response_model=list[SubmissionAnswer],
        response_model_exclude_none=True,
        openapi_extra=_SUBMISSIONS,
        responses=documented(*_CAN_ANSWER),
    )
    async def submit(request: Request) -> list[SubmissionAnswer]:
        """Queue Swaps and VERIFIABLEs; each item is judged for itself."""
        body = await read_body(request)
        require_read(services)
        verdicts = await run_in_threadpool(services.submission_desk.submit, body)
        return [submission_answer(verdict) for verdict in verdicts]

    @routes.post(
        "/preview",
        openapi_extra=_PREVIEW,
        responses=documented(*_CAN_ANSWER, ProblemCode.CLEARING_REFUSED),
    )
    async def preview(request: Request) -> PreviewAnswer:
        """What an order would get if the open batch were cleared with it now; nothing is queued."""
        body = await read_body(request)
        require_read(services)
        async with solving:
            return await run_in_threadpool(previewed, services, body)

    @routes.get(
        "/orders/{order_id}",
        responses=documented(
            ProblemCode.ORDER_ID,
            ProblemCode.PARAMETER,
            ProblemCode.ORDER_UNKNOWN,
            ProblemCode.NOT_READY,
            ProblemCode.PEER_UNREACHABLE,
        ),
    )
    async def order(
        order_id: str, wait_s: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0
    ) -> OrderAnswer:
        """State of an order; with ``wait_s`` as soon as its epoch has its outcome."""
        wanted = hash_of(order_id, ProblemCode.ORDER_ID, "order_id")
        facts = await await_order(services, wanted, wait_s)
        return order_answer(facts, services.ctx.domain.registry)

    return routes
