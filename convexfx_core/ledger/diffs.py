"""From fills to what the domain submits: which orders are consumed, their diffs, the state after.

Every consumed order moves its vault's nonce, also one that is not filled; a filled one moves money
twice, from its vault to the pool and back in another token. The laws compute the same again
(L16 to L18). Everything is columnar; rows are in canonical order. Sources: ``docs/spec.md``
sections 3 and 6.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.canonical import Writer
from convexfx_core.encoding.hashing import TAG_ORDERS, TAG_SDL, TAG_SETTLE, tagged_hash
from convexfx_core.encoding.key_columns import find_keys, same_as_previous
from convexfx_core.encoding.merkle import table_root
from convexfx_core.errors import ExecutionCode, ExecutionError
from convexfx_core.ledger.rows import DIFF_ALLOWANCE, DIFF_DTYPE, DIFF_PAYOUT, SETTLEMENT_DTYPE
from convexfx_core.ledger.vaults import PoolState, VaultTable
from convexfx_core.limits import BALANCE_MAX
from convexfx_core.orders.row import KIND_CANCEL, ORDER_DTYPE, order_bytes

USER_FIRST: Final = 1
"""Diff rows name the pool 0 and the i-th vault row 1 + i."""


@dataclass(frozen=True, slots=True, eq=False)
class Fills:
    """Consumed orders in canonical order with their amounts; every column has K_c rows.

    Attributes
    ----------
    rows : order rows.
    paid, received, fee : u64, base units; ``received`` is net of ``fee``. 0 where not filled.
    """

    rows: NDArray[np.void]
    paid: NDArray[np.uint64]
    received: NDArray[np.uint64]
    fee: NDArray[np.uint64]

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Which of them are filled, bool[K_c]."""
        return self.paid > 0

    @property
    def count(self) -> int:
        """Number of filled orders."""
        return int(np.count_nonzero(self.paid))

    def settlement_rows(self) -> bytes:
        """Settlement rows, 16 bytes each: what the SDL hash binds."""
        table = np.empty(len(self.rows), dtype=SETTLEMENT_DTYPE)
        table["paid"], table["received"] = self.paid, self.received
        return table.tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class Payouts:
    """What the operator signs: one allowance from the pool for each filled order, in order.

    Attributes
    ----------
    consumed : i64[F], places among the consumed orders.
    order_ids : u8[F, 32] of the orders that are paid out.
    owners : F x 4 big-endian words, the credited vaults.
    asset : u16[F] registry indices.
    amount : u64[F] base units.
    nonce : u64[F], consecutive, the pool's nonces.
    """

    consumed: NDArray[np.int64]
    order_ids: NDArray[np.uint8]
    owners: NDArray[np.uint64]
    asset: NDArray[np.uint16]
    amount: NDArray[np.uint64]
    nonce: NDArray[np.uint64]

    def __len__(self) -> int:
        """Number of payouts."""
        return len(self.amount)


def consumed_mask(rows: NDArray[np.void], demanded: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which orders of a batch are consumed: in each vault all up to its last demanded or cancel.

    An order that rationing cuts to nothing was demanded all the same, and moved the prices.

    Parameters
    ----------
    rows : K order rows in canonical order. demanded : u64[K], 0 for cancels.
    """
    count = len(rows)
    if not count:
        return np.zeros(0, dtype=np.bool_)
    place = np.arange(count)
    acts = np.where((demanded > 0) | (rows["kind"] == KIND_CANCEL), place, -1)
    starts = np.flatnonzero(~same_as_previous(rows["owner"]))
    last = np.maximum.reduceat(acts, starts)
    return np.asarray(place <= np.repeat(last, np.diff(starts, append=count)))


def touched_vaults(vaults: VaultTable, consumed: NDArray[np.void]) -> VaultTable:
    """Vaults of the owners of consumed orders, increasing; those are the state that changes.

    Raises
    ------
    ExecutionError
        ``VAULT_MISSING`` if a consumed order has none.
    """
    first = ~same_as_previous(consumed["owner"])
    at = find_keys(vaults.owners, consumed["owner"][first])
    if (at < 0).any():
        place = int(np.flatnonzero(first)[np.flatnonzero(at < 0)[0]])
        raise ExecutionError(
            ExecutionCode.VAULT_MISSING, f"order {place}", "a vault of its owner", "none"
        )
    return vaults.take(at)


def vault_places(consumed: NDArray[np.void]) -> NDArray[np.int64]:
    """Place of each consumed order's vault among the touched vaults, i64[K_c]."""
    return np.cumsum(~same_as_previous(consumed["owner"])) - 1


def diff_rows(fills: Fills, pool_nonce: int) -> NDArray[np.void]:
    """Diff rows of the epoch: allowances in canonical order, then payouts in the same order.

    A filled order has the debit and the credit of its allowance and those of its payout, the
    debited vault first; any other consumed order has one row with amount 0.
    """
    filled, count = fills.filled, len(fills.rows)
    user = (vault_places(fills.rows) + USER_FIRST).astype(np.uint32)
    nonce = fills.rows["nonce"].astype(np.uint64)
    rows_each = 1 + filled
    first = np.cumsum(rows_each) - rows_each
    paid = fills.paid.astype(np.int64)
    debits = np.empty(count, dtype=DIFF_DTYPE)
    debits["position"], debits["vault"] = np.arange(count), user
    debits["asset"], debits["kind"] = fills.rows["pay"], DIFF_ALLOWANCE
    debits["amount"], debits["new_nonce"] = -paid, nonce
    allowances = np.empty(int(rows_each.sum()), dtype=DIFF_DTYPE)
    allowances[first] = debits
    credits = debits[filled]
    credits["vault"], credits["amount"] = 0, paid[filled]
    allowances[first[filled] + 1] = credits
    return np.concatenate([allowances, _payout_rows(fills, user, pool_nonce)])


def _payout_rows(fills: Fills, user: NDArray[np.uint32], pool_nonce: int) -> NDArray[np.void]:
    filled = fills.filled
    count, received = int(filled.sum()), fills.received[filled].astype(np.int64)
    rows = np.empty((count, 2), dtype=DIFF_DTYPE)
    order = np.arange(count)[:, None]
    rows["position"] = len(fills.rows) + order
    rows["vault"][:, 0], rows["vault"][:, 1] = 0, user[filled]
    rows["asset"], rows["kind"] = fills.rows["receive"][filled][:, None], DIFF_PAYOUT
    rows["amount"][:, 0], rows["amount"][:, 1] = -received, received
    rows["new_nonce"] = np.uint64(pool_nonce + 1) + order.astype(np.uint64)
    return rows.reshape(-1)


def payouts_of(fills: Fills, order_ids: NDArray[np.uint8], pool_nonce: int) -> Payouts:
    """Payouts of the filled orders; ``order_ids`` u8[K_c, 32] of the consumed ones."""
    at = np.flatnonzero(fills.filled)
    return Payouts(
        at,
        order_ids[at],
        fills.rows["owner"][at],
        fills.rows["receive"][at],
        fills.received[at],
        np.arange(pool_nonce + 1, pool_nonce + 1 + len(at), dtype=np.uint64),
    )


def orders_root(rows: NDArray[np.void]) -> bytes:
    """Table root of consumed order rows, 32 bytes."""
    return table_root(TAG_ORDERS, order_bytes(rows), ORDER_DTYPE.itemsize)


def sdl_hash(network_id: bytes, pool: PoolState, shard: int, fills: Fills, root: bytes) -> bytes:
    """SDL hash of ``docs/spec.md`` section 6, 32 bytes.

    ``pool`` as before the epoch, ``root`` the orders root of the fills' rows.
    """
    return tagged_hash(
        TAG_SDL,
        network_id,
        pool.owner,
        Writer().u64(shard, "shard").u64(pool.nonce + 1, "nonce").getvalue(),
        root,
        table_root(TAG_SETTLE, fills.settlement_rows(), SETTLEMENT_DTYPE.itemsize),
    )


def pool_after(pool: PoolState, fills: Fills) -> PoolState:
    """The pool after the fills; ``ExecutionError`` BALANCE if an amount leaves its range."""
    n = len(pool.balances)
    paid = column_sums(fills.rows["pay"], fills.paid, n)
    received = column_sums(_receive(fills), fills.received, n)
    fees = column_sums(_receive(fills), fills.fee, n)
    balances = _moved(pool.balances, paid, received)
    fees_accrued = tuple(a + b for a, b in zip(pool.fees_accrued, fees, strict=True))
    for asset, (balance, accrued) in enumerate(zip(balances, fees_accrued, strict=True)):
        if not accrued <= balance <= BALANCE_MAX:
            field = f"pool balance of asset {asset}"
            raise _balance(field, f"fees accrued {accrued} to 2^63 - 1", balance)
    return PoolState(pool.owner, pool.nonce + fills.count, balances, fees_accrued)


def vaults_after(vaults: VaultTable, fills: Fills) -> VaultTable:
    """The touched vaults after the fills; ``ExecutionError`` BALANCE if one leaves its range."""
    n, vault = vaults.n, vault_places(fills.rows)
    size = len(vaults) * n
    paid = wide_sums(vault * n + fills.rows["pay"], fills.paid, size)
    received = wide_sums(vault * n + _receive(fills), fills.received, size)
    before = vaults.balances.reshape(-1)
    low_mask, half = np.uint64(0xFFFF_FFFF), np.uint64(32)
    low = (before & low_mask).astype(np.int64) + received[0] - paid[0]
    high = (before >> half).astype(np.int64) + received[1] - paid[1] + (low >> 32)
    if (bad := np.flatnonzero((high < 0) | (high >= 1 << 31))).size:
        row, asset = divmod(int(bad[0]), n)
        at = int(bad[0])
        value = (int(high[at]) << 32) + (int(low[at]) & 0xFFFF_FFFF)
        raise _balance(f"vault {row}, asset {asset}", "0 to 2^63 - 1", value)
    balances = (high.astype(np.uint64) << half) | (low & 0xFFFF_FFFF).astype(np.uint64)
    nonces = vaults.nonces.copy()
    nonces[vault] = fills.rows["nonce"]
    return VaultTable(vaults.owners, nonces, balances.reshape(len(vaults), n))


def column_sums(
    keys: NDArray[np.unsignedinteger] | NDArray[np.int64], values: NDArray[np.uint64], size: int
) -> tuple[int, ...]:
    """Exact sums of ``values`` by key in [0, size)."""
    low, high = wide_sums(keys, values, size)
    return tuple(a + (b << 32) for a, b in zip(low.tolist(), high.tolist(), strict=True))


def wide_sums(
    keys: NDArray[np.unsignedinteger] | NDArray[np.int64], values: NDArray[np.uint64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sums by key as two i64 columns, low + 2^32 high, for at most 2^24 rows."""
    low, high = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    places = keys.astype(np.intp)
    np.add.at(low, places, (values & np.uint64(0xFFFF_FFFF)).astype(np.int64))
    np.add.at(high, places, (values >> np.uint64(32)).astype(np.int64))
    return low, high


def _receive(fills: Fills) -> NDArray[np.int64]:
    """Receive asset of each order; 0, where nothing is added, for those without one."""
    return np.where(fills.rows["kind"] == KIND_CANCEL, 0, fills.rows["receive"]).astype(np.int64)


def _moved(
    before: tuple[int, ...], more: tuple[int, ...], less: tuple[int, ...]
) -> tuple[int, ...]:
    return tuple(b + m - x for b, m, x in zip(before, more, less, strict=True))


def _balance(field: str, expected: str, value: int) -> ExecutionError:
    return ExecutionError(ExecutionCode.BALANCE, field, f"{expected} base units", value)
