"""What rules an order out by itself: its row, its expiry, its vault's nonce, its size in bands.

These rules look at one order and the opening; ``book`` has those about several orders of a vault.
They run again on what was checked at intake, because the opening is known only now.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.key_columns import key_words
from convexfx_core.errors import RejectCode
from convexfx_core.ledger.vaults import Opening
from convexfx_core.limits import AMOUNT_MAX, EXPIRY_EPOCHS_MAX
from convexfx_core.market.params import Params
from convexfx_core.market.reference import Reference
from convexfx_core.orders.codes import first_codes
from convexfx_core.orders.row import KIND_ORDER
from convexfx_core.orders.rules import ADMISSION_RULES, OrderFields, breaches
from convexfx_core.units import gross_rate, rate_shift


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
    malformed = breaches(ADMISSION_RULES, OrderFields.of_rows(rows, opening.params.n))
    return first_codes(chain(malformed, _untimely(rows, sealed_epoch, vault, opening)), len(rows))


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


def _untimely(
    rows: NDArray[np.void],
    sealed_epoch: NDArray[np.uint64],
    vault: NDArray[np.int64],
    opening: Opening,
) -> Iterator[tuple[RejectCode, NDArray[np.bool_]]]:
    """What no row can break by itself: it depends on the epoch that the order would be in."""
    until = rows["valid_until"]
    yield RejectCode.OWNER_MISMATCH, _owned_by(rows, opening.pool.owner)
    yield RejectCode.NONCE_STALE, _stale(rows, vault, opening)
    yield RejectCode.EXPIRED, expired(until, sealed_epoch, opening.epoch)
    yield RejectCode.EXPIRY_TOO_FAR, until > sealed_epoch + np.uint64(EXPIRY_EPOCHS_MAX)
    yield RejectCode.AMOUNT_RANGE, _too_large(rows, opening.params, opening.reference)


def _owned_by(rows: NDArray[np.void], owner: bytes) -> NDArray[np.bool_]:
    words = key_words(np.frombuffer(owner, dtype=np.uint8).reshape(1, 32))
    return np.asarray((rows["owner"] == words).all(axis=1))


def _stale(rows: NDArray[np.void], vault: NDArray[np.int64], opening: Opening) -> NDArray[np.bool_]:
    if not len(opening.vaults):
        return np.asarray(rows["nonce"] == 0)
    settled = np.where(vault >= 0, opening.vaults.nonces[np.maximum(vault, 0)], 0)
    return np.asarray(rows["nonce"] <= settled)


def _too_large(rows: NDArray[np.void], params: Params, reference: Reference) -> NDArray[np.bool_]:
    last = params.n - 1
    limits = amount_limits(params, reference)
    most = limits[np.minimum(rows["pay"], last), np.minimum(rows["receive"], last)]
    return np.asarray((rows["kind"] == KIND_ORDER) & (rows["budget"] > most))
