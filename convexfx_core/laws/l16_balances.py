"""L16: budgets fit the balances before the epoch, and every balance after it is in range.

A filled order must be payable, whatever part of it is filled. The budgets of a vault's consumed
orders that pay one asset, one after the other, stay within the vault's balance of it. Index: order
index; K + i for vault row i with a balance after the epoch outside [0, 2^63); K + V + asset for the
pool's balance outside [fees accrued, 2^63). Source: ``docs/invariants.md``, L16.
"""

from collections import defaultdict

import numpy as np

from convexfx_core.errors import ExecutionError, LawViolated
from convexfx_core.laws.decoded_witness import DecodedWitness
from convexfx_core.ledger.diffs import pool_after, vault_places, vaults_after, wide_sums
from convexfx_core.ledger.vaults import VaultTable
from convexfx_core.limits import BALANCE_MAX
from convexfx_core.orders.row import NO_ASSET

LAW = 16


def check_rows(decoded: DecodedWitness) -> None:
    """Row by row; :class:`LawViolated` with the smallest index, given that L13 and L14 hold."""
    vaults, places = decoded.witness.vaults, vault_places(decoded.witness.consumed)
    promised: dict[tuple[int, int], int] = defaultdict(int)
    for index, row in enumerate(decoded.witness.consumed):
        place, asset = int(places[index]), int(row["pay"])
        promised[place, asset] += int(row["budget"])
        balance = int(vaults[place]["balance"][asset])
        if promised[place, asset] > balance:
            raise LawViolated(LAW, index, promised[place, asset], balance)
    _check_vaults_after(decoded)
    _check_pool_after(decoded)


def _check_vaults_after(decoded: DecodedWitness) -> None:
    places = vault_places(decoded.witness.consumed)
    after = [[int(b) for b in row["balance"]] for row in decoded.witness.vaults]
    for index, row in enumerate(decoded.witness.consumed):
        balances = after[int(places[index])]
        balances[int(row["pay"])] -= int(decoded.witness.paid[index])
        if row["receive"] != NO_ASSET:
            balances[int(row["receive"])] += int(decoded.witness.amounts["received"][index])
    for place, balances in enumerate(after):
        for value in balances:
            _in_range(len(decoded.orders) + place, value)


def _check_pool_after(decoded: DecodedWitness) -> None:
    pool, base = decoded.witness.pool, len(decoded.orders) + len(decoded.witness.vaults)
    balances, fees = list(pool.balances), list(pool.fees_accrued)
    for index, row in enumerate(decoded.witness.consumed):
        balances[int(row["pay"])] += int(decoded.witness.paid[index])
        if row["receive"] != NO_ASSET:
            received, fee = decoded.witness.amounts[index]
            balances[int(row["receive"])] -= int(received)
            fees[int(row["receive"])] += int(fee)
    for asset, (balance, accrued) in enumerate(zip(balances, fees, strict=True)):
        _in_range(base + asset, balance, accrued)


def _in_range(index: int, value: int, low: int = 0) -> None:
    if not low <= value <= BALANCE_MAX:
        raise LawViolated(LAW, index, value, f"{low} to {BALANCE_MAX}")


def holds(decoded: DecodedWitness) -> bool:
    """By columns: whether :func:`check_rows` raises nothing, given that L13 and L14 hold."""
    rows, n, vaults = decoded.witness.consumed, decoded.params.n, decoded.witness.vaults
    keys = vault_places(rows) * n + rows["pay"]
    low, high = wide_sums(keys, rows["budget"], len(vaults) * n)
    balance = vaults["balance"].reshape(-1).astype(np.uint64)
    high, low = high + (low >> 32), low & 0xFFFF_FFFF
    room_high = (balance >> np.uint64(32)).astype(np.int64)
    room_low = (balance & np.uint64(0xFFFF_FFFF)).astype(np.int64)
    if ((high > room_high) | ((high == room_high) & (low > room_low))).any():
        return False
    try:
        vaults_after(vault_table(decoded), decoded.fills)
        pool_after(decoded.witness.pool, decoded.fills)
    except ExecutionError:
        return False
    return True


def vault_table(decoded: DecodedWitness) -> VaultTable:
    """The witness's vault rows as a table, given that L13 holds."""
    rows = decoded.witness.vaults
    return VaultTable(
        rows["owner"], rows["nonce"].astype(np.uint64), rows["balance"].astype(np.uint64)
    )
