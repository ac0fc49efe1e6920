"""L18: the claimed diff rows are those that follow from the fills, in submission order.

What delta applies is what was cleared. A filled order moves paid from the vault to the pool and
received back, so each token's sum over all rows is zero. Index: the first row that differs, or that
one side lacks. Source: ``docs/spec.md`` section 3 and ``docs/invariants.md``, L18.
"""

from collections.abc import Iterator

from convexfx_core.errors import LawViolated
from convexfx_core.laws.decoded_witness import DecodedWitness
from convexfx_core.ledger.diffs import USER_FIRST, diff_rows, vault_places
from convexfx_core.ledger.rows import DIFF_ALLOWANCE, DIFF_DTYPE, DIFF_PAYOUT

LAW = 18
Row = tuple[int, int, int, int, int, int]


def check_rows(decoded: DecodedWitness) -> None:
    """Row by row; :class:`LawViolated` with the smallest index."""
    claimed = [row.item() for row in decoded.witness.diffs]
    derived = [*_allowances(decoded), *_payouts(decoded)]
    for index in range(max(len(claimed), len(derived))):
        there = claimed[index] if index < len(claimed) else "no row"
        due = derived[index] if index < len(derived) else "no row"
        if there != due:
            raise LawViolated(LAW, index, there, due)


def _allowances(decoded: DecodedWitness) -> Iterator[Row]:
    places = vault_places(decoded.witness.consumed)
    for position, row in enumerate(decoded.witness.consumed):
        user, asset = int(places[position]) + USER_FIRST, int(row["pay"])
        paid, nonce = int(decoded.witness.paid[position]), int(row["nonce"])
        yield position, user, asset, DIFF_ALLOWANCE, -paid, nonce
        if paid:
            yield position, 0, asset, DIFF_ALLOWANCE, paid, nonce


def _payouts(decoded: DecodedWitness) -> Iterator[Row]:
    witness, places = decoded.witness, vault_places(decoded.witness.consumed)
    filled = [index for index, paid in enumerate(witness.paid) if paid > 0]
    for count, index in enumerate(filled):
        user, asset = int(places[index]) + USER_FIRST, int(witness.consumed[index]["receive"])
        received = int(witness.amounts["received"][index])
        position, nonce = len(witness.consumed) + count, witness.pool.nonce + 1 + count
        yield position, 0, asset, DIFF_PAYOUT, -received, nonce
        yield position, user, asset, DIFF_PAYOUT, received, nonce


def holds(decoded: DecodedWitness) -> bool:
    """By columns: whether :func:`check_rows` raises nothing, given that L1 to L16 hold."""
    derived = diff_rows(decoded.fills, decoded.witness.pool.nonce)
    claimed = decoded.witness.diffs.astype(DIFF_DTYPE, copy=False)
    return len(derived) == len(claimed) and derived.tobytes() == claimed.tobytes()
