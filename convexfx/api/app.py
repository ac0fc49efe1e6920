"""The HTTP API as one FastAPI app: routes, errors, and the thread that follows the chain.

:func:`create_app` builds the parts on a context; the app's lifespan starts and stops the follower.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from convexfx.api.answers.shapes import ProblemAnswer
from convexfx.api.chain_index.follower import GRACE_S, POLL_S
from convexfx.api.problem import install_problems
from convexfx.api.routes.epochs import epoch_routes
from convexfx.api.routes.events import event_routes
from convexfx.api.routes.orders import order_routes
from convexfx.api.routes.system import system_routes
from convexfx.api.routes.vaults import vault_routes
from convexfx.api.services import Services, build_services
from tasks.context import Context

VERSION: Final = "1"
ABOUT: Final = (
    "A batch FX exchange: orders of an epoch clear at one set of prices and settle on delta. "
    "Amounts are decimal strings in units of their asset, `*_base_units` the same as whole numbers."
    " Every error is a problem (`application/problem+json`) with a code from `/problems`."
)


class Api(FastAPI):
    """The app; its OpenAPI document says what the routes answer, errors included."""

    def openapi(self) -> dict[str, Any]:
        """The document of ``/openapi.json``, which is committed as ``docs/openapi.json``.

        The first line of a route's docstring is its summary. FastAPI's own shape of a wrong
        parameter is taken out: this API answers a problem instead.
        """
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schemas["ProblemAnswer"] = ProblemAnswer.model_json_schema()
            for operation in (one for path in document["paths"].values() for one in path.values()):
                operation["summary"] = operation["description"].split("\n")[0].rstrip(".")
                if "HTTPValidationError" in repr(operation["responses"].get("422")):
                    del operation["responses"]["422"]
        return self.openapi_schema or {}


def create_app(
    context: Context,
    *,
    journal: Path | None = None,
    poll_s: float = POLL_S,
    grace_s: float = GRACE_S,
) -> FastAPI:
    """The app on a context; it follows the chain while its lifespan lasts.

    Parameters
    ----------
    context : ports and domain.
    journal : file that keeps queued orders across a restart; None: they are forgotten.
    poll_s : pause between two looks at the chain.
    grace_s : how long receipts may be missing behind an outcome before they are derived.

    The parts stand in ``app.state.services`` (:class:`convexfx.api.services.Services`).
    """
    services = build_services(context, journal=journal, poll_s=poll_s, grace_s=grace_s)
    return app_of(services)


def app_of(services: Services) -> FastAPI:
    """The app of given parts."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with services.following():
            yield

    app = Api(
        title="ConvexFX Delta Executor",
        description=ABOUT,
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    install_problems(app)
    for routes in (system_routes, vault_routes, order_routes, epoch_routes, event_routes):
        app.include_router(routes(services))
    return app
