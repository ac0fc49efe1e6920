"""Batches with everything in them that a result could lie about, and their certified results."""

import json
import random
from functools import cache
from typing import Any, NamedTuple

from convexfx.cli.clear import clear_document
from convexfx_core.clear_files.batch import BatchFile, read_batch
from convexfx_core.clear_files.document import result_document
from convexfx_core.clear_files.verify import ResultFile, read_result
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import settle

Tree = dict[str, Any]
ASSETS = (("USD", 6, "1"), ("EUR", 6, "1.1"), ("JPY", 2, "0.0067"), ("CHF", 4, "1.07"))
GAMMA = [
    ["0", "0", "0", "0"],
    ["0", "2.0", "0.3", "0.9"],
    ["0", "0.3", "2.5", "0.4"],
    ["0", "0.9", "0.4", "1.8"],
]
SEED = 20


class Cleared(NamedTuple):
    """A batch, its parsed form and its certified result as a tree."""

    batch: BatchFile
    tree: Tree


def batch_tree(kind: str) -> Tree:
    """The batch of a kind: plain, rationed, rejecting, crowded or banded."""
    rng = random.Random(SEED)
    room = {"rationed": "0.0004", "crowded": "0.002"}.get(kind, "0.9")
    band = "0.5" if kind == "banded" else "50"
    return {
        "version": 1,
        "numeraire": "USD",
        "assets": [asset_tree(*asset, band, room) for asset in ASSETS],
        "risk": {"gamma_bps_per_million": GAMMA, "depth_million_per_bp": ["0", "0.1", "0", "0.2"]},
        "fee_ppm": {"USD/EUR": "250", "EUR/USD": "300", "JPY/CHF": "1000"},
        "orders": [order_tree(rng, kind, k) for k in range(60)] + odd_orders(),
    }


def asset_tree(name: str, decimals: int, price: str, band: str, room: str) -> Tree:
    units = round(2e8 / float(price))
    width = round(units * float(room))
    return {
        "id": name,
        "decimals": decimals,
        "reference_price": price,
        "inventory": str(units),
        "target": str(units),
        "inventory_min": str(units - width),
        "inventory_max": str(units + width),
        "band_bps": band,
    }


def order_tree(rng: random.Random, kind: str, number: int) -> Tree:
    weights = (1, 6, 3, 2)
    pay, receive = rng.sample(range(4), 2, counts=weights)
    while pay == receive:
        pay, receive = rng.sample(range(4), 2, counts=weights)
    if kind in ("banded", "rationed", "crowded") and rng.random() < 0.7:
        pay, receive = rng.choice((0, 3)), rng.choice((1, 2))
    prices = [float(price) for _, _, price in ASSETS]
    dollars = rng.uniform(1e4, 4e5)
    tree: Tree = {
        "id": f"o{number:03d}",
        "pay": ASSETS[pay][0],
        "receive": ASSETS[receive][0],
        "budget": f"{dollars / prices[pay]:.2f}",
    }
    if rng.random() < 0.7:
        ratio = prices[receive] / prices[pay] * (1 + rng.gauss(0.0003, 0.0006))
        tree["limit_ratio"] = f"{ratio:.9f}"
    if kind in ("rejecting", "crowded") and rng.random() < 0.6:
        tree["min_fill_fraction"] = f"{rng.uniform(0.5, 1):.3f}"
    return tree


def odd_orders() -> list[Tree]:
    """Orders that could never be admitted, and one too small to receive anything."""
    return [
        {"id": "x1", "pay": "EUR", "receive": "EUR", "budget": "5"},
        {"id": "x2", "pay": "EUR", "receive": "USD", "budget": "0"},
        {"id": "x3", "pay": "USD", "receive": "JPY", "budget": "0.000050"},
    ]


@cache
def cleared(kind: str) -> Cleared:
    """The batch of a kind and its result, cleared once."""
    batch = read_batch(json.dumps(batch_tree(kind)).encode())
    tree = clear_document(batch)
    assert tree["status"] == "certified", tree["reason"]
    return Cleared(batch, tree)


def result_bytes(tree: Tree) -> bytes:
    return json.dumps(tree).encode()


def parsed(kind: str) -> ResultFile:
    return read_result(cleared(kind).batch, result_bytes(cleared(kind).tree))


def resettled(batch: BatchFile, proposal: Proposal, original: Tree) -> Tree:
    """Tree of another proposal with every amount settled anew, as a careful liar writes it."""
    settlement = settle(batch.case, proposal)
    from convexfx_core.laws.claims import Certificate

    n = len(batch.assets)
    none = Certificate(0, 0, 0, 0, (0,) * n, (1,) * n, 0, (0,) * n, (0,) * n, (0,) * n)
    tree = result_document(batch, proposal, settlement, none)
    return {**tree, **{key: original[key] for key in ("objective", "certificate", "timing_ms")}}
