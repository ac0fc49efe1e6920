"""Routes of the domain and its vaults."""

from typing import Final

from fastapi import APIRouter

from convexfx.api.answers.order_view import order_answer
from convexfx.api.answers.shapes import DomainAnswer, VaultAnswer
from convexfx.api.problem import ProblemCode, documented
from convexfx.api.services import Services, hash_of
from convexfx.api.submission.submission_desk import first_free
from convexfx.wallet.domain import domain_to_json
from convexfx_core.identity import Address, OwnerId, base58_encode
from tasks.vaults import holdings

OPEN_ORDERS_MAX: Final = 1_000
"""Open orders that one answer shows; their number is always whole."""


def vault_answer(services: Services, owner: bytes) -> VaultAnswer:
    """A vault as the gateway sees it, with the open orders of its owner."""
    registry, name = services.ctx.domain.registry, base58_encode(owner)
    following, vault = services.ctx.gateway.vaults([name])[0]
    held = holdings(vault, registry)
    orders = services.index.open_orders(owner)
    return VaultAnswer(
        owner=name,
        address=str(Address(OwnerId(owner), services.ctx.domain.pool.shard)),
        exists=vault is not None,
        balances={a.id: a.text(held[i]) for i, a in enumerate(registry.assets)},
        balances_base_units={a.id: str(held[i]) for i, a in enumerate(registry.assets)},
        nonce=following - 1,
        next_nonce=following,
        next_order_nonce=first_free(following, {facts.nonce for facts in orders}),
        open_orders=[order_answer(facts, registry) for facts in orders[:OPEN_ORDERS_MAX]],
        open_orders_count=len(orders),
    )


def vault_routes(services: Services) -> APIRouter:
    """``GET /domain`` and ``GET /vaults/{owner}``."""
    routes = APIRouter(tags=["vaults"], responses=documented())

    @routes.get("/domain", response_model=DomainAnswer)
    async def domain() -> dict[str, object]:
        """Network, pool and assets: what a wallet must know before it signs."""
        return domain_to_json(services.ctx.network, services.ctx.domain)

    @routes.get(
        "/vaults/{owner}",
        responses=documented(ProblemCode.OWNER_ID, ProblemCode.PEER_UNREACHABLE),
    )
    def vault(owner: str) -> VaultAnswer:
        """Balances, nonces and open orders of an owner, base58 or hexadecimal."""
        return vault_answer(services, hash_of(owner, ProblemCode.OWNER_ID, "owner"))

    return routes
