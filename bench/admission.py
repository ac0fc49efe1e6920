"""Times admission, carry-over and the tables by number of orders; prints one JSON line a case.

``python -m bench.admission [orders ...]``. These are the steps that turn sealed orders into a batch
and what is left of it into the next epoch's book; no solver runs. Each figure is the median of
three runs, in seconds. The orders are random rows with random signatures: nothing here checks one.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from convexfx_core.admission.book import admit
from convexfx_core.admission.carry import SeenSet, carry_over, seen_after
from convexfx_core.ledger.vaults import Opening, VaultTable
from convexfx_core.orders.row import KIND_ORDER, ORDER_DTYPE
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.records.tables import read_orders, read_state, write_orders, write_state
from tests.support.epoch_cases import EPOCH, opening_of

ORDERS_A_VAULT = 4
SIZES = (1_000, 10_000, 100_000, 1_000_000)
REPEATS = 3


def book_of(count: int, seed: int = 1) -> tuple[SealedOrders, Opening]:
    """Orders of ``count / 4`` vaults in random sequence, a tenth of them behind a gap."""
    rng = np.random.default_rng(seed)
    vaults = max(count // ORDERS_A_VAULT, 1)
    owners = rng.integers(0, 1 << 63, (vaults, 4)).astype(">u8")
    owners = owners[np.argsort(owners[:, 0])]
    rows = np.zeros(count, dtype=ORDER_DTYPE)
    rows["owner"] = owners[np.arange(count) % vaults]
    rows["nonce"] = 1 + np.arange(count) // vaults
    rows["nonce"][rng.random(count) < 0.1] += 100
    rows["budget"], rows["kind"] = rng.integers(1, 1_000, count), KIND_ORDER
    rows["pay"] = rng.integers(0, 3, count)
    rows["receive"] = (rows["pay"] + 1) % 3
    rows["valid_until"] = EPOCH + rng.integers(0, 10, count)
    table = VaultTable(
        owners, np.zeros(vaults, dtype=np.uint64), np.full((vaults, 3), 10_000, dtype=np.uint64)
    )
    orders = SealedOrders(
        rows, *(bytes_of(rng, count, width) for width in (32,)),
        np.full(count, EPOCH, dtype=np.uint64),
        *(bytes_of(rng, count, width) for width in (272, 32, 64)),
    )  # fmt: skip
    return orders.take(rng.permutation(count)), replace(opening_of({}), vaults=table)


def bytes_of(rng: np.random.Generator, count: int, width: int) -> np.ndarray:
    """Random bytes, u8[count, width]."""
    return rng.integers(0, 256, (count, width), dtype=np.uint8)


def seconds(step: Callable[[], object]) -> float:
    """Median seconds of a step."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return round(statistics.median(times), 4)


def case(count: int) -> dict[str, float]:
    """Seconds of every step at ``count`` orders."""
    orders, opening = book_of(count)
    batch = admit(orders, opening)
    left = np.ones(len(batch.orders), dtype=np.bool_)
    carried = carry_over(batch, left)
    seen = seen_after(SeenSet.empty(), orders, EPOCH)
    table, state = write_orders(orders), write_state(seen, carried.orders)
    return {
        "orders": count,
        "admitted": len(batch.orders),
        "parked": len(batch.parked),
        "admit": seconds(lambda: admit(orders, opening)),
        "carry_over": seconds(lambda: carry_over(batch, left)),
        "seen_after": seconds(lambda: seen_after(SeenSet.empty(), orders, EPOCH)),
        "seen_holds": seconds(lambda: seen.holds(orders.order_ids)),
        "write_orders": seconds(lambda: write_orders(orders)),
        "read_orders": seconds(lambda: read_orders(table)),
        "write_state": seconds(lambda: write_state(seen, carried.orders)),
        "read_state": seconds(lambda: read_state(state)),
        "bytes_per_order": round(len(table) / count, 1),
    }


if __name__ == "__main__":
    for size in [int(text) for text in sys.argv[1:]] or SIZES:
        print(json.dumps(case(size)), flush=True)
