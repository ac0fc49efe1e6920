"""The first day of a local exchange: keys, six currencies, funded vaults, an active agreement.

A real domain has all of this before its executor starts. Locally nothing exists yet, so a step of
``exchange`` makes it, between the start of the devnet and the start of the workers. It uses the
same calls as a real domain: signed mints through the gateway, a signed agreement.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from convexfx.agreement import require_active, signed_agreement
from convexfx.wallet.domain import domain_to_json
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.encoding.hashing import network_id
from convexfx_core.errors import AgreementError, CommitUnknown, PeerUnreachable
from convexfx_core.identity import Address, owner_id
from convexfx_core.market.assets import Registry, registry_of
from convexfx_core.market.parameter_file import demo_parameters
from convexfx_core.orders.payload import Credit, MintOperation, MintPayload
from convexfx_core.orders.signed import Domain
from convexfx_core.wire.orders import verifiable_json
from tasks.adapters.ecb import EcbReplay
from tasks.adapters.gateway_http import HttpGateway
from tasks.adapters.keys import Ed25519Signer, generate_key, read_key
from tasks.adapters.settings import Settings
from tasks.adapters.wiring import context_from_settings
from tasks.context import Context
from tasks.ports import Json, SdlPhase, Signer

CURRENCIES: Final = ("USD", "EUR", "JPY", "GBP", "CHF", "AUD")
NAMES: Final = {
    "USD": "US dollar", "EUR": "Euro", "JPY": "Japanese yen",
    "GBP": "Pound sterling", "CHF": "Swiss franc", "AUD": "Australian dollar",
}  # fmt: skip
DECIMALS: Final = 6
POOL_USD: Final = Decimal(2_200_000)
USER_USD: Final = Decimal(100_000)
USERS: Final = ("alice", "bob", "charlie")
GUEST: Final = "dana"
"""She is funded like the others but sends no demo traffic, so that people can try her wallet."""
WAIT_S_MAX: Final = 60.0
POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Genesis:
    """What the first day made.

    Attributes
    ----------
    minted : base units by asset id.
    quoted : day whose reference prices valued it.
    """

    minted: dict[str, int]
    quoted: date


def key_of(folder: Path, name: str) -> Ed25519Signer:
    """The key ``name`` of a state folder, made on first use."""
    path = folder / "keys" / f"{name}.json"
    return read_key(path) if path.exists() else generate_key(path)


def make_genesis(settings: Settings, folder: Path) -> Genesis:
    """Mint, fund, write tokens and parameters, register the agreement and wait until it is active.

    Raises
    ------
    PeerUnreachable
        The devnet does not answer.
    CommitUnknown
        The mints were not applied in time.
    """
    quotes = EcbReplay(CURRENCIES, "USD", date.fromisoformat(settings.reference.start)).at(
        datetime.now(UTC), 1
    )
    operator = owner_id(key_of(folder, "operator").public_key)
    pool = Address(operator, settings.shard)
    mints = {name: key_of(folder, f"mint-{name.lower()}") for name in CURRENCIES}
    registry = registry_of(
        [
            (name, DECIMALS, str(Address(owner_id(key.public_key), settings.shard)))
            for name, key in mints.items()
        ]
    )
    domain = Domain(network_id(settings.network), pool, registry)
    credits = {name: credits_of(folder, domain, name, quotes.prices[name]) for name in CURRENCIES}
    gateway = HttpGateway(settings.gateway, settings.base_layer_rpc)
    mint(gateway, [mint_json(domain, mints[name], name, credits[name]) for name in CURRENCIES])
    settings.tokens.write_bytes(json_bytes(domain_to_json(settings.network, domain)))
    write_demo_parameters(settings, registry, credits)
    register(context_from_settings(settings), gateway, read_key(settings.attestor), settings.fee)
    gateway.close()
    return Genesis({n: sum(c.amount for c in credits[n]) for n in CURRENCIES}, quotes.published)


def credits_of(folder: Path, domain: Domain, name: str, price: Decimal) -> tuple[Credit, ...]:
    """Who gets how much of a currency: the pool a sixth of its value, each user the same value."""
    index = domain.registry.index(name)
    grain = Decimal(1).scaleb(-2)
    holders = [(domain.pool, POOL_USD / len(CURRENCIES))]
    for user in (*USERS, GUEST):
        owner = owner_id(key_of(folder, user).public_key)
        holders.append((Address(owner, domain.pool.shard), USER_USD))
    return tuple(
        Credit(who, domain.registry[index].atoms((usd / price).quantize(grain)))
        for who, usd in sorted(holders, key=lambda pair: pair[0])
    )


def mint_json(domain: Domain, key: Ed25519Signer, name: str, credits: Sequence[Credit]) -> Json:
    """A signed FungibleTokenMint that creates a currency."""
    mint_vault = Address(owner_id(key.public_key), domain.pool.shard)
    payload = MintPayload(
        domain.network_id, mint_vault, 1, MintOperation.CREATE, NAMES[name], name, tuple(credits)
    )
    signature = key.sign(payload.to_bytes())
    return verifiable_json(payload, key.public_key, signature)


def mint(gateway: HttpGateway, verifiables: Sequence[Json]) -> None:
    """Execute mints and settle them: an SDL of mints needs no proof."""
    gateway.execute(verifiables)
    made = gateway.submit_sdl()
    if made is None:
        raise CommitUnknown("mints", "an SDL of the mints", "null")
    gateway.prove(made, b"")
    await_phase(gateway, made, SdlPhase.PROVEN)
    gateway.submit_proof(made)
    await_phase(gateway, made, SdlPhase.APPLIED)


def await_phase(gateway: HttpGateway, sdl_hash: str, phase: SdlPhase) -> None:
    """Wait until an SDL is in a phase; ``CommitUnknown`` when it takes too long or fails."""

    def reached() -> bool:
        state = gateway.sdl(sdl_hash)
        if state is not None and state.phase in (SdlPhase.FAILED, SdlPhase.PROVING_FAILED):
            raise CommitUnknown(f"sdl {sdl_hash}", phase.value, f"{state.phase} {state.message}")
        return state is not None and state.phase is phase

    await_true(reached, f"sdl {sdl_hash}", phase.value)


def await_true(condition: Callable[[], bool], what: str, expected: str) -> None:
    """Wait until a condition holds; ``CommitUnknown`` after a minute."""
    end = time.monotonic() + WAIT_S_MAX
    while not condition():
        if time.monotonic() > end:
            raise CommitUnknown(what, expected, f"not within {WAIT_S_MAX:.0f} s")
        time.sleep(POLL_S)


def write_demo_parameters(
    settings: Settings, registry: Registry, credits: dict[str, tuple[Credit, ...]]
) -> None:
    """Parameters whose targets are the pool's own opening inventory, scaled to its size."""
    if settings.parameters is None:
        return
    pool = [max(credit.amount for credit in credits[name]) for name in registry.ids]
    settings.parameters.write_bytes(demo_parameters(registry, pool, POOL_USD).to_json())


def register(ctx: Context, gateway: HttpGateway, attestor: Signer, fee: int) -> None:
    """Submit the agreement and wait for the delta epoch in which it becomes active."""
    body = signed_agreement(ctx, attestor, fee, (ctx.proof_mode,))
    gateway.settlement.register_agreement(body)

    def active() -> bool:
        try:
            require_active(ctx)
        except (AgreementError, PeerUnreachable):
            return False
        return True

    await_true(active, "domain agreement", "an active agreement")
