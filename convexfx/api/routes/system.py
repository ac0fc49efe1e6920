"""Routes about the service itself: health, readiness, metrics, schemas, codes, front page."""

from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from convexfx.api.answers.shapes import CodesAnswer, ReadyAnswer
from convexfx.api.chain_index.metrics import CONTENT_TYPE
from convexfx.api.chain_index.order_state import STATES
from convexfx.api.problem import MEANINGS, Problem, ProblemCode, documented
from convexfx.api.services import Services
from convexfx_core.errors import ParkCode, RejectCode
from convexfx_core.wire.schema import SCHEMA_NAMES, schema_bytes

SCHEMA_TYPE: Final = "application/schema+json"
_SCHEMAS: Final = {SCHEMA_TYPE: {"schema": {"type": "object"}}}


@cache
def front_page() -> str:
    """The page at ``/``."""
    return files("convexfx.api").joinpath("front.html").read_text(encoding="utf-8")


@cache
def schema(name: str) -> bytes:
    """JSON Schema of a wire format, by name with or without ``.json``.

    Raises
    ------
    Problem
        NOT_FOUND naming the schemas that there are.
    """
    plain = name.removesuffix(".json")
    if plain not in SCHEMA_NAMES:
        raise Problem(ProblemCode.NOT_FOUND, f"schemas: {', '.join(SCHEMA_NAMES)}")
    return schema_bytes(plain)


def system_routes(services: Services) -> APIRouter:
    """Everything that is not about orders, vaults or epochs."""
    routes = APIRouter(tags=["system"], responses=documented())

    @routes.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def front() -> str:
        return front_page()

    @routes.get("/api/health", response_class=PlainTextResponse)
    async def health() -> str:
        """Whether the process answers at all."""
        return "OK"

    @routes.get(
        "/api/ready", responses={503: {"model": ReadyAnswer, "description": "Something is missing"}}
    )
    def ready(response: Response) -> ReadyAnswer:
        """Per dependency what is missing; 503 when anything is."""
        found = services.readiness.look()
        response.status_code = 200 if found.ready else 503
        return found

    @routes.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> Response:
        """Prometheus metrics."""
        return Response(services.metrics.text(), media_type=CONTENT_TYPE)

    @routes.get("/schemas", include_in_schema=False)
    @routes.get("/schemas/", include_in_schema=False)
    async def listed() -> dict[str, list[str]]:
        return {"schemas": [f"/schemas/{name}.json" for name in SCHEMA_NAMES]}

    @routes.get(
        "/schemas/{name}",
        response_class=Response,
        responses={
            200: {"description": "A JSON Schema", "content": _SCHEMAS},
            **documented(ProblemCode.NOT_FOUND),
        },
    )
    async def schemas(name: str) -> Response:
        """JSON Schema of verifiable, swap or inbox-message."""
        return Response(schema(name), media_type=SCHEMA_TYPE)

    @routes.get("/problems")
    async def problems() -> CodesAnswer:
        """The closed lists: codes of problems, of rejected and parked orders, states."""
        return CodesAnswer(
            problems={str(code): text for code, text in MEANINGS.items()},
            rejects=[str(code) for code in RejectCode],
            parks=[str(code) for code in ParkCode],
            states=[str(state) for state in STATES],
        )

    return routes
