"""Ten thousand orders in bundles, in one epoch; a hundred thousand when CONVEXFX_LONG=1."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from convexfx.wallet import SignedVerifiable, parquet_bundle
from convexfx_core.records.receipts import read_receipts
from tasks.objects import epoch_key
from tests.support.epoch_world import World, open_world

STAGES = {"collect", "clear", "validate", "state_diffs", "prove", "submit", "settle"}
OVERHEAD_S_MAX = 3.0
SIZES = [(500, 20), *([(800, 125)] if os.environ.get("CONVEXFX_LONG") else [])]


def orders_of(world: World, each: int) -> list[SignedVerifiable]:
    """``each`` orders a wallet, market and limit, over all pairs; the last one a market order."""
    ids = world.ctx.domain.registry.ids
    made = []
    for place, wallet in enumerate(world.wallets.values()):
        for nonce in range(1, each + 1):
            pay, step = (place + nonce) % 6, 1 + (place * 7 + nonce) % 5
            limit = "0.0000001" if nonce % 5 == 3 else None
            budget = f"{1 + (place + nonce) % 9}.{nonce:02d}"
            made.append(
                wallet.order(
                    ids[pay], ids[(pay + step) % 6], budget, nonce=nonce, limit_ratio=limit
                )
            )
    return made


def send_bundles(world: World, orders: Sequence[SignedVerifiable], size: int = 5_000) -> None:
    for start in range(0, len(orders), size):
        world.ctx.inbox.send([parquet_bundle(orders[start : start + size], world.ctx.store)])


@pytest.mark.parametrize(("wallets", "each"), SIZES)
def test_bundles_clear_in_one_epoch(tmp_path: Path, wallets: int, each: int) -> None:
    with open_world(tmp_path, [f"w{n}" for n in range(wallets)]) as world:
        orders = orders_of(world, each)
        send_bundles(world, orders)
        start = time.monotonic()
        outcome = world.run()
        wall_s = time.monotonic() - start
        assert outcome is not None
        assert outcome["status"] == "settled", outcome["reason"]
        stages = outcome["stages"]
        print(f"{len(orders)} orders: {wall_s:.2f} s, milliseconds {stages}")
        assert set(stages) == STAGES
        assert wall_s - sum(stages.values()) / 1000 <= OVERHEAD_S_MAX
        receipts = read_receipts(world.store.get(epoch_key(1, "receipts.parquet")) or b"")
        assert len(receipts) == len(orders)
        assert {row["order_id"] for row in receipts} == {order.order_id.hex() for order in orders}
        assert {row["then"] for row in receipts} == {"consumed"}
        assert world.sums() == {world.minted}
