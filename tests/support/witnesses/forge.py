"""Witnesses that nobody should accept: forged parts, everything else consistent.

``forge`` derives amounts, inventory, diffs and rates from whatever orders and fills it is given;
``amend`` changes one section; ``seal_without`` adds public values that follow when one law is off,
so that the law in question is all that stands between the forgery and acceptance.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np

from convexfx_core.errors import LawViolated
from convexfx_core.laws import certify, check, witness_laws
from convexfx_core.laws.l00_decode import decode
from convexfx_core.ledger.diffs import Fills, diff_rows
from convexfx_core.settlement.settle import settle
from convexfx_core.witness.build import build_witness, clearing_case, split_batch
from convexfx_core.witness.layout import Witness, encode_witness, with_public_values
from tests.support.witnesses.epochs import Epoch

evaluate = witness_laws.evaluate
Rows = np.ndarray
ASSET_LAWS = {
    6: certify.l06_inventory,
    7: certify.l07_band,
    8: certify.l08_overflow,
    9: certify.l09_price_rule,
    11: certify.l11_rejects,
    12: certify.l12_bounds,
}


def forge(epoch: Epoch, rows: Rows | None = None, **proposed: Any) -> Witness:
    """Witness of an epoch with other order rows or another proposal, consistently settled."""
    rows = epoch.batch.orders.rows if rows is None else rows
    proposal = replace(epoch.proposal, **proposed)
    settlement = settle(clearing_case(epoch.opening, rows), proposal)
    parts = split_batch(epoch.opening, rows, proposal, settlement)
    return build_witness(epoch.opening, rows, proposal, settlement, parts)


def rediffed(witness: Witness) -> Witness:
    """The witness with the diff rows that follow from its orders and amounts."""
    received, fee = witness.amounts["received"], witness.amounts["fee"]
    fills = Fills(witness.consumed, witness.paid, received, fee)
    return replace(witness, diffs=diff_rows(fills, witness.pool.nonce))


def with_opening(epoch: Epoch, /, **changes: Any) -> Epoch:
    """The epoch from another opening."""
    return replace(epoch, opening=replace(epoch.opening, **changes))


def edited(array: Rows, at: int, **fields: Any) -> Rows:
    """A copy of a structured array with fields of one row replaced."""
    array = array.copy()
    for name, value in fields.items():
        array[name][at] = value
    return array


def put(array: Rows, at: int, value: int) -> Rows:
    """A copy of a plain array with one value replaced."""
    array = array.copy()
    array[at] = value
    return array


def kind1_place(rows: Rows, at: int) -> int:
    """Position among the kind-1 orders of the row at ``at``."""
    return int(np.count_nonzero(rows["kind"][:at] == 1))


@contextmanager
def law_off(law: int | None) -> Iterator[None]:
    """Switch one law off, as a test build would."""
    with ExitStack() as stack:
        for target in _patches(law):
            stack.enter_context(target)
        yield


def _nothing(*_: object) -> None:
    """A law that finds nothing."""


def _patches(law: int | None) -> list[Any]:
    found: list[Any] = []
    if law in certify.ORDER_LAWS:
        kept = {number: value for number, value in certify.ORDER_LAWS.items() if number != law}
        found.append(patch.dict(certify.ORDER_LAWS, kept, clear=True))
    if law in (1, 3):
        found.append(patch.object(witness_laws, "first_violation", _nothing))
    if law in ASSET_LAWS:
        found.append(patch.object(ASSET_LAWS[law], "breach", _nothing))
    if law == 10:
        found.append(patch.object(certify.l10_ration, "breach_of_asset", _nothing))
    if law in (13, 14, 15, 16):
        others = tuple(m for m in witness_laws.L13_TO_L16 if vars(m)["LAW"] != law)
        found.append(patch.object(witness_laws, "L13_TO_L16", others))
    if law == 17:
        found.append(patch.object(witness_laws, "check_l17", _nothing))
    if law == 20:
        found.append(patch.object(witness_laws, "check_l20", _nothing))
    if law == 18:
        found.append(patch.object(witness_laws, "run_law", _all_but_l18))
    return found


def _all_but_l18(law: Any, view: Any, path: Any, run: Any = witness_laws.run_law) -> None:
    if law is not witness_laws.L18:
        run(law, view, path)


def seal_without(witness: Witness, law: int | None = None) -> bytes:
    """Encode with the public values that follow when ``law`` is off."""
    draft = encode_witness(witness)
    with law_off(law):
        return with_public_values(draft, evaluate(draft).public_values.to_bytes())


def verdict(data: bytes, path: Any = "auto") -> tuple[int, int] | None:
    """(law, index) of the violation, None if every law holds."""
    try:
        check(data, path)
    except LawViolated as violation:
        return violation.law, violation.index
    return None


def witness_of(data: bytes) -> Witness:
    """The sections of an encoded witness that satisfies L0."""
    return decode(data).witness
