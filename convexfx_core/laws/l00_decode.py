"""L0: the witness decodes, every byte is consumed, every number is in its range.

Later laws may multiply without a thought, because L0 bounded every factor. Sections are judged one
after the other, so the index of a violation is the first section that does not hold; the checks of
a section look at earlier sections only. The frame around them (magic, version, lengths that run
past the end, bytes left over) is judged before any section and has index 14. Source:
``docs/spec.md`` section 4 and ``docs/invariants.md``, L0.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.canonical import Reader
from convexfx_core.encoding.key_columns import take_rows
from convexfx_core.errors import CodecError, LawViolated
from convexfx_core.laws.decoded_witness import DecodedWitness, kind1_index
from convexfx_core.laws.engine import Engine, is_scalar
from convexfx_core.laws.order_ranges import order_in_range, orders_in_range
from convexfx_core.laws.ranges import (
    check_bands,
    check_demands,
    check_pairs,
    check_pool,
    check_rejects,
    check_vaults,
)
from convexfx_core.ledger.rows import DIFF_DTYPE
from convexfx_core.ledger.vaults import PoolState, vault_dtype
from convexfx_core.limits import ASSETS_MAX, ORDERS_MAX, VALUE_MAX
from convexfx_core.market.assets import Registry
from convexfx_core.market.params import Params, params_from_bytes
from convexfx_core.market.reference import Reference, reference_from_bytes
from convexfx_core.orders.row import KIND_ORDER, ORDER_DTYPE
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.rates import RateTable
from convexfx_core.witness.layout import (
    AMOUNT_DTYPE,
    DEMAND_DTYPE,
    FRAME,
    PAIR_DTYPE,
    REJECT_DTYPE,
    SECTION_NAMES,
    Witness,
    split_sections,
)
from convexfx_core.witness.public_values import PUBLIC_VALUES_BYTES

LAW: Final = 0
DIFF_ROWS_PER_ORDER_MAX: Final = 4
"""A filled order has two rows of its allowance and two of its payout."""


def decode(data: bytes, engine: Engine = "auto") -> DecodedWitness:
    """Decode a witness and check every size and range.

    Raises
    ------
    LawViolated
        Law 0 with the first section that does not hold, or 14 for the frame.
    """
    try:
        sections = split_sections(data)
    except CodecError as error:
        raise LawViolated(LAW, FRAME, error.observed, error.expected) from error
    reader = _SectionReader(engine)
    for index, (name, section) in enumerate(zip(SECTION_NAMES, sections, strict=True)):
        try:
            getattr(reader, name)(section)
        except CodecError as error:
            raise LawViolated(LAW, index, error.observed, error.expected) from error
    return reader.decoded()


class _SectionReader:
    """Reads the sections in their order; each method may use what the earlier ones left."""

    network_id: bytes
    shard: int
    epoch: int
    raw_params: bytes
    raw_registry: bytes
    raw_reference: bytes
    read_params: Params
    read_reference: Reference
    pool: PoolState
    vault_rows: NDArray[np.void]
    consumed: NDArray[np.void]
    left: NDArray[np.void]
    order_rows: NDArray[np.void]
    case: ClearingCase
    rates: RateTable
    price_list: tuple[int, ...]
    pairs: NDArray[np.void]
    paid: NDArray[np.uint64]
    overflow: tuple[int, ...]
    inventory_after: tuple[int, ...]
    omega: tuple[int, ...] | None
    demanded: NDArray[np.void]
    reject_rows: NDArray[np.void]
    amount_rows: NDArray[np.void]
    diff_rows: NDArray[np.void]
    claimed: bytes

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def n(self) -> int:
        """Number of assets."""
        return self.read_params.n

    def domain(self, data: memoryview) -> None:
        """Section 0."""
        _length(data, 48)
        reader = Reader(data)
        self.network_id, self.shard, self.epoch = reader.fixed(32), reader.u64(), reader.u64()
        _expect(self.shard >= 1, "a shard from 1", self.shard)
        _expect(self.epoch >= 1, "an epoch from 1", self.epoch)

    def params(self, data: memoryview) -> None:
        """Section 1; the decimals, which stand in section 2, are not looked at."""
        n = Reader(data[8:16]).u64() if len(data) >= 16 else 0
        _expect(2 <= n <= ASSETS_MAX, f"2 to {ASSETS_MAX} assets", n)
        self.raw_params = bytes(data)
        self.read_params = params_from_bytes(self.raw_params, (0,) * n)

    def registry(self, data: memoryview) -> None:
        """Section 2."""
        self.raw_registry = bytes(data)
        registry = Registry.from_bytes(self.raw_registry)
        _expect(len(registry) == self.n, f"{self.n} assets", len(registry))
        self.read_params = replace(self.read_params, decimals=registry.decimals)

    def reference(self, data: memoryview) -> None:
        """Section 3."""
        _expect(len(data) >= 16, "at least 16 bytes", len(data))
        self.raw_reference = bytes(data)
        self.read_reference = reference_from_bytes(self.raw_reference)
        count = len(self.read_reference.pbar)
        _expect(count == self.n, f"{self.n} assets", count)
        check_bands(self.read_reference, self.read_params)

    def vaults(self, data: memoryview) -> None:
        """Section 4."""
        size = 40 + 16 * self.n
        _expect(len(data) >= size, f"a pool block of {size} bytes", len(data))
        self.pool = PoolState.from_bytes(bytes(data[:size]), self.n)
        check_pool(self.pool)
        self.vault_rows = _rows(data[size:], vault_dtype(self.n), ORDERS_MAX)
        check_vaults(self.vault_rows)

    def orders(self, data: memoryview) -> None:
        """Section 5."""
        _expect(len(data) >= 16, "two counts", len(data))
        consumed, left = Reader(data).all_unsigned(2, 8)
        _expect(consumed + left <= ORDERS_MAX, f"at most {ORDERS_MAX} orders", consumed + left)
        _length(data, 16 + ORDER_DTYPE.itemsize * (consumed + left))
        rows = np.frombuffer(data, ORDER_DTYPE, offset=16)
        self.consumed, self.left, self.order_rows = rows[:consumed], rows[consumed:], rows
        if is_scalar(self.engine, len(rows)):
            holds = all(order_in_range(row, self.n) for row in rows)
        else:
            holds = bool(orders_in_range(rows, self.n).all())
        _expect(holds, "well formed order rows", "another one")
        self.case = ClearingCase(
            self.read_params,
            self.read_reference,
            self.pool.inventory,
            take_rows(rows, rows["kind"] == KIND_ORDER),
        )

    def prices(self, data: memoryview) -> None:
        """Section 6."""
        size = 16 * self.n
        _expect(len(data) >= size, f"{self.n} prices", len(data))
        self.price_list = Reader(data).all_unsigned(self.n, 16)
        _expect(min(self.price_list) >= 1, "prices from 1", min(self.price_list))
        self.pairs = _rows(data[size:], PAIR_DTYPE, self.n * (self.n - 1))
        self.rates = check_pairs(self.pairs, self.case, self.price_list)

    def fills(self, data: memoryview) -> None:
        """Section 7."""
        _length(data, 8 * len(self.consumed))
        self.paid = np.frombuffer(data, "<u8")

    def inventory(self, data: memoryview) -> None:
        """Section 8."""
        _length(data, 32 * self.n)
        values = Reader(data).all_signed(2 * self.n, 16)
        self.overflow, self.inventory_after = values[::2], values[1::2]
        widest = max(map(abs, self.overflow))
        _expect(widest <= VALUE_MAX, "an overflow below 2^80", widest)

    def ration(self, data: memoryview) -> None:
        """Section 9."""
        self.omega, self.demanded = None, np.empty(0, DEMAND_DTYPE)
        if not len(data):
            return
        size = 8 * self.n
        _expect(len(data) >= size, f"nothing, or omega of {self.n} assets", len(data))
        self.omega = Reader(data).all_signed(self.n, 8)
        self.demanded = _rows(data[size:], DEMAND_DTYPE, len(self.order_rows))
        check_demands(self.demanded, self.order_rows, self.case, self.rates)

    def rejects(self, data: memoryview) -> None:
        """Section 10."""
        self.reject_rows = _rows(data, REJECT_DTYPE, len(self.order_rows))
        check_rejects(self.reject_rows, self.order_rows, self.demanded)

    def amounts(self, data: memoryview) -> None:
        """Section 11."""
        _length(data, AMOUNT_DTYPE.itemsize * len(self.consumed))
        self.amount_rows = np.frombuffer(data, AMOUNT_DTYPE)

    def diffs(self, data: memoryview) -> None:
        """Section 12."""
        self.diff_rows = _rows(data, DIFF_DTYPE, DIFF_ROWS_PER_ORDER_MAX * len(self.consumed))

    def public_values(self, data: memoryview) -> None:
        """Section 13."""
        _length(data, PUBLIC_VALUES_BYTES)
        self.claimed = bytes(data)

    def decoded(self) -> DecodedWitness:
        """The witness and what was made of it."""
        witness = Witness(
            network_id=self.network_id,
            shard=self.shard,
            epoch=self.epoch,
            params=self.raw_params,
            registry=self.raw_registry,
            reference=self.raw_reference,
            pool=self.pool,
            vaults=self.vault_rows,
            consumed=self.consumed,
            left=self.left,
            prices=self.price_list,
            pairs=self.pairs,
            paid=self.paid,
            overflow=self.overflow,
            inventory_after=self.inventory_after,
            omega=self.omega,
            demanded=self.demanded,
            rejects=self.reject_rows,
            amounts=self.amount_rows,
            diffs=self.diff_rows,
            public_values=self.claimed,
        )
        kind1 = kind1_index(self.order_rows)
        return DecodedWitness(
            witness,
            self.read_params,
            self.read_reference,
            self.order_rows,
            kind1,
            self.case,
            self.rates,
        )


def _expect(holds: bool, expected: str, observed: object) -> None:
    if not holds:
        raise CodecError("witness", expected, observed)


def _length(data: memoryview, size: int) -> None:
    _expect(len(data) == size, f"{size} bytes", len(data))


def _rows(data: memoryview, dtype: np.dtype[np.void], rows_max: int) -> NDArray[np.void]:
    size = dtype.itemsize
    _expect(len(data) % size == 0, f"rows of {size} bytes", len(data))
    _expect(len(data) // size <= rows_max, f"at most {rows_max} rows", len(data) // size)
    return np.frombuffer(data, dtype)
