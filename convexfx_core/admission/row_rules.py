"""What rules an order out by itself: its row, its expiry, its vault's nonce, its size in bands.

These rules look at one order and the opening; ``book`` has those about several orders of a vault.
They run again on what was checked at intake, because the opening is known only now.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.key_columns import key_words
from convexfx_core.errors import RejectCode
from convexfx_core.ledger.vaults import Opening
from convexfx_core.limits import (
    AMOUNT_MAX,
    EXPIRY_EPOCHS_MAX,
    LIMIT_EXPONENT_MAX,
    LIMIT_EXPONENT_MIN,
)
from convexfx_core.market.params import Params
from convexfx_core.market.reference import Reference
from convexfx_core.orders.row import (
    KIND_CANCEL,
    KIND_ORDER,
    LIMIT_LIMIT,
    LIMIT_MARKET,
    MANTISSA_MAX,
    MANTISSA_MIN,
    NO_ASSET,
)
from convexfx_core.units import gross_rate, rate_shift

ACCEPTED: Final = 255
"""Code of an order that nothing rules out; otherwise the place in ``tuple(RejectCode)``."""
_PLACES: Final = {code: place for place, code in enumerate(RejectCode)}


def row_rejects(
    rows: NDArray[np.void],
    sealed_epoch: NDArray[np.uint64],
    vault: NDArray[np.int64],
    opening: Opening,
) -> NDArray[np.uint8]:
    """Reject code of each of K orders, u8[K]; the first check of those below that fails.

    Parameters
    ----------
    rows : order rows.
    sealed_epoch : u64[K], the epoch that first sealed each order.
    vault : i64[K], place of its vault in ``opening.vaults``, -1 for none.
    opening : what the epoch starts from.
    """
    codes = np.full(len(rows), ACCEPTED, dtype=np.uint8)
    checks = (
        *_malformed(rows, opening.params.n),
        (RejectCode.OWNER_MISMATCH, _owned_by(rows, opening.pool.owner)),
        (RejectCode.NONCE_STALE, _stale(rows, vault, opening)),
        *_outlived(rows["valid_until"], sealed_epoch, opening.epoch),
        (RejectCode.AMOUNT_RANGE, _too_large(rows, opening.params, opening.reference)),
    )
    for code, failed in reversed(checks):
        codes[failed] = _PLACES[code]
    return codes


def amount_limits(params: Params, reference: Reference) -> NDArray[np.uint64]:
    """Largest budget of each directed pair whose gross amount stays below 2^62, u64[n, n].

    Over all prices inside the bands; the diagonal and pairs without a rate allow nothing.
    """
    n = params.n
    limits = np.zeros((n, n), dtype=np.uint64)
    for pay in range(n):
        for receive in range(n):
            if pay != receive:
                shift = rate_shift(reference.pbar[pay], reference.pbar[receive])
                best = gross_rate(reference.phi[pay], reference.plo[receive], max(shift, 0))
                most = (((AMOUNT_MAX + 1) << max(shift, 0)) - 1) // best if best else 0
                limits[pay, receive] = min(most, AMOUNT_MAX) if shift >= 0 else 0
    return limits


def expired(
    valid_until: NDArray[np.uint64], sealed_epoch: NDArray[np.uint64], epoch: int
) -> NDArray[np.bool_]:
    """Whether orders can no longer be in ``epoch``; ``valid_until`` 0 is the sealing epoch only."""
    last = np.where(valid_until == 0, sealed_epoch, valid_until)
    return last < epoch


def _malformed(rows: NDArray[np.void], n: int) -> tuple[tuple[RejectCode, NDArray[np.bool_]], ...]:
    kind, budget = rows["kind"], rows["budget"]
    order, cancel = kind == KIND_ORDER, kind == KIND_CANCEL
    mantissa, exponent = rows["limit_m"], rows["limit_e"]
    in_range = (
        (mantissa >= MANTISSA_MIN)
        & (mantissa <= MANTISSA_MAX)
        & (exponent >= LIMIT_EXPONENT_MIN)
        & (exponent <= LIMIT_EXPONENT_MAX)
    )
    limit, market = rows["limit_kind"] == LIMIT_LIMIT, rows["limit_kind"] == LIMIT_MARKET
    receive = np.where(cancel, rows["receive"] != NO_ASSET, rows["receive"] >= n)
    return (
        (RejectCode.TERMS, ~(order | cancel) | ~(limit | market)),
        (RejectCode.ASSET_UNKNOWN, (rows["pay"] >= n) | receive),
        (RejectCode.CANCEL_AMOUNT, cancel & (budget != 0)),
        (RejectCode.SELF_PAIR, order & (rows["pay"] == rows["receive"])),
        (RejectCode.BUDGET_ZERO, order & (budget == 0)),
        (RejectCode.AMOUNT_RANGE, budget > AMOUNT_MAX),
        (RejectCode.LIMIT_RANGE, limit & ~in_range),
        (RejectCode.MIN_FILL_RANGE, rows["min_fill"] > budget),
    )


def _owned_by(rows: NDArray[np.void], owner: bytes) -> NDArray[np.bool_]:
    words = key_words(np.frombuffer(owner, dtype=np.uint8).reshape(1, 32))
    return np.asarray((rows["owner"] == words).all(axis=1))


def _stale(rows: NDArray[np.void], vault: NDArray[np.int64], opening: Opening) -> NDArray[np.bool_]:
    if not len(opening.vaults):
        return np.asarray(rows["nonce"] == 0)
    settled = np.where(vault >= 0, opening.vaults.nonces[np.maximum(vault, 0)], 0)
    return np.asarray(rows["nonce"] <= settled)


def _outlived(
    valid_until: NDArray[np.uint64], sealed_epoch: NDArray[np.uint64], epoch: int
) -> tuple[tuple[RejectCode, NDArray[np.bool_]], ...]:
    too_far = valid_until > sealed_epoch + np.uint64(EXPIRY_EPOCHS_MAX)
    return (
        (RejectCode.EXPIRED, expired(valid_until, sealed_epoch, epoch)),
        (RejectCode.EXPIRY_TOO_FAR, too_far),
    )


def _too_large(rows: NDArray[np.void], params: Params, reference: Reference) -> NDArray[np.bool_]:
    last = params.n - 1
    limits = amount_limits(params, reference)
    most = limits[np.minimum(rows["pay"], last), np.minimum(rows["receive"], last)]
    return np.asarray((rows["kind"] == KIND_ORDER) & (rows["budget"] > most))
