"""What a wallet must know of the exchange before it signs: network, pool, assets.

The network's name is signed with every order, so that an order for one network means nothing on
another. ``GET /domain`` answers this as JSON; here it is read and written.
"""

from typing import Any

from convexfx_core.encoding.hashing import network_id
from convexfx_core.errors import CodecError
from convexfx_core.identity import Address
from convexfx_core.market.assets import registry_of
from convexfx_core.orders.signed import Domain


def domain_from_json(value: dict[str, Any]) -> Domain:
    """Domain from what ``GET /domain`` and the tokens file say; else ``CodecError``."""
    try:
        assets = [(a["id"], int(a["decimals"]), a["token"]) for a in value["assets"]]
        network, pool = value["network"], value["pool"]
    except (KeyError, TypeError, ValueError) as error:
        raise CodecError("domain", "network, pool and assets", repr(error)) from None
    return Domain(network_id(network), Address.parse(pool, "pool"), registry_of(assets))


def domain_to_json(network: str, domain: Domain) -> dict[str, Any]:
    """The JSON that :func:`domain_from_json` reads."""
    assets = [
        {"id": asset.id, "decimals": asset.decimals, "token": str(asset.token)}
        for asset in domain.registry.assets
    ]
    return {"network": network, "pool": str(domain.pool), "assets": assets}
