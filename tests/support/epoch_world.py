"""A whole exchange in a test: real devnet programs, real core, store and queue in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from convexfx.agreement import signed_agreement
from convexfx.local.exchange import verifier_command
from convexfx.local.genesis import CURRENCIES, mint, mint_json
from convexfx.wallet import SignedVerifiable, Wallet, inline_messages
from convexfx_core.encoding.hashing import network_id
from convexfx_core.errors import ClearingRefused, ExecutionError, LawViolated
from convexfx_core.identity import Address, owner_id
from convexfx_core.market.assets import registry_of
from convexfx_core.market.params import Params, flat_fee, params_from_matrices
from convexfx_core.orders.payload import Credit
from convexfx_core.orders.signed import Domain
from tasks import chain, epoch_result
from tasks.adapters.clock import ManualClock, SystemClock
from tasks.adapters.ecb import EcbReplay
from tasks.adapters.gateway_http import HttpGateway
from tasks.adapters.injected_faults import Faults
from tasks.adapters.keys import Ed25519Signer, write_key
from tasks.adapters.laws_host import LawsHost
from tasks.adapters.memory import MemoryStore
from tasks.adapters.prover_local import LocalProver
from tasks.adapters.wiring import program_hash
from tasks.chain import outcome_of
from tasks.clear import clear
from tasks.collect import collect
from tasks.context import Context
from tasks.injected_faults import InjectedFault
from tasks.ports import Inbox, Store
from tasks.process import using
from tasks.prove import prove
from tasks.settle import refused, settle
from tasks.state_diffs import state_diffs
from tasks.submit import submit
from tasks.validate import validate
from tests.integration.devnet_processes import Program
from tests.support.memory_inbox import MemoryInbox

NETWORK, SHARD, DECIMALS = "convexfx-devnet", 1, 6
MILLION = 10**6


def signer(name: str) -> Ed25519Signer:
    return Ed25519Signer(sha256(b"epoch world " + name.encode()).digest())


@dataclass(frozen=True)
class World:
    """The exchange of one test.

    ``minted``: base units of every asset; ``wallets``: by name, funded alike; ``inbox_clock``: time
    of the queue.
    """

    ctx: Context
    gateway: HttpGateway
    wallets: dict[str, Wallet]
    minted: int
    programs: tuple[Program, Program]
    inbox_clock: ManualClock

    @property
    def store(self) -> MemoryStore:
        assert isinstance(self.ctx.store, MemoryStore)
        return self.ctx.store

    def send(self, orders: Sequence[SignedVerifiable]) -> None:
        self.ctx.inbox.send(inline_messages(orders))

    def wait_for_messages(self) -> None:
        """Let the time pass after which messages of a dead receiver appear again."""
        self.inbox_clock.advance(31)

    def run(self) -> dict[str, Any] | None:
        with using(self.ctx):
            return run_epoch()

    def die_at(self, point: str, folder: Path) -> None:
        """Run until a fault point of the stages, which ends the worker with all that it knows."""
        armed = folder / "fault"
        armed.write_text(f"{point} raise")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CONVEXFX_FAULT", str(armed))
            with pytest.raises(InjectedFault):
                self.run()
        forget_everything()

    @contextmanager
    def tampered(self, key: str, body: bytes) -> Iterator[None]:
        """Another body under ``key`` inside the block, as if the store had rotted."""
        bodies = self.store.objects.bodies
        before = bodies[key]
        bodies[key] = body
        try:
            yield
        finally:
            bodies[key] = before

    def outcome(self, epoch: int) -> dict[str, Any]:
        found = outcome_of(self.store, epoch)
        assert found is not None
        return found

    def balances(self) -> dict[str, dict[str, int]]:
        """Final balances of every vault by name and asset, base units."""
        owners = {name: wallet.owner for name, wallet in self.wallets.items()}
        owners["pool"] = str(self.ctx.domain.pool).split(",")[0]
        found = {}
        for name, owner in owners.items():
            vault = self.gateway.settlement.vault(owner, SHARD) or {}
            held = (vault.get("data") or {}).get("TokenHoldings", {}).get("fungibles", {})
            found[name] = {
                asset.id: int(held.get(str(asset.token), 0))
                for asset in self.ctx.domain.registry.assets
            }
        return found

    def sums(self) -> set[int]:
        """Sum of all vaults for each token."""
        vaults = self.balances().values()
        return {sum(vault[name] for vault in vaults) for name in CURRENCIES}


def forget_everything() -> None:
    """What a new process does not know."""
    chain._sealed_epoch.cache_clear()
    epoch_result._epoch_result.cache_clear()


def run_epoch() -> dict[str, Any] | None:
    """What the flow does, without its orchestrator."""
    sealed = collect.fn()
    if sealed is None:
        return None
    try:
        cleared = clear.fn(sealed)
        checked = validate.fn(sealed, cleared)
        diffs = state_diffs.fn(sealed, checked)
        proof = prove.fn(sealed, diffs)
        submitted = submit.fn(sealed, checked, diffs, proof)
    except (ClearingRefused, LawViolated, ExecutionError) as refusal:
        return settle.fn(sealed, {}, refused(refusal))
    stages = {"clear": cleared, "validate": checked, "state_diffs": diffs, "prove": proof}
    return settle.fn(sealed, stages | {"submit": submitted})


def demo_params(n: int = 6, pool: int = 366_666 * MILLION) -> Params:
    """Risk of about 1 bps per $10K and bounds far away."""
    zero = Decimal(0)
    gamma = [
        [Decimal(100) if i == j and i else (Decimal(20) if i and j else zero) for j in range(n)]
        for i in range(n)
    ]
    return params_from_matrices(
        decimals=(DECIMALS,) * n,
        band_bps=(Decimal(20),) * n,
        target=(pool,) * n,
        q_min=(0,) * n,
        q_max=(10**15,) * n,
        gamma=gamma,
        depth=(zero, *(Decimal("0.02"),) * (n - 1)),
        fee_ppm=flat_fee(n, 300),
    )


@contextmanager
def open_world(
    folder: Path,
    names: Sequence[str] = ("alice", "bob", "charlie"),
    faults: Faults | None = None,
    ports: tuple[Store, Inbox] | None = None,
    proof: tuple[tuple[str, ...], LawsHost] | None = None,
) -> Iterator[World]:
    """Devnet up, currencies minted, vaults funded, agreement active; in memory unless ``ports``.

    ``proof``: agreed modes, of which the first is used, and the host, for others than attested.
    """
    modes, host = proof or (("attested",), None)
    verifying = ("--verifier-command", verifier_command(host)) if host else ()
    operator, attestor = signer("operator"), signer("attestor")
    write_key(folder / "operator.json", sha256(b"epoch world operator").digest())
    settlement = Program("devnet.settlement", folder / "settlement.log", *verifying)
    gateway_program = Program(
        "devnet.gateway", folder / "gateway.log", "--settlement", settlement.url,
        "--shard", str(SHARD), "--keypair", str(folder / "operator.json"),
    )  # fmt: skip
    gateway = HttpGateway(gateway_program.url, settlement.url)
    try:
        pool = Address(owner_id(operator.public_key), SHARD)
        mints = {name: signer(f"mint {name}") for name in CURRENCIES}
        registry = registry_of(
            [
                (name, DECIMALS, str(Address(owner_id(key.public_key), SHARD)))
                for name, key in mints.items()
            ]
        )
        domain = Domain(network_id(NETWORK), pool, registry)
        wallets = {name: Wallet(signer(name), domain) for name in names}
        owners = sorted(Address(wallet.owner_id, SHARD) for wallet in wallets.values())
        credits = [Credit(who, 100_000 * MILLION) for who in owners]
        credits.append(Credit(pool, 366_666 * MILLION))
        credits.sort(key=lambda credit: credit.address)
        mint(gateway, [mint_json(domain, mints[name], name, credits) for name in CURRENCIES])
        inbox_clock = ManualClock()
        store, inbox = ports or (MemoryStore(faults), MemoryInbox(inbox_clock, faults=faults))
        ctx = Context(
            store=store,
            inbox=inbox,
            prices=EcbReplay(CURRENCIES, "USD"),
            gateway=gateway,
            prover=LocalProver(store, attestor, program_hash("attested"), host),
            operator=operator,
            clock=SystemClock(),
            network=NETWORK,
            domain=domain,
            params=demo_params(),
            proof_mode=modes[0],
            program_hash=host.program.vkey if host else program_hash("attested"),
            staleness_s=3_600,
            deviation_bps=500,
            verifier=host,
        )
        gateway.settlement.register_agreement(signed_agreement(ctx, attestor, 1, modes))
        httpx.post(settlement.url + "/epoch/advance").raise_for_status()
        minted = sum(credit.amount for credit in credits)
        yield World(ctx, gateway, wallets, minted, (settlement, gateway_program), inbox_clock)
    finally:
        gateway.close()
        gateway_program.stop()
        settlement.stop()
