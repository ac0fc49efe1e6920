"""HTTP routes of the settlement layer (``docs/devnet.md``).

Routes translate only: the rules stand in ``chain``. The state is a Python object behind a lock, so
work on it leaves the event loop for a thread.
"""

import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from devnet.injected_faults import Fault, fault_routes
from devnet.request_body import BODY_BYTES_MAX, read_body
from devnet.settlement.chain import Chain
from devnet.settlement.codec import Address, address, integer, unb58
from devnet.settlement.invalid import Invalid
from devnet.settlement.ledger import Account
from devnet.settlement.local_laws import ShardRecord
from devnet.settlement.snapshot import state_json


def build_app(chain: Chain, epoch_seconds: float, faults: list[Fault]) -> FastAPI:
    """The application; epochs end by themselves every ``epoch_seconds``, 0 for never."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        ticking = threading.Thread(target=_tick, args=(chain, epoch_seconds, stop), daemon=True)
        if epoch_seconds:
            ticking.start()
        yield
        stop.set()
        if epoch_seconds:
            await run_in_threadpool(ticking.join)

    app = FastAPI(title="devnet settlement layer", version="0.1.0", lifespan=lifespan)
    app.add_exception_handler(Invalid, _invalid)
    for routes in (_epochs(chain, epoch_seconds), _agreements(chain), _sdls(chain)):
        app.include_router(routes)
    for routes in (_reads(chain), _admin(chain), fault_routes(faults)):
        app.include_router(routes)
    return app


def _tick(chain: Chain, seconds: float, stop: threading.Event) -> None:
    while not stop.wait(seconds):
        chain.advance()


async def _invalid(_: Request, problem: Exception) -> JSONResponse:
    if not isinstance(problem, Invalid):
        raise problem
    status = 400 if problem.code == "SCHEMA" else 409
    return JSONResponse({"code": problem.code, "message": problem.message}, status)


def _unknown(what: str) -> JSONResponse:
    return JSONResponse({"code": "NOT_FOUND", "message": f"{what} not found"}, 404)


async def _posted(request: Request, take: Callable[[object], dict[str, Any]]) -> JSONResponse:
    """Answer of ``take`` on the request's JSON, computed off the event loop."""
    raw = await read_body(request, BODY_BYTES_MAX)
    if raw is None:
        raise Invalid("SCHEMA", f"expected a body of at most {BODY_BYTES_MAX} bytes")

    def work() -> dict[str, Any]:
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            raise Invalid("SCHEMA", "expected JSON") from None
        return take(body)

    return JSONResponse(await run_in_threadpool(work))


def _epochs(chain: Chain, epoch_seconds: float) -> APIRouter:
    routes = APIRouter(tags=["epochs"])

    @routes.get("/health")
    def health() -> JSONResponse:
        return JSONResponse("OK")

    @routes.get("/epoch")
    def epoch() -> JSONResponse:
        return JSONResponse({"epoch": chain.epoch, "epoch_seconds": epoch_seconds})

    @routes.post("/epoch/advance")
    def advanced() -> JSONResponse:
        return JSONResponse({"epoch": chain.advance(), "epoch_seconds": epoch_seconds})

    return routes


def _agreements(chain: Chain) -> APIRouter:
    routes = APIRouter(tags=["agreements"])

    @routes.post("/agreements")
    async def registered(request: Request) -> JSONResponse:
        return await _posted(request, lambda body: chain.register(body).as_json())

    @routes.get("/agreements/{shard}")
    def agreement(shard: int) -> JSONResponse:
        found = chain.agreement(shard)
        return _unknown("agreement") if found is None else JSONResponse(found.as_json())

    return routes


def _sdls(chain: Chain) -> APIRouter:
    routes = APIRouter(tags=["sdls"])

    @routes.post("/sdls")
    async def submitted(request: Request) -> JSONResponse:
        return await _posted(request, lambda body: chain.submit_sdl(body).as_json())

    @routes.post("/proofs")
    async def proven(request: Request) -> JSONResponse:
        return await _posted(request, lambda body: chain.submit_proof(body).as_json())

    @routes.get("/sdls")
    def listed() -> JSONResponse:
        return JSONResponse([sdl.as_json() for sdl in list(chain.sdls.values())])

    @routes.get("/sdls/{sdl_hash}")
    def sdl(sdl_hash: str) -> JSONResponse:
        found = chain.sdls.get(sdl_hash)
        return _unknown("SDL") if found is None else JSONResponse(found.as_json())

    return routes


def _reads(chain: Chain) -> APIRouter:
    routes = APIRouter(tags=["state"])

    @routes.get("/state")
    def state() -> JSONResponse:
        return JSONResponse(state_json(chain))

    @routes.get("/supply")
    def supply() -> JSONResponse:
        with chain.lock:
            rows = chain.ledger.supplies()
        return JSONResponse(
            {str(token): {"supply": issued, "held": held} for token, (issued, held) in rows.items()}
        )

    @routes.get("/vaults/{owner_id}/{shard}")
    def vault(owner_id: str, shard: int) -> JSONResponse:
        key = Address(unb58(owner_id, 32, "owner_id"), shard)
        found = chain.ledger.accounts.get(key)
        return _unknown("vault") if found is None else JSONResponse(_vault_json(key, found))

    @routes.get("/shards/{shard}")
    def shard_record(shard: int) -> JSONResponse:
        record = chain.shards.get(shard, ShardRecord(0, []))
        agreement = chain.agreement(shard)
        tokens = () if agreement is None else agreement.tokens
        fees = record.fees + [0] * (len(tokens) - len(record.fees))
        return JSONResponse(
            {
                "shard": shard,
                "pool": None if agreement is None else str(agreement.pool),
                "last_epoch": record.last_epoch,
                "fees_accrued": [str(fee) for fee in fees],
                "outside_changes": chain.outside_changes,
            }
        )

    return routes


def _vault_json(key: Address, account: Account) -> dict[str, Any]:
    data: dict[str, Any] | None = None
    if account.mint is not None:
        names = {"name": account.mint.name, "symbol": account.mint.symbol}
        data = {"FungibleTokenMint": {"metadata": names, "supply": account.mint.supply}}
    elif account.tokens:
        held = {str(token): amount for token, amount in sorted(account.tokens.items())}
        data = {"TokenHoldings": {"fungibles": held, "nfts": {}}}
    return {
        "balance": account.native,
        "shard": key.shard,
        "data": data,
        "nonce": account.nonce,
        "moved_to": account.moved_to,
    }


def _admin(chain: Chain) -> APIRouter:
    routes = APIRouter(tags=["admin"])

    def migrated(body: object) -> dict[str, Any]:
        fields = _fields(body, ("vault", "to_shard"))
        chain.migrate(address(fields["vault"], "vault"), integer(fields["to_shard"], "to_shard", 1))
        return {"at_end_of_epoch": chain.epoch}

    def credited(body: object) -> dict[str, Any]:
        fields = _fields(body, ("from", "to", "token", "amount"))
        source, target, token = (address(fields[name], name) for name in ("from", "to", "token"))
        chain.foreign_credit(source, target, token, integer(fields["amount"], "amount", 1))
        return {"outside_changes": chain.outside_changes}

    @routes.post("/admin/migrations")
    async def migration(request: Request) -> JSONResponse:
        return await _posted(request, migrated)

    @routes.post("/admin/foreign-credits")
    async def foreign_credit(request: Request) -> JSONResponse:
        return await _posted(request, credited)

    return routes


def _fields(body: object, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(body, dict) or body.keys() != set(names):
        raise Invalid("SCHEMA", f"expected exactly the keys {', '.join(names)}")
    return body
