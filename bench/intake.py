"""Measures how many signed orders one core takes in, step by step.

``python -m bench.intake [--orders 20000] [--rows 1000000]`` prints one JSON line a case: orders per
second of processor time, the best of three, with facts of the machine. The steps are those of an
order that a user sends: its JSON or Parquet is read, its payload decoded and checked, its id
hashed, its signature verified. They bound the rate at which an exchange can take orders in.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
from nacl.signing import SigningKey

from convexfx_core.encoding.hashing import network_id
from convexfx_core.identity import (
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    Address,
    hash_rows,
    owner_id,
    verify_rows,
)
from convexfx_core.market.assets import Asset, Registry
from convexfx_core.orders.payload import DebitAllowance
from convexfx_core.orders.signed import ORDER_PAYLOAD_BYTES, Domain, UnsignedOrder, order_payload
from convexfx_core.orders.signed_columns import byte_rows, decode_payloads
from convexfx_core.orders.terms import order_terms
from convexfx_core.wire.bundle import (
    json_bundle,
    parquet_bundle,
    parse_json_bundle,
    parse_parquet_bundle,
)
from convexfx_core.wire.orders import verifiable_json

KEYS = 64


def key(name: str) -> SigningKey:
    """A key that follows from its name."""
    return SigningKey(sha256(name.encode()).digest())


def address(name: str) -> Address:
    """Vault of a named key on shard 1."""
    return Address(owner_id(bytes(key(name).verify_key)), 1)


def domain(assets: int = 50) -> Domain:
    """A domain of ``assets`` assets with six decimals."""
    registry = Registry(tuple(Asset(f"A{i}", 6, address(f"mint {i}")) for i in range(assets)))
    return Domain(network_id("convexfx-devnet"), address("pool"), registry)


def signed_orders(count: int, where: Domain) -> list[tuple[bytes, bytes, bytes]]:
    """(payload, key, signature) of ``count`` orders of 64 wallets."""
    wallets = [key(f"wallet {i}") for i in range(KEYS)]
    found = []
    for i in range(count):
        wallet = wallets[i % KEYS]
        public = bytes(wallet.verify_key)
        terms = order_terms(i % 50, (62, (1 << 62) + i))
        order = UnsignedOrder(owner_id(public), 1 + i // KEYS, (i + 1) % 50, 10**6 + i, terms)
        payload = order_payload(where, order)
        found.append((payload, public, wallet.sign(payload).signature))
    return found


def per_second(count: int, work: Callable[[], Any]) -> int:
    """Items per second of processor time, best of three."""
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return round(count / best)


def cases(count: int, rows: int) -> dict[str, int]:
    """Orders per second by case; ``rows`` payloads where a case is of columns alone."""
    where = domain()
    orders = signed_orders(count, where)
    payloads = byte_rows((payload for payload, _, _ in orders), ORDER_PAYLOAD_BYTES)
    keys = byte_rows((public for _, public, _ in orders), PUBLIC_KEY_BYTES)
    signatures = byte_rows((signature for _, _, signature in orders), SIGNATURE_BYTES)
    many = np.tile(payloads, (max(1, rows // count), 1))
    few = orders[:2_000]
    lines = json_bundle([verifiable_json(DebitAllowance.from_bytes(p), k, s) for p, k, s in few])
    parquet = parquet_bundle(payloads, keys, signatures)
    return {
        "decode and check columns": per_second(len(many), lambda: decode_payloads(many, where)),
        "order ids": per_second(len(many), lambda: hash_rows(many)),
        "signatures": per_second(count, lambda: verify_rows(payloads, keys, signatures)),
        "parquet bundle": per_second(count, lambda: parse_parquet_bundle(parquet, count, where)),
        "json bundle": per_second(len(few), lambda: parse_json_bundle(lines, len(few), where)),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    machine = {"cpus": os.cpu_count(), "machine": platform.machine()}
    for name, rate in cases(given.orders, given.rows).items():
        line = {"case": name, "orders": given.orders, "orders_per_core_s": rate, **machine}
        print(json.dumps(line))


if __name__ == "__main__":
    main()
