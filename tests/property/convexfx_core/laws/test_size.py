"""Laws on epochs of a few thousand orders: by columns, and the index found again row by row."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from convexfx_core.laws import check, witness_laws
from convexfx_core.laws.engine import SCALAR_ORDERS_MAX
from convexfx_core.laws.l00_decode import decode
from convexfx_core.transition import EpochResult
from convexfx_core.witness.layout import Witness, encode_witness
from tests.support.clearing_cases import Shape
from tests.support.witnesses.epochs import EPOCH, epoch_of
from tests.support.witnesses.forge import edited, put, rediffed, verdict, witness_of

ORDERS = 3_000


@cache
def large() -> EpochResult:
    return epoch_of(Shape(assets=6, orders=ORDERS, gross=200.0), 1, cancels=60).apply()


def honest() -> Witness:
    return witness_of(large().witness)


def test_it_is_larger_than_what_is_read_row_by_row() -> None:
    assert len(honest().orders) > 4 * SCALAR_ORDERS_MAX
    assert check(large().witness) == large().public_values


def test_the_scalar_path_agrees_on_a_large_honest_one() -> None:
    assert check(large().witness, "scalar") == check(large().witness, "columnar")


def last_filled(witness: Witness) -> int:
    return int(np.flatnonzero(witness.paid)[-1])


def broken(name: str) -> tuple[Witness, int, int]:
    """(witness, law, index): one violation far down the table."""
    witness = honest()
    k, count = last_filled(witness), len(witness.consumed)
    match name:
        case "paid":
            paid = put(witness.paid, k, int(witness.consumed["budget"][k]) + 1)
            return rediffed(replace(witness, paid=paid)), 1, k
        case "received":
            more = int(witness.amounts["received"][k]) + 1
            return (
                rediffed(replace(witness, amounts=edited(witness.amounts, k, received=more))),
                3,
                k,
            )
        case "expiry":
            rows = edited(witness.consumed, count - 1, valid_until=EPOCH - 1)
            return replace(witness, consumed=rows), 15, count - 1
        case "left expiry":
            at = len(witness.left) - 1
            rows = edited(witness.left, at, valid_until=EPOCH - 1)
            return replace(witness, left=rows), 15, count + at
        case "nonce":
            rows = witness.vaults
            at, nonce = len(rows) - 1, int(rows["nonce"][-1]) + 1
            index = int(
                np.flatnonzero((witness.consumed["owner"] == rows["owner"][at]).all(axis=1))[0]
            )
            return replace(witness, vaults=edited(rows, at, nonce=nonce)), 14, index
        case "order":
            left = witness.left.copy()
            left[[-2, -1]] = left[[-1, -2]]
            return replace(witness, left=left), 13, len(witness.orders) - 1
        case "vault order":
            vaults = witness.vaults.copy()
            vaults[[-2, -1]] = vaults[[-1, -2]]
            return replace(witness, vaults=vaults), 13, len(witness.orders) + len(vaults) - 1
        case "diff":
            at = len(witness.diffs) - 1
            amount = int(witness.diffs["amount"][at]) + 1
            return replace(witness, diffs=edited(witness.diffs, at, amount=amount)), 18, at
        case _:
            raise AssertionError(name)


NAMES = ("paid", "received", "expiry", "left expiry", "nonce", "order", "vault order", "diff")


@pytest.mark.parametrize("name", NAMES)
def test_a_violation_far_down_is_reported_with_its_index(name: str) -> None:
    witness, law, index = broken(name)
    assert verdict(encode_witness(witness)) == (law, index)


@pytest.mark.parametrize("name", NAMES[:3])
def test_the_scalar_path_reports_the_same(name: str) -> None:
    witness, law, index = broken(name)
    assert verdict(encode_witness(witness), "scalar") == (law, index)


def test_budgets_of_one_vault_add_up_by_asset() -> None:
    witness = honest()
    rows = witness.consumed
    owner = witness.vaults["owner"][-1]
    mine = np.flatnonzero((rows["owner"] == owner).all(axis=1))
    assert len(mine) > 1
    asset = int(rows["pay"][mine[0]])
    paying = mine[rows["pay"][mine] == asset]
    owed = int(rows["budget"][paying].sum())
    for spare, due in ((0, None), (-1, (16, int(paying[-1])))):
        vaults = witness.vaults.copy()
        vaults["balance"][-1, asset] = owed + spare
        found = verdict(encode_witness(replace(witness, vaults=vaults)))
        assert found == (due or (19, 8)), "only the state root tells a balance that suffices"


def test_columns_that_disagree_with_rows_are_a_defect_that_stops() -> None:
    view = decode(large().witness)

    class Torn:
        def check_rows(self, _: object) -> None:
            """Finds nothing."""

        def holds(self, _: object) -> bool:
            return False

    with pytest.raises(AssertionError, match="columns and rows differ"):
        witness_laws.run_law(Torn(), view, "columnar")
    witness_laws.run_law(Torn(), view, "scalar")
