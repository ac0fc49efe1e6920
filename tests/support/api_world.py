"""An exchange for the API's tests: store, queue and gateway in memory, the real stages between.

The gateway is a fake of the port: it holds vaults and takes over what an epoch settled. What the
network would do between is the business of the tests of ``tasks`` and of the devnet.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import httpx
from fastapi import FastAPI

from convexfx.api.app import app_of
from convexfx.api.services import Services, build_services
from convexfx.wallet import SignedVerifiable, Wallet, inline_messages
from convexfx_core.encoding.hashing import network_id
from convexfx_core.errors import ClearingRefused, ConvexFxError, LawViolated, PeerUnreachable
from convexfx_core.identity import Address, base58_encode, owner_id
from convexfx_core.market.assets import Registry, registry_of
from convexfx_core.market.params import params_hash
from convexfx_core.orders.signed import Domain
from tasks.adapters.clock import ManualClock
from tasks.adapters.ecb import EcbReplay
from tasks.adapters.injected_faults import Faults
from tasks.adapters.keys import Ed25519Signer
from tasks.adapters.memory import MemoryStore
from tasks.adapters.prover_local import LocalProver
from tasks.adapters.wiring import program_hash
from tasks.chain import manifest_of
from tasks.clear import clear
from tasks.collect import collect
from tasks.context import Context
from tasks.epoch_result import epoch_result
from tasks.ports import Agreement, Json, SdlState
from tasks.process import using
from tasks.prove import prove
from tasks.settle import refused, settle
from tasks.state_diffs import state_diffs
from tasks.validate import validate
from tests.support.epoch_world import CURRENCIES, DECIMALS, MILLION, NETWORK, SHARD, demo_params
from tests.support.memory_inbox import MemoryInbox

FUNDS = 100_000 * MILLION
POOL = 366_666 * MILLION


def signer(name: str) -> Ed25519Signer:
    return Ed25519Signer(sha256(b"api world " + name.encode()).digest())


def registry() -> Registry:
    mints = {name: owner_id(signer(f"mint {name}").public_key) for name in CURRENCIES}
    return registry_of(
        [(name, DECIMALS, str(Address(mint, SHARD))) for name, mint in mints.items()]
    )


DOMAIN = Domain(
    network_id(NETWORK), Address(owner_id(signer("operator").public_key), SHARD), registry()
)


class ApiClient:
    """Requests to an app without a socket and without its lifespan; each ends before the next."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._request(method, path, options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    async def _request(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.request(method, path, **options)


@dataclass
class FakeGateway:
    """Vaults by base58 owner: next nonce and balances by registry index."""

    nonces: dict[str, int] = field(default_factory=dict)
    balances: dict[str, list[int]] = field(default_factory=dict)
    active: Agreement | None = None
    down: ConvexFxError | None = None
    epoch: int = 7

    def fund(self, owner: str, amount: int) -> None:
        self.nonces[owner] = 1
        self.balances[owner] = [amount] * len(CURRENCIES)

    def vault(self, owner: str) -> Json | None:
        self.answer()
        held = self.balances.get(owner)
        if held is None:
            return None
        tokens = [str(asset.token) for asset in DOMAIN.registry.assets]
        holdings = {"TokenHoldings": {"fungibles": dict(zip(tokens, held, strict=True))}}
        return {"balance": 0, "shard": SHARD, "data": holdings}

    def next_nonce(self, owner: str) -> int:
        self.answer()
        return self.nonces.get(owner, 1)

    def vaults(self, owners: Sequence[str]) -> list[tuple[int, Json | None]]:
        return [(self.next_nonce(owner), self.vault(owner)) for owner in owners]

    def agreement(self, shard: int) -> Agreement | None:
        self.answer()
        return self.active if shard == SHARD else None

    def delta_epoch(self) -> int:
        self.answer()
        return self.epoch

    def answer(self) -> None:
        if self.down is not None:
            raise self.down

    def execute(self, verifiables: Sequence[Json]) -> None:
        raise AssertionError("the API never executes")

    def submit(self, verifiables_with_diffs: Sequence[Json]) -> None:
        raise AssertionError("the API never submits")

    def sdls(self) -> dict[str, SdlState]:
        return {}

    def submit_sdl(self) -> str | None:
        raise AssertionError("the API never submits")

    def sdl(self, sdl_hash: str) -> SdlState | None:
        return None

    def prove(self, sdl_hash: str, body: bytes) -> None:
        raise AssertionError("the API never proves")

    def submit_proof(self, sdl_hash: str) -> None:
        raise AssertionError("the API never submits")


@dataclass
class ApiWorld:
    """One exchange: ``services`` of its API are polled by hand, so nothing waits."""

    ctx: Context
    services: Services
    gateway: FakeGateway
    wallets: dict[str, Wallet]
    client: ApiClient

    @property
    def store(self) -> MemoryStore:
        assert isinstance(self.ctx.store, MemoryStore)
        return self.ctx.store

    @property
    def inbox(self) -> MemoryInbox:
        assert isinstance(self.ctx.inbox, MemoryInbox)
        return self.ctx.inbox

    @property
    def clock(self) -> ManualClock:
        assert isinstance(self.ctx.clock, ManualClock)
        return self.ctx.clock

    def poll(self) -> bool:
        return self.services.follower.poll()

    def post(self, *items: Any) -> list[dict[str, Any]]:
        answer = self.client.post("/verifiables", json=list(items))
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def order(self, signed: SignedVerifiable) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/orders/{signed.order_id.hex()}")
        return found

    def send(self, *orders: SignedVerifiable) -> None:
        """Drop orders into the queue past the API."""
        self.ctx.inbox.send(inline_messages(orders))

    def seal(self) -> dict[str, Any] | None:
        with using(self.ctx):
            return collect.fn()

    def finish(self, sealed: dict[str, Any], error: ConvexFxError | None = None) -> dict[str, Any]:
        """Run a sealed epoch to its outcome; the gateway takes over what it settled."""
        with using(self.ctx):
            return self._stages(sealed, error)

    def run(self) -> dict[str, Any] | None:
        """An epoch from the queue to its outcome, not yet seen by the API."""
        sealed = self.seal()
        return None if sealed is None else self.finish(sealed)

    def epoch(self) -> dict[str, Any]:
        """An epoch that the API has seen."""
        outcome = self.run()
        assert outcome is not None
        self.poll()
        return outcome

    def _stages(self, sealed: dict[str, Any], error: ConvexFxError | None) -> dict[str, Any]:
        if error is not None:
            return settle.fn(sealed, {}, refused(error))
        try:
            cleared = clear.fn(sealed)
            checked = validate.fn(sealed, cleared)
        except (ClearingRefused, LawViolated) as refusal:
            return settle.fn(sealed, {}, refused(refusal))
        diffs = state_diffs.fn(sealed, checked)
        stages = {"clear": cleared, "validate": checked, "state_diffs": diffs}
        stages["prove"] = prove.fn(sealed, diffs)
        stages["submit"] = None
        if diffs["sdl_hash"] is not None:
            stages["submit"] = {"phase": "BaseLayerApplied", "message": "", "milliseconds": 12}
        self._apply(sealed, checked)
        return settle.fn(sealed, stages)

    def _apply(self, sealed: dict[str, Any], checked: dict[str, Any]) -> None:
        """As on the network, balances move before the outcome is written."""
        result = epoch_result(self.ctx.store, sealed["manifest"], checked["proposal"])
        after, pool = result.touched_after, result.pool_after
        for place in range(len(after)):
            owner = base58_encode(after.owners[place].astype(">u8").tobytes())
            self.gateway.nonces[owner] = int(after.nonces[place]) + 1
            self.gateway.balances[owner] = [int(held) for held in after.balances[place]]
        name = base58_encode(pool.owner)
        self.gateway.nonces[name], self.gateway.balances[name] = pool.nonce + 1, [*pool.balances]

    def manifest(self, epoch: int) -> dict[str, Any]:
        found = manifest_of(self.ctx.store, epoch)
        assert found is not None
        return found[1]

    def restarted(self, **options: Any) -> "ApiWorld":
        """The same exchange under a new API process."""
        services = build_services(self.ctx, **options)
        client = ApiClient(app_of(services))
        return replace(self, services=services, client=client)


def agreement_of(ctx: Context) -> Agreement:
    return Agreement(
        shard=SHARD,
        operator=base58_encode(owner_id(ctx.operator.public_key)),
        program_hash=ctx.program_hash.hex(),
        allowed_modes=("attested",),
        attestor_key=base58_encode(signer("attestor").public_key),
        params_hash=params_hash(ctx.params, ctx.domain.registry).hex(),
        fee=1,
        network=NETWORK,
        active_from=3,
    )


def api_world(
    names: Sequence[str] = ("alice", "bob", "charlie"),
    faults: Faults | None = None,
    **options: Any,
) -> ApiWorld:
    """A funded exchange whose API has read the (empty) chain."""
    clock, gateway = ManualClock(), FakeGateway()
    store = MemoryStore(faults, clock=clock)
    ctx = Context(
        store=store,
        inbox=MemoryInbox(clock, faults=faults),
        prices=EcbReplay(CURRENCIES, "USD"),
        gateway=gateway,
        prover=LocalProver(store, signer("attestor"), program_hash("attested")),
        operator=signer("operator"),
        clock=clock,
        network=NETWORK,
        domain=DOMAIN,
        params=demo_params(),
        proof_mode="attested",
        program_hash=program_hash("attested"),
        staleness_s=3_600,
        deviation_bps=500,
    )
    gateway.active = agreement_of(ctx)
    gateway.fund(base58_encode(DOMAIN.pool.owner), POOL)
    wallets = {name: Wallet(signer(name), DOMAIN) for name in names}
    for wallet in wallets.values():
        gateway.fund(wallet.owner, FUNDS)
    services = build_services(ctx, **options)
    client = ApiClient(app_of(services))
    world = ApiWorld(ctx, services, gateway, wallets, client)
    world.poll()
    return world


def unreachable(peer: str = "gateway") -> PeerUnreachable:
    return PeerUnreachable(peer, "an answer", "connection refused")
