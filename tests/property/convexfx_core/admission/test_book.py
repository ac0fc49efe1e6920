"""The columnar book and the one-by-one rules agree on random books, in every sequence."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.admission.book import Batch, admit
from convexfx_core.orders.sealed import SealedOrders
from tests.support.admission_reference import Result, admit_one_by_one
from tests.support.epoch_cases import EPOCH, LIMIT_ONE, Sketch, opening_of, sealed

BUDGETS = st.sampled_from([1, 2, 9, 10, 11, 500, 999, 1_000, 1_001, (1 << 61), (1 << 62) - 1])
PAIRS = st.sampled_from([(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)])
BALANCES = st.sampled_from([0, 9, 10, 20, 1_000, 1 << 62, (1 << 64) - 1])


@st.composite
def sketches(draw: st.DrawFn) -> Sketch:
    """An order with many near neighbours."""
    pay, receive = draw(PAIRS)
    epoch = draw(st.sampled_from([EPOCH, EPOCH, EPOCH, EPOCH - 1, EPOCH - 3]))
    until = draw(st.sampled_from([0, EPOCH - 1, EPOCH, EPOCH + 1, epoch + 1_440, epoch + 1_441]))
    return Sketch(
        vault=draw(st.sampled_from([0, 0, 1, 1, 2, 3, 4, 255])),
        nonce=draw(st.integers(1, 6)),
        budget=draw(BUDGETS),
        pay=pay,
        receive=receive,
        cancel=draw(st.sampled_from([False, False, False, True])),
        sealed=epoch,
        valid_until=until,
        limit=draw(st.sampled_from([None, LIMIT_ONE])),
        salt=draw(st.integers(0, 1)),
        signature=draw(st.integers(0, 1)),
    )


def vault_state() -> st.SearchStrategy[tuple[int, tuple[int, int, int]]]:
    """Nonce and balances."""
    return st.tuples(st.integers(0, 3), st.tuples(BALANCES, BALANCES, BALANCES))


def well_formed(sketch: Sketch) -> bool:
    return not (sketch.cancel and sketch.budget != 10)


BOOKS = st.lists(sketches().filter(well_formed), max_size=40)
VAULTS = st.fixed_dictionaries({number: vault_state() for number in range(4)})


def fates(book: SealedOrders, batch: Batch) -> tuple[list[bytes], dict[bytes, str]]:
    """Ids of the batch in order, and the reason of every other id."""
    reasons = {
        left.orders.order_ids[k].tobytes(): str(left.code(k))
        for left in (batch.parked, batch.rejected)
        for k in range(len(left))
    }
    return [row.tobytes() for row in batch.orders.order_ids], reasons


def expected_fates(book: SealedOrders, result: Result) -> tuple[list[bytes], dict[bytes, str]]:
    names = [row.tobytes() for row in book.order_ids]
    reasons = {names[at]: str(code) for at, code in {**result.parked, **result.rejected}.items()}
    return [names[at] for at in result.admitted], reasons


@settings(max_examples=250, deadline=None)
@given(BOOKS, VAULTS, st.randoms(use_true_random=False))
def test_columns_and_single_orders_agree(
    book: list[Sketch], vaults: dict[int, tuple[int, tuple[int, int, int]]], shuffler: object
) -> None:
    opening, candidates = opening_of(vaults), sealed(*book)
    batch = admit(candidates, opening)
    result = admit_one_by_one(candidates, opening)
    assert fates(candidates, batch) == expected_fates(candidates, result)
    assert batch.duplicates == result.duplicates
    chosen = candidates.take(np.array(result.admitted, dtype=np.int64))
    assert batch.orders.sealed_epoch.tolist() == chosen.sealed_epoch.tolist()
    assert batch.orders.signatures.tobytes() == chosen.signatures.tobytes()
    total = len(batch.orders) + len(batch.parked) + len(batch.rejected) + batch.duplicates
    assert total == len(book)


@settings(max_examples=60, deadline=None)
@given(BOOKS, VAULTS, st.permutations(range(40)))
def test_the_sequence_of_candidates_does_not_matter(
    book: list[Sketch],
    vaults: dict[int, tuple[int, tuple[int, int, int]]],
    sequence: list[int],
) -> None:
    opening, candidates = opening_of(vaults), sealed(*book)
    shuffled = candidates.take(np.array([i for i in sequence if i < len(book)], dtype=np.int64))
    first, second = admit(candidates, opening), admit(shuffled, opening)
    for one, other in (
        (first.orders, second.orders),
        (first.parked.orders, second.parked.orders),
        (first.rejected.orders, second.rejected.orders),
    ):
        assert one.rows.tobytes() == other.rows.tobytes()
        assert one.signatures.tobytes() == other.signatures.tobytes()
        assert one.sealed_epoch.tolist() == other.sealed_epoch.tolist()
    assert first.parked.codes.tolist() == second.parked.codes.tolist()
    assert first.rejected.codes.tolist() == second.rejected.codes.tolist()
