"""Whole epochs for the tests of transition, laws and witness: cleared, from a shape and a seed."""

from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256

import numpy as np

from convexfx_core.admission.book import Batch, LeftOut
from convexfx_core.clearing import propose
from convexfx_core.encoding.key_columns import canonical_order
from convexfx_core.identity import Address, OwnerId
from convexfx_core.ledger.vaults import Opening, PoolState, VaultTable
from convexfx_core.market.assets import Asset, Registry
from convexfx_core.orders.codes import PARK_CODES, REJECT_CODES
from convexfx_core.orders.row import KIND_CANCEL, NO_ASSET, ORDER_DTYPE
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.transition import EpochResult, apply_epoch
from convexfx_core.witness.build import clearing_case
from tests.support.clearing_cases import Shape, case_of

EPOCH = 9
NETWORK_ID = sha256(b"laws-b network").digest()
POOL_OWNER = OwnerId(sha256(b"laws-b pool").digest())
POOL_NONCE = 40


@dataclass(frozen=True)
class Epoch:
    """An opening, its batch and what was proposed for it."""

    opening: Opening
    batch: Batch
    proposal: Proposal

    def apply(self) -> EpochResult:
        return apply_epoch(self.opening, self.batch, self.proposal)


def owner_of(number: int) -> bytes:
    return sha256(b"laws-b owner" + number.to_bytes(4, "big")).digest()


def registry_of(decimals: tuple[int, ...]) -> Registry:
    return Registry(
        tuple(
            Asset(f"A{i}", digits, Address(OwnerId(sha256(b"token%d" % i).digest()), 1))
            for i, digits in enumerate(decimals)
        )
    )


def rows_in_vaults(rows: np.ndarray, vaults: int, cancels: int, seed: int) -> np.ndarray:
    """Give clearing orders owners, nonces and expiries; put cancels among them; canonical order."""
    rng = np.random.default_rng(seed)
    extra = np.zeros(cancels, ORDER_DTYPE)
    extra["kind"], extra["receive"] = KIND_CANCEL, NO_ASSET
    rows = np.concatenate([rows, extra]).astype(ORDER_DTYPE)
    rng.shuffle(rows)
    count = len(rows)
    keys = np.frombuffer(b"".join(owner_of(k) for k in range(vaults)), ">u8").reshape(vaults, 4)
    rows["owner"] = keys[rng.integers(0, vaults, count)]
    rows["nonce"] = np.arange(count)
    rows = rows[canonical_order(rows["owner"], rows["nonce"])]
    rows["valid_until"] = np.where(rng.random(count) < 0.5, 0, EPOCH + rng.integers(0, 5, count))
    return rows


def number_nonces(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Consecutive nonces from a start that differs by vault; the vaults' nonces before them."""
    starts = np.flatnonzero(np.append(True, (rows["owner"][1:] != rows["owner"][:-1]).any(axis=1)))
    starts = starts[: len(rows)]
    sizes = np.diff(starts, append=len(rows))
    before = np.arange(len(starts), dtype=np.uint64) % np.uint64(5)
    step = np.arange(len(rows)) - np.repeat(starts, sizes) + 1
    rows["nonce"] = np.repeat(before, sizes) + step.astype(np.uint64)
    return rows, before


def vaults_for(rows: np.ndarray, before: np.ndarray, n: int, spare: int) -> VaultTable:
    """Vaults whose balances are the budgets of their orders and ``spare`` more."""
    first = np.append(True, (rows["owner"][1:] != rows["owner"][:-1]).any(axis=1))[: len(rows)]
    place = np.cumsum(first) - 1
    balances = np.full((len(before), n), spare, dtype=np.uint64)
    np.add.at(balances, (place, rows["pay"]), rows["budget"])
    return VaultTable(rows["owner"][first], before, balances)


def batch_of(rows: np.ndarray, epoch: int = EPOCH) -> Batch:
    """A batch of admitted orders whose payloads are zeros: nothing here looks into them."""
    count = len(rows)
    ids = b"".join(sha256(rows[k].tobytes()).digest() for k in range(count))
    orders = SealedOrders(
        rows,
        np.frombuffer(ids, np.uint8).reshape(count, 32),
        np.full(count, epoch, dtype=np.uint64),
        np.zeros((count, 272), np.uint8),
        np.zeros((count, 32), np.uint8),
        np.zeros((count, 64), np.uint8),
    )
    none = SealedOrders.empty()
    codes = np.zeros(0, np.uint8)
    return Batch(
        epoch, orders, LeftOut(none, codes, PARK_CODES), LeftOut(none, codes, REJECT_CODES), 0
    )


def epoch_of(
    shape: Shape, seed: int, vaults: int | None = None, cancels: int = 0, spare: int = 7
) -> Epoch:
    """An epoch of a random clearing case; four orders a vault unless told otherwise."""
    case = case_of(shape, seed)
    total = shape.orders + cancels
    vaults = max(1, total // 4) if vaults is None else vaults
    rows, before = number_nonces(rows_in_vaults(case.orders, vaults, cancels, seed))
    n = case.params.n
    fees = tuple(3 * i for i in range(n))
    pool = PoolState(
        POOL_OWNER,
        POOL_NONCE,
        tuple(q + f for q, f in zip(case.inventory, fees, strict=True)),
        fees,
    )
    opening = Opening(
        NETWORK_ID,
        3,
        EPOCH,
        case.params,
        registry_of(case.params.decimals),
        case.reference,
        pool,
        vaults_for(rows, before, n, spare),
    )
    batch = batch_of(rows)
    return Epoch(opening, batch, propose(clearing_case(opening, rows), kernels="numpy"))


@cache
def plain_epoch(orders: int = 24, seed: int = 1, assets: int = 4, cancels: int = 3) -> Epoch:
    """A small epoch with filled, unfilled and cancelled orders."""
    return epoch_of(Shape(assets=assets, orders=orders, gross=40.0), seed, cancels=cancels)


@cache
def rationed_epoch(orders: int = 24, seed: int = 5, assets: int = 4) -> Epoch:
    """A small epoch whose fills an inventory bound cuts."""
    shape = Shape(assets=assets, orders=orders, gross=120.0, bounds=6.0, crowd=1.5)
    return epoch_of(shape, seed, cancels=1)


@cache
def reject_epoch(orders: int = 24, seed: int = 4, assets: int = 4) -> Epoch:
    """A small epoch in which the clearing rejects two orders for their minimum fill."""
    shape = Shape(assets=assets, orders=orders, gross=60.0, min_fill=0.9, market=0.1)
    return epoch_of(shape, seed)


@cache
def rationed_reject_epoch() -> Epoch:
    """An epoch with both kinds of rejects in a ration."""
    shape = Shape(assets=4, orders=24, gross=120.0, bounds=6.0, crowd=1.5, min_fill=0.5)
    return epoch_of(shape, 3)


def only_cancels(count: int = 4) -> Epoch:
    """An epoch of cancels only."""
    return epoch_of(Shape(assets=3, orders=0, gross=0.0), 2, vaults=2, cancels=count)


def nothing_consumed() -> Epoch:
    """An epoch whose orders are all left: limits that nobody meets."""
    epoch = plain_epoch(12, 4, 3, 0)
    rows = epoch.batch.orders.rows.copy()
    rows["limit_kind"], rows["limit_m"], rows["limit_e"] = 1, (1 << 63) - 1, -192
    batch = batch_of(rows)
    case = clearing_case(epoch.opening, rows)
    return replace(epoch, batch=batch, proposal=propose(case, kernels="numpy"))
