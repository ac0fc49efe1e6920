"""The rules of admission, one order at a time: what the columnar book must agree with."""

from dataclasses import dataclass, field

import numpy as np

from convexfx_core.errors import ParkCode, RejectCode
from convexfx_core.ledger.vaults import Opening
from convexfx_core.limits import AMOUNT_MAX, EXPIRY_EPOCHS_MAX
from convexfx_core.orders.row import KIND_CANCEL
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.units import gross_rate, rate_shift


@dataclass
class Result:
    """Positions of the candidates, by fate."""

    admitted: list[int] = field(default_factory=list)
    parked: dict[int, ParkCode] = field(default_factory=dict)
    rejected: dict[int, RejectCode] = field(default_factory=dict)
    duplicates: int = 0


def admit_one_by_one(book: SealedOrders, opening: Opening) -> Result:
    """Fate of every candidate of ``book``, duplicates aside."""
    result = Result()
    copies: dict[bytes, int] = {}
    for at in sorted(range(len(book)), key=lambda i: (book.sealed_epoch[i], signature(book, i))):
        if copies.setdefault(book.order_ids[at].tobytes(), at) != at:
            result.duplicates += 1
    slots: dict[tuple[bytes, int], list[int]] = {}
    for at in copies.values():
        code = reject_code(book, at, opening)
        if code is not None:
            result.rejected[at] = code
        else:
            slots.setdefault(slot(book, at), []).append(at)
    winners: dict[bytes, list[int]] = {}
    for (owner, _), rivals in sorted(slots.items()):
        best, *others = sorted(rivals, key=lambda i: rank(book, i))
        winners.setdefault(owner, []).append(best)
        for at in others:
            cancelled = is_cancel(book, best) and not is_cancel(book, at)
            result.rejected[at] = RejectCode.CANCELLED if cancelled else RejectCode.NONCE_TAKEN
    for owner, listed in winners.items():
        walk_vault(book, owner, listed, opening, result)
    return result


def walk_vault(
    book: SealedOrders, owner: bytes, listed: list[int], opening: Opening, result: Result
) -> None:
    """Take a vault's orders in nonce order until one must wait."""
    vault = vault_of(owner, opening)
    nonce, balances = vault or (0, (0,) * opening.params.n)
    spent = [0] * opening.params.n
    waiting: ParkCode | None = None
    for at in listed:
        row = book.rows[at]
        if waiting is None:
            spent[row["pay"]] += int(row["budget"])
            if row["nonce"] != nonce + 1:
                waiting = ParkCode.NONCE_GAP
            elif vault is None or spent[row["pay"]] > balances[row["pay"]]:
                waiting = ParkCode.INSUFFICIENT_BALANCE
            nonce += 1
        if waiting is None:
            result.admitted.append(at)
        else:
            result.parked[at] = waiting
            waiting = ParkCode.BEHIND_PARKED


def reject_code(book: SealedOrders, at: int, opening: Opening) -> RejectCode | None:
    """Why a well-formed order is refused by itself, or None."""
    row, sealed = book.rows[at], int(book.sealed_epoch[at])
    vault = vault_of(row["owner"].tobytes(), opening)
    last = int(row["valid_until"]) or sealed
    if row["owner"].tobytes() == opening.pool.owner:
        return RejectCode.OWNER_MISMATCH
    if row["nonce"] <= (vault[0] if vault else 0):
        return RejectCode.NONCE_STALE
    if last < opening.epoch:
        return RejectCode.EXPIRED
    if row["valid_until"] > sealed + EXPIRY_EPOCHS_MAX:
        return RejectCode.EXPIRY_TOO_FAR
    if not is_cancel(book, at) and best_amount(row, opening) > AMOUNT_MAX:
        return RejectCode.AMOUNT_RANGE
    return None


def best_amount(row: np.void, opening: Opening) -> int:
    """Gross amount at the best rate inside the bands."""
    pay, receive, ref = int(row["pay"]), int(row["receive"]), opening.reference
    shift = rate_shift(ref.pbar[pay], ref.pbar[receive])
    return int(row["budget"]) * gross_rate(ref.phi[pay], ref.plo[receive], shift) >> shift


def vault_of(owner: bytes, opening: Opening) -> tuple[int, tuple[int, ...]] | None:
    """Nonce and balances of a vault, or None."""
    table = opening.vaults
    for at in range(len(table)):
        if table.owners[at].tobytes() == owner:
            return int(table.nonces[at]), tuple(int(b) for b in table.balances[at])
    return None


def slot(book: SealedOrders, at: int) -> tuple[bytes, int]:
    """Owner and nonce."""
    return book.rows[at]["owner"].tobytes(), int(book.rows[at]["nonce"])


def rank(book: SealedOrders, at: int) -> tuple[bool, int, bytes]:
    """Cancels in front, then the first sealed, then the lowest id."""
    return not is_cancel(book, at), int(book.sealed_epoch[at]), book.order_ids[at].tobytes()


def is_cancel(book: SealedOrders, at: int) -> bool:
    """Whether the candidate is a cancel."""
    return bool(book.rows[at]["kind"] == KIND_CANCEL)


def signature(book: SealedOrders, at: int) -> bytes:
    """Its signature's bytes."""
    return book.signatures[at].tobytes()
