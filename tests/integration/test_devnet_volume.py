"""Large arrays: seconds by step, printed; 100,000 verifiables when ``CONVEXFX_LONG`` is set."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.devnet_processes import ENDED, Network
from tests.support.devnet_world import (
    ASSETS,
    MINTS,
    OPERATOR,
    POOL,
    Books,
    Fill,
    Mint,
    Wallet,
    agreement,
    clear,
    order,
)

LONG = bool(os.environ.get("CONVEXFX_LONG"))
ORDERS = 50_000 if LONG else 1_000
ORDERS_A_WALLET = 4
CREDITED_AT_ONCE = 4_000
FUNDS, POOL_FUNDS = 10**9, 10**15
SECONDS_MAX = 60.0 if LONG else 10.0


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    network = Network(tmp_path)
    yield network
    network.close()


def fund(network: Network, wallets: list[Wallet]) -> Books:
    """Mint in messages of a few thousand credits each."""
    holders = [(POOL, POOL_FUNDS), *((wallet.vault(), FUNDS) for wallet in wallets)]
    starts = range(0, len(holders), CREDITED_AT_ONCE)
    for number, start in enumerate(starts, 1):
        credits = tuple(holders[start : start + CREDITED_AT_ONCE])
        mints = [
            Mint(MINTS[asset], number, credits, asset if number == 1 else "") for asset in ASSETS
        ]
        network.gateway.post("/intents/execute", [mint.json for mint in mints])
    assert network.settle(b"") == "BaseLayerApplied"
    network.settlement.post("/agreements", agreement())
    network.settlement.post("/epoch/advance")
    held = {wallet.owner: dict.fromkeys(ASSETS, FUNDS) for wallet in wallets}
    return Books(held | {OPERATOR.owner: dict.fromkeys(ASSETS, POOL_FUNDS)})


def timed(seconds: dict[str, float], name: str, call: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    answer = call()
    seconds[name] = round(time.perf_counter() - start, 2)
    return answer


def test_a_large_epoch_takes_seconds(network: Network) -> None:
    wallets = [Wallet(f"volume {at}") for at in range(ORDERS // ORDERS_A_WALLET)]
    books = fund(network, wallets)
    fills = [
        Fill(order(wallet, nonce, "USD", "EUR", 1_000), 1_000, 900, 1)
        for wallet in wallets
        for nonce in range(1, ORDERS_A_WALLET + 1)
    ]
    epoch = clear(1, fills, books)
    body = json.dumps(epoch.verifiables).encode()
    seconds: dict[str, float] = {}
    gateway = network.gateway
    applied = timed(seconds, "intents", lambda: gateway.post("/intents/submit", body))
    assert applied == {"applied": 2 * ORDERS}
    name = timed(seconds, "sdl", lambda: gateway.post("/sdls/submit"))
    assert name == epoch.sdl_hash
    gateway.post(f"/sdls/{name}/prove", epoch.envelope())
    network.wait(name, ("Proven",))

    def prove() -> Any:
        gateway.post(f"/sdls/{name}/submit_proof")
        return network.wait(name, ENDED)

    assert timed(seconds, "proof", prove) == "BaseLayerApplied"
    print({"verifiables": 2 * ORDERS, "megabytes": round(len(body) / 1e6, 1), **seconds})
    assert sum(seconds.values()) < SECONDS_MAX
