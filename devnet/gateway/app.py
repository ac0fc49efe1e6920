"""HTTP routes of the gateway: the nine operations of delta's API, and ours under ``/admin``.

The nine have delta's paths, names and errors, so that a client of delta's gateway works here. Ours
serve the demo and the tests. Routes translate only; the rules stand in ``state`` and ``execution``.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from devnet.gateway.codec import from_base58
from devnet.gateway.jobs import Jobs, ProverSettings
from devnet.gateway.refusal import Refused
from devnet.gateway.state import GatewayState
from devnet.gateway.vaults import vault_json
from devnet.injected_faults import Fault, fault_routes
from devnet.request_body import BODY_BYTES_MAX, read_body

_ARRAY_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "array", "items": {}}}},
    }
}
_PROVE_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    }
}

_ABSENT: Final = {"/vaults/{owner_id}": "Vault", "/sdls/{sdl_hash}": "SDL"}


def build_app(
    gateway: GatewayState, jobs: Jobs, prover: ProverSettings, faults: list[Fault]
) -> FastAPI:
    """The gateway's application; its lifespan starts and ends ``jobs``."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(jobs.start)
        yield
        await run_in_threadpool(jobs.close)

    app = FastAPI(title="devnet gateway", version="0.1.0", lifespan=lifespan)
    app.add_exception_handler(Refused, _refused)
    for routes in (
        _intents(gateway),
        _vaults(gateway),
        _sdls(gateway, jobs),
        _admin(gateway, prover),
    ):
        app.include_router(routes)
    app.include_router(fault_routes(faults))
    declare_errors(app)
    return app


def declare_errors(app: FastAPI) -> None:
    """Let the OpenAPI document declare the errors that delta's does, and no others."""
    for path, operations in app.openapi()["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            answers.pop("422", None)
            answers["500"] = {"description": "Internal error"}
            if (found := _ABSENT.get(path)) is not None:
                answers["404"] = {"description": f"{found} not found"}


async def _refused(_: Request, refusal: Exception) -> JSONResponse:
    return JSONResponse({"error": str(refusal)}, 500)


def _not_found(what: str) -> JSONResponse:
    return JSONResponse({"error": f"{what} not found"}, 404)


async def _body(request: Request) -> bytes:
    body = await read_body(request, BODY_BYTES_MAX)
    if body is None:
        raise Refused("SIZE", f"expected a body of at most {BODY_BYTES_MAX} bytes")
    return body


def _parsed(body: bytes) -> object:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("SCHEMA", "expected JSON") from None
    return value


def _applying(apply: Callable[[object], int]) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def route(request: Request) -> JSONResponse:
        body = await _body(request)
        count = await run_in_threadpool(lambda: apply(_parsed(body)))
        return JSONResponse({"applied": count})

    return route


def _intents(gateway: GatewayState) -> APIRouter:
    routes = APIRouter(tags=["intents"])
    for path, name, apply in (
        ("/intents/execute", "intentsExecute", gateway.execute),
        ("/intents/submit", "intentsSubmit", gateway.submit),
    ):
        routes.add_api_route(
            path,
            _applying(apply),
            methods=["POST"],
            operation_id=name,
            openapi_extra=_ARRAY_BODY,
        )
    return routes


def _vaults(gateway: GatewayState) -> APIRouter:
    routes = APIRouter(tags=["vaults"])

    # Coroutines, because a seal reads a hundred thousand vaults and a thread for each read costs
    # more than the read; only a view that is out of date has to be waited for.
    async def fresh(owner_id: str) -> bytes:
        owner = from_base58(owner_id, 32, "owner_id")
        if gateway.stale:
            await run_in_threadpool(gateway.refresh)
        return owner

    @routes.get("/vaults/{owner_id}", operation_id="vaultsGet")
    async def vault(owner_id: str) -> JSONResponse:
        found = gateway.vault(await fresh(owner_id))
        if found is None:
            return _not_found("Vault")
        return JSONResponse(vault_json(found, gateway.operator.shard))

    @routes.get("/vaults/{owner_id}/nonce", operation_id="vaultsGetNonce")
    async def nonce(owner_id: str) -> JSONResponse:
        return JSONResponse(gateway.next_nonce(await fresh(owner_id)))

    return routes


def _sdls(gateway: GatewayState, jobs: Jobs) -> APIRouter:
    routes = APIRouter(tags=["sdls"])

    @routes.get("/sdls", operation_id="sdlsGetAll")
    def listed() -> JSONResponse:
        return JSONResponse([[name, sdl.state_json] for name, sdl in list(gateway.sdls.items())])

    @routes.post("/sdls/submit", operation_id="sdlsSubmit")
    def submitted() -> JSONResponse:
        return JSONResponse(gateway.submit_sdl())

    @routes.get("/sdls/{sdl_hash}", operation_id="sdlsGet")
    def state(sdl_hash: str) -> JSONResponse:
        found = gateway.sdl(sdl_hash)
        return _not_found("SDL") if found is None else JSONResponse(found.state_json)

    @routes.post("/sdls/{sdl_hash}/prove", operation_id="sdlsProve", openapi_extra=_PROVE_BODY)
    async def proving(sdl_hash: str, request: Request) -> JSONResponse:
        body = await _body(request)
        jobs.prove(await run_in_threadpool(gateway.start_proving, sdl_hash, body))
        return JSONResponse("Proving started")

    @routes.post("/sdls/{sdl_hash}/submit_proof", operation_id="sdlsSubmitProof")
    def submitting(sdl_hash: str) -> JSONResponse:
        jobs.submit(gateway.start_submitting(sdl_hash))
        return JSONResponse("Proof submitted")

    return routes


def _many_vaults(gateway: GatewayState, owners: object) -> list[object]:
    """(next nonce, vault or null) of each owner."""
    if not isinstance(owners, list):
        raise Refused("SCHEMA", "expected an array of owners")
    gateway.refresh()
    shard = gateway.operator.shard
    rows: list[object] = []
    for text in owners:
        owner = from_base58(text, 32, "owner_id")
        vault = gateway.vault(owner)
        shown = None if vault is None else vault_json(vault, shard)
        rows.append([gateway.next_nonce(owner), shown])
    return rows


def _admin(gateway: GatewayState, prover: ProverSettings) -> APIRouter:
    routes = APIRouter(tags=["admin"])

    @routes.post("/admin/vaults")
    async def vaults(request: Request) -> JSONResponse:
        owners = _parsed(await _body(request))
        return JSONResponse(await run_in_threadpool(_many_vaults, gateway, owners))

    @routes.get("/admin/domain")
    def described() -> JSONResponse:
        operator = gateway.operator
        pending = sum(len(batch.items) for batch in gateway.pending)
        return JSONResponse(
            {
                "network_id": operator.network.hex(),
                "shard": operator.shard,
                "operator_key": operator.pub_key.hex(),
                "pending": pending,
            }
        )

    @routes.get("/admin/sdls/{sdl_hash}")
    def reason(sdl_hash: str) -> JSONResponse:
        sdl = gateway.sdl(sdl_hash)
        if sdl is None:
            return _not_found("SDL")
        return JSONResponse({"sdl_hash": sdl.name, "state": sdl.state_json, "reason": sdl.reason})

    @routes.post("/admin/prover")
    async def configured(request: Request) -> JSONResponse:
        settings = _parsed(await _body(request))
        if not isinstance(settings, dict) or not settings.keys() <= {"delay_s", "failure"}:
            raise Refused("SCHEMA", "expected delay_s and failure")
        prover.delay_s = float(settings.get("delay_s", 0.0))
        prover.failure = str(settings.get("failure", ""))
        return JSONResponse(asdict(prover))

    @routes.post("/admin/sync")
    def synced() -> JSONResponse:
        gateway.mark_stale()
        gateway.refresh()
        return JSONResponse("synced")

    return routes
