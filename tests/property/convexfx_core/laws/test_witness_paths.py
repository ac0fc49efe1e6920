"""Both paths of the laws agree, and honest epochs of every shape pass both.

``CONVEXFX_LONG=1`` runs ten times as many.
"""

import os
from collections import Counter

import numpy as np
import pytest

from convexfx_core.errors import ClearingRefused
from convexfx_core.laws import check
from convexfx_core.laws.order_ranges import order_in_range, orders_in_range
from convexfx_core.orders.row import ORDER_DTYPE
from convexfx_core.witness.layout import split_sections
from tests.support.clearing_cases import Shape
from tests.support.witnesses.epochs import (
    epoch_of,
    only_cancels,
    plain_epoch,
    rationed_epoch,
    reject_epoch,
)
from tests.support.witnesses.forge import verdict
from tests.support.witnesses.mutants import mutant

MORE = 10 if os.environ.get("CONVEXFX_LONG") else 1
MUTANTS, EPOCHS = 120 * MORE, 24 * MORE


@pytest.mark.parametrize("make", [plain_epoch, rationed_epoch, reject_epoch, only_cancels])
def test_mutated_witnesses_get_one_verdict_on_both_paths(make: object) -> None:
    assert callable(make)
    data = make().apply().witness
    rng = np.random.default_rng(11)
    found: Counter[int] = Counter()
    for number in range(MUTANTS):
        forged = mutant(rng, data)
        scalar, columnar = verdict(forged, "scalar"), verdict(forged, "columnar")
        assert scalar == columnar, f"mutant {number}"
        assert scalar is not None or says_the_same(forged, data), f"mutant {number} is accepted"
        found[-1 if scalar is None else scalar[0]] += 1
    assert len(found) > 4, found


def says_the_same(forged: bytes, data: bytes) -> bool:
    """Whether two witnesses differ at most in how much a marginal order of a ration demands.

    L9 and L10 leave it as many units as rounding does; no amount and no public value follows.
    """
    pairs = zip(split_sections(forged), split_sections(data), strict=True)
    different = [index for index, (mine, theirs) in enumerate(pairs) if mine != theirs]
    return different in ([], [9])


def shapes(rng: np.random.Generator) -> Shape:
    return Shape(
        assets=int(rng.integers(2, 8)),
        orders=int(rng.integers(0, 60)),
        gross=float(rng.uniform(5, 150)),
        band=float(rng.choice([5.0, 20.0, 200.0])),
        market=float(rng.uniform(0, 1)),
        min_fill=float(rng.choice([0.0, 0.3])),
        fee_ppm=int(rng.integers(0, 1500)),
        decimals=(2, 7),
        bounds=float(rng.choice([1e6, 20.0])),
        depth=float(rng.choice([0.0, 2.0])),
    )


def test_honest_epochs_of_every_shape_pass_both_paths() -> None:
    rng, fills = np.random.default_rng(5), 0
    for seed in range(EPOCHS):
        shape, vaults = shapes(rng), int(rng.integers(1, 12))
        try:
            epoch = epoch_of(shape, seed, vaults=vaults, cancels=int(rng.integers(4)))
        except ClearingRefused:
            continue
        result = epoch.apply()
        for engine in ("scalar", "columnar"):
            assert check(result.witness, engine) == result.public_values
        fills += result.fills.count
    assert fills > 10 * EPOCHS // MORE


def test_order_ranges_agree_on_random_rows() -> None:
    rng = np.random.default_rng(3)
    rows = np.zeros(600, ORDER_DTYPE)
    good = plain_epoch().batch.orders.rows
    for name in ORDER_DTYPE.names or ():
        rows[name] = good[name][rng.integers(0, len(good), len(rows))]
    good = good[rng.integers(0, len(good), len(rows))]
    keep = rng.random(len(rows)) < 0.8
    rows[keep] = good[keep]
    for name in ("nonce", "budget", "limit_m", "min_fill"):
        change = rng.random(len(rows)) < 0.05
        rows[name][change] = rng.choice([0, 1, (1 << 62) - 1, 1 << 62, 1 << 63], change.sum())
    for name in ("kind", "limit_kind", "pay", "receive"):
        change = rng.random(len(rows)) < 0.03
        rows[name][change] = rng.choice([0, 1, 2, 3, 4, 255], change.sum())
    columns = orders_in_range(rows, 4)
    assert columns.tolist() == [order_in_range(row, 4) for row in rows]
    assert 50 < columns.sum() < len(rows) - 50
