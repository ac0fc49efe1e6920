"""Small domains and order books for the tests of admission, carry-over, tables and receipts."""

from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import sha256

import numpy as np

from convexfx_core.identity import Address, OwnerId
from convexfx_core.ledger.vaults import Opening, PoolState, VaultTable
from convexfx_core.market.assets import Asset, Registry
from convexfx_core.market.params import Params, flat_fee, params_from_matrices
from convexfx_core.market.reference import Reference, reference_from_prices
from convexfx_core.orders.row import (
    KIND_CANCEL,
    KIND_ORDER,
    LIMIT_LIMIT,
    LIMIT_MARKET,
    MANTISSA_MIN,
    NO_ASSET,
    ORDER_DTYPE,
)
from convexfx_core.orders.sealed import SealedOrders

IDS = ("USD", "EUR", "JPY")
PRICES = (Decimal(1), Decimal("1.1"), Decimal("0.0067"))
POOL_OWNER = OwnerId(b"\xee" * 32)
EPOCH = 5
BALANCE = 1_000


def owner(number: int) -> OwnerId:
    """The owner of vault ``number``."""
    return OwnerId(sha256(b"owner" + bytes([number])).digest())


def registry_of_three(decimals: tuple[int, ...] = (6, 6, 6)) -> Registry:
    """USD, EUR and JPY."""
    token = (OwnerId(bytes([i + 1]) * 32) for i in range(3))
    rows = zip(IDS, decimals, token, strict=True)
    return Registry(tuple(Asset(name, digits, Address(t, 1)) for name, digits, t in rows))


def matrix(*rows: str) -> list[list[Decimal]]:
    """A matrix from rows of numbers in text."""
    return [[Decimal(value) for value in row.split()] for row in rows]


def params_of_three(decimals: tuple[int, ...] = (6, 6, 6), **changes: object) -> Params:
    """Parameters of the three assets; ``changes`` replace fields."""
    params = params_from_matrices(
        decimals=decimals,
        band_bps=[Decimal(20)] * 3,
        gamma=matrix("0 0 0", "0 0.43 0.1", "0 0.1 0.5"),
        depth=[Decimal(0), Decimal(6), Decimal(6)],
        fee_ppm=flat_fee(3, 300),
        target=(10**12, 10**12, 10**14),
        q_min=(0, 0, 0),
        q_max=(10**15, 10**15, 10**17),
    )
    return replace(params, **changes)


def reference_of_three(params: Params) -> Reference:
    """Reference prices of the three assets."""
    return reference_from_prices(PRICES, 1_700_000_000, params, IDS)


def opening_of(vaults: dict[int, tuple[int, tuple[int, int, int]]], epoch: int = EPOCH) -> Opening:
    """An opening with vaults by number: (nonce, balances)."""
    params = params_of_three()
    rows = [(owner(number), nonce, balances) for number, (nonce, balances) in vaults.items()]
    return Opening(
        network_id=b"\x07" * 32,
        shard=1,
        epoch=epoch,
        params=params,
        registry=registry_of_three(),
        reference=reference_of_three(params),
        pool=PoolState(POOL_OWNER, 3, (10**12, 10**12, 10**14), (5, 6, 7)),
        vaults=VaultTable.from_rows(rows, 3),
    )


@dataclass(frozen=True)
class Sketch:
    """One order, written down briefly; ``salt`` makes another id of equal terms."""

    vault: int
    nonce: int
    budget: int = 10
    pay: int = 0
    receive: int = 1
    cancel: bool = False
    sealed: int = EPOCH
    valid_until: int = 0
    min_fill: int = 0
    limit: tuple[int, int] | None = None
    salt: int = 0
    signature: int = 0

    def owner(self) -> OwnerId:
        """Its vault's owner; vault 255 is the pool."""
        return POOL_OWNER if self.vault == 255 else owner(self.vault)

    def order_id(self) -> bytes:
        """Its id, which binds everything but signature and seal."""
        signed = (
            self.vault, self.nonce, self.budget, self.pay, self.receive, self.cancel,
            self.valid_until, self.min_fill, self.limit, self.salt,
        )  # fmt: skip
        return sha256(repr(signed).encode()).digest()

    def row(self) -> tuple[object, ...]:
        """Its order row."""
        words = tuple(int.from_bytes(self.owner()[i : i + 8], "big") for i in range(0, 32, 8))
        mantissa, exponent = self.limit or (0, 0)
        limit_kind = LIMIT_LIMIT if self.limit else LIMIT_MARKET
        kind = KIND_CANCEL if self.cancel else KIND_ORDER
        budget = 0 if self.cancel and self.budget == 10 else self.budget
        receive = NO_ASSET if self.cancel else self.receive
        return (
            words, self.nonce, budget, mantissa, self.min_fill, self.valid_until, self.pay,
            receive, exponent, kind, limit_kind,
        )  # fmt: skip


LIMIT_ONE = (MANTISSA_MIN, 62)
"""At least one base unit received for one paid."""


def sealed(*sketches: Sketch) -> SealedOrders:
    """Orders in the sequence given."""
    count = len(sketches)
    ids = b"".join(sketch.order_id() for sketch in sketches)
    filler = np.frombuffer(
        b"".join(sha256(ids[32 * k : 32 * k + 32]).digest() * 9 for k in range(count)),
        dtype=np.uint8,
    ).reshape(count, 288)
    return SealedOrders(
        np.array([sketch.row() for sketch in sketches], dtype=ORDER_DTYPE),
        np.frombuffer(ids, dtype=np.uint8).reshape(count, 32),
        np.array([sketch.sealed for sketch in sketches], dtype=np.uint64),
        filler[:, :272],
        filler[:, 16:48],
        np.repeat(np.array([[s.signature] for s in sketches], dtype=np.uint8), 64, axis=1)
        if count
        else np.empty((0, 64), dtype=np.uint8),
    )
