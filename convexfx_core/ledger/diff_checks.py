"""Checks on diff rows before they are submitted, from the rows and the vaults alone.

No law stands in for them: they look at what is about to be sent, not at how it was made. Rows that
come from ``diff_rows`` pass; a gateway that would refuse the array is never asked.
"""

import numpy as np
from numpy.typing import NDArray

from convexfx_core.errors import ExecutionCode, ExecutionError
from convexfx_core.ledger.diffs import USER_FIRST, wide_sums
from convexfx_core.ledger.rows import DIFF_ALLOWANCE
from convexfx_core.ledger.vaults import PoolState, VaultTable

Rows = NDArray[np.void]


def check_diffs(diffs: Rows, verifiables: int, pool: PoolState, vaults: VaultTable) -> None:
    """Hold diff rows to what delta asks of an array of verifiables.

    Parameters
    ----------
    diffs : :data:`convexfx_core.ledger.rows.DIFF_DTYPE` rows in submission order.
    verifiables : how many are submitted.
    pool, vaults : before the epoch; vault 1 + i of a row is row i of ``vaults``.

    Raises
    ------
    ExecutionError
        VAULT_MISSING, ASSET_UNKNOWN, TOKENS_EMPTY, NONCE_NOT_NEXT or BALANCE, in
        this sequence, for the first row or vault that is wrong.
    """
    _first(diffs["vault"] > len(vaults), ExecutionCode.VAULT_MISSING, "a known vault")
    _first(diffs["asset"] >= vaults.n, ExecutionCode.ASSET_UNKNOWN, f"below {vaults.n}")
    _check_positions(diffs, verifiables)
    _check_nonces(diffs, pool, vaults)
    _check_balances(diffs, pool, vaults)


def _first(wrong: NDArray[np.bool_], code: ExecutionCode, expected: str) -> None:
    if wrong.any():
        raise ExecutionError(code, f"diff row {int(np.argmax(wrong))}", expected)


def _check_positions(diffs: Rows, verifiables: int) -> None:
    """Every verifiable has a row, in its place; what it moves sums to zero in one token."""
    position = diffs["position"].astype(np.int64)
    firsts = np.flatnonzero(np.diff(position, prepend=-1))
    if not np.array_equal(position[firsts], np.arange(verifiables)):
        raise _empty("verifiables", f"diffs for each of {verifiables}, in order")
    sizes = np.diff(firsts, append=len(diffs))
    sums = np.add.reduceat(diffs["amount"], firsts) if len(firsts) else np.zeros(0, np.int64)
    moves = (sizes == 2) & (diffs["amount"][firsts] < 0)
    idle = (sizes == 1) & (diffs["kind"][firsts] == DIFF_ALLOWANCE)
    one_token = diffs["asset"] == np.repeat(diffs["asset"][firsts], sizes)
    good = (sums == 0) & (moves | idle) & np.logical_and.reduceat(one_token, firsts)
    if not good.all():
        place = int(np.argmin(good))
        raise _empty(f"verifiable {place}", "a debit and its credit, or one zero debit")


def _empty(field: str, expected: str) -> ExecutionError:
    return ExecutionError(ExecutionCode.TOKENS_EMPTY, field, expected)


def _check_nonces(diffs: Rows, pool: PoolState, vaults: VaultTable) -> None:
    """The debited vault of each verifiable uses its next nonce."""
    firsts = np.diff(diffs["position"].astype(np.int64), prepend=-1) > 0
    vault, nonce = diffs["vault"][firsts].astype(np.int64), diffs["new_nonce"][firsts]
    order = np.argsort(vault, kind="stable")
    held = np.append(np.array([pool.nonce], np.uint64), vaults.nonces)
    starts = np.flatnonzero(np.diff(vault[order], prepend=-1))
    step = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order))) + 1
    due = np.empty(len(order), dtype=np.uint64)
    due[order] = held[vault[order]] + step.astype(np.uint64)
    if (nonce != due).any():
        at = int(np.argmax(nonce != due))
        raise ExecutionError(
            ExecutionCode.NONCE_NOT_NEXT, f"verifiable {at}", str(due[at]), int(nonce[at])
        )


def _check_balances(diffs: Rows, pool: PoolState, vaults: VaultTable) -> None:
    """No vault is overdrawn: allowances come before payouts, so debits stand first everywhere."""
    n = vaults.n
    held = np.concatenate([np.array([pool.balances], np.uint64), vaults.balances]).reshape(-1)
    key = diffs["vault"].astype(np.int64) * n + diffs["asset"]
    debits, credits = diffs["amount"] < 0, diffs["amount"] > 0
    credits &= diffs["vault"] < USER_FIRST
    size = np.abs(diffs["amount"]).astype(np.uint64)
    low, high = wide_sums(key[debits], size[debits], len(held))
    low_in, high_in = wide_sums(key[credits], size[credits], len(held))
    low = (held & np.uint64(0xFFFF_FFFF)).astype(np.int64) - low + low_in
    high = (held >> np.uint64(32)).astype(np.int64) - high + high_in + (low >> 32)
    if (high < 0).any():
        vault, asset = divmod(int(np.argmax(high < 0)), n)
        field = f"asset {asset} of {'the pool' if vault == 0 else f'vault {vault - USER_FIRST}'}"
        raise ExecutionError(ExecutionCode.BALANCE, field, "enough balance")
