"""What a wallet signs, without any network: ``python examples/sign_an_order.py``.

An order is 272 bytes, its payload. The wallet signs them with Ed25519; their SHA-256 is the order's
id. Whoever holds payload, key and signature can check all of it, as the exchange does.
"""

from hashlib import sha256

from convexfx.wallet.signing import Wallet
from convexfx_core.encoding.hashing import network_id
from convexfx_core.errors import RejectedOrder
from convexfx_core.identity import Address, owner_id
from convexfx_core.market.assets import registry_of
from convexfx_core.orders.signed import Domain, read_signed_order
from tasks.adapters.keys import Ed25519Signer

SHARD = 1
BUDGET_AT = 184
"""Where the budget stands in a payload, docs/spec.md section 2."""


def signer(name: str) -> Ed25519Signer:
    """A key that everybody can make: for examples only."""
    return Ed25519Signer(sha256(b"example " + name.encode()).digest())


def example_domain() -> Domain:
    """What makes an order one of this exchange: network, pool and assets."""
    tokens = [(a, 6, str(Address(owner_id(signer(a).public_key), SHARD))) for a in ("USD", "EUR")]
    pool = Address(owner_id(signer("pool").public_key), SHARD)
    return Domain(network_id("an-example"), pool, registry_of(tokens))


def main() -> None:
    """Sign, read back, change one byte."""
    domain = example_domain()
    wallet = Wallet(signer("alice"), domain)
    order = wallet.order(
        "USD", "EUR", "1000", nonce=1, limit_ratio="1.1005", min_fill_fraction="0.25",
        valid_until_epoch=20,
    )  # fmt: skip
    print(f"owner      {wallet.owner}")
    print(f"payload    {len(order.payload)} bytes, {order.payload[:16].hex()}...")
    print(f"signature  {order.signature.hex()[:32]}...")
    print(f"order id   {order.order_id.hex()}")
    assert order.order_id == sha256(order.payload).digest()

    found = read_signed_order(order.payload, order.pub_key, order.signature, domain)
    assert found.order_id == order.order_id
    terms = found.terms
    pay, receive = domain.registry[found.pay], domain.registry[terms.receive]
    print(f"read back  nonce {found.nonce}, pays at most {found.budget} base units of {pay.id},")
    print(
        f"           receives {receive.id}, at least {terms.limit_m} / 2^{terms.limit_e} for each,"
    )
    print(f"           fills at least {terms.min_fill}, valid until epoch {terms.valid_until}")
    spoilt = bytearray(order.payload)
    spoilt[BUDGET_AT] ^= 1
    try:
        read_signed_order(bytes(spoilt), order.pub_key, order.signature, domain)
    except RejectedOrder as error:
        print(f"one bit of the budget changed, refused: {error.line()}")


if __name__ == "__main__":
    main()
