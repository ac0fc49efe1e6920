"""The wallet's side: keys, order terms, signatures, and ways to send.

from convexfx.wallet import ExchangeClient, Wallet

exchange = ExchangeClient("http://127.0.0.1:8080")
wallet = Wallet.load("alice.json", exchange.domain())
order = wallet.order("USD", "EUR", "1000", nonce=exchange.next_nonce(wallet.owner))
print(exchange.submit([order.verifiable]))
"""

from convexfx.wallet.client import ExchangeClient
from convexfx.wallet.domain import domain_from_json, domain_to_json
from convexfx.wallet.inbox import inline_messages, json_bundle, parquet_bundle
from convexfx.wallet.signing import SignedVerifiable, Wallet
from tasks.adapters.keys import generate_key, read_key

__all__ = [
    "ExchangeClient",
    "SignedVerifiable",
    "Wallet",
    "domain_from_json",
    "domain_to_json",
    "generate_key",
    "inline_messages",
    "json_bundle",
    "parquet_bundle",
    "read_key",
]
