"""What an epoch hands to the next one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.admission.book import admit
from convexfx_core.admission.carry import SeenSet, carry_over, seen_after, unseen
from convexfx_core.errors import CodecError, ParkCode, RejectCode
from convexfx_core.orders.sealed import SealedOrders
from tests.support.epoch_cases import EPOCH, Sketch, opening_of, sealed

BALANCE = (1_000, 1_000, 1_000)


def ids(orders: SealedOrders) -> list[bytes]:
    return [row.tobytes() for row in orders.order_ids]


def names(*sketches: Sketch) -> set[bytes]:
    return {sketch.order_id() for sketch in sketches}


def seen_of(*sketches: Sketch, epoch: int = EPOCH) -> SeenSet:
    return seen_after(SeenSet.empty(), sealed(*sketches), epoch)


# -- live orders -------------------------------------------------------------------------------


def test_unconsumed_and_parked_orders_live_on() -> None:
    consumed, left = Sketch(1, 1, valid_until=9), Sketch(1, 2, valid_until=9)
    parked = Sketch(2, 5, valid_until=9)
    opening = opening_of({1: (0, BALANCE), 2: (0, BALANCE)})
    batch = admit(sealed(consumed, left, parked), opening)
    carried = carry_over(batch, np.array([False, True]))
    assert set(ids(carried.orders)) == names(left, parked)
    assert len(carried.expired) == 0
    owners = [row.tobytes() for row in carried.orders.rows["owner"]]
    assert owners == sorted(owners)


@pytest.mark.parametrize(
    ("valid_until", "lives"), [(0, False), (EPOCH, False), (EPOCH + 1, True), (EPOCH + 9, True)]
)
def test_an_order_lives_to_its_last_epoch(valid_until: int, lives: bool) -> None:
    batch = admit(sealed(Sketch(1, 1, valid_until=valid_until)), opening_of({1: (0, BALANCE)}))
    carried = carry_over(batch, np.array([True]))
    assert (len(carried.orders), len(carried.expired)) == ((1, 0) if lives else (0, 1))


def test_a_parked_order_for_this_epoch_only_ends_with_it() -> None:
    batch = admit(sealed(Sketch(1, 2)), opening_of({1: (0, BALANCE)}))
    assert batch.parked.code(0) == ParkCode.NONCE_GAP
    assert ids(carry_over(batch, np.zeros(0, dtype=np.bool_)).expired) == [Sketch(1, 2).order_id()]


def test_the_sealing_epoch_is_kept() -> None:
    old = Sketch(1, 1, valid_until=9, sealed=EPOCH - 2)
    batch = admit(sealed(old), opening_of({1: (0, BALANCE)}))
    assert carry_over(batch, np.array([True])).orders.sealed_epoch.tolist() == [EPOCH - 2]


def test_nothing_left_is_nothing_carried() -> None:
    batch = admit(SealedOrders.empty(), opening_of({}))
    carried = carry_over(batch, np.zeros(0, dtype=np.bool_))
    assert (len(carried.orders), len(carried.expired)) == (0, 0)


def test_carried_orders_are_candidates_of_the_next_epoch() -> None:
    """A gap closes an epoch later; the parked order keeps its seal."""
    first = opening_of({1: (0, BALANCE)})
    batch = admit(sealed(Sketch(1, 2, valid_until=9)), first)
    carried = carry_over(batch, np.zeros(0, dtype=np.bool_))
    late = sealed(Sketch(1, 1, sealed=EPOCH + 1))
    second = admit(
        SealedOrders.joined([carried.orders, late]), opening_of({1: (0, BALANCE)}, EPOCH + 1)
    )
    assert second.orders.rows["nonce"].tolist() == [1, 2]
    assert second.orders.sealed_epoch.tolist() == [EPOCH + 1, EPOCH]


def test_a_cancel_an_epoch_later_ends_a_carried_order() -> None:
    order = Sketch(1, 1, valid_until=9)
    batch = admit(sealed(order), opening_of({1: (0, BALANCE)}))
    carried = carry_over(batch, np.array([True]))
    cancel = sealed(Sketch(1, 1, cancel=True, sealed=EPOCH + 1))
    second = admit(
        SealedOrders.joined([carried.orders, cancel]), opening_of({1: (0, BALANCE)}, EPOCH + 1)
    )
    assert second.rejected.code(0) == RejectCode.CANCELLED
    assert second.orders.rows["kind"].tolist() == [2]


# -- seen ids ----------------------------------------------------------------------------------


def test_before_the_first_epoch_nothing_is_seen() -> None:
    orders = sealed(Sketch(1, 1), Sketch(2, 1))
    assert SeenSet.empty().holds(orders.order_ids).tolist() == [False, False]
    assert len(unseen(orders, SeenSet.empty())) == 2


def test_what_was_sealed_is_seen() -> None:
    seen = seen_of(Sketch(1, 1), Sketch(2, 1))
    again = sealed(Sketch(2, 1), Sketch(3, 1), Sketch(1, 1))
    assert seen.holds(again.order_ids).tolist() == [True, False, True]
    assert ids(unseen(again, seen)) == [Sketch(3, 1).order_id()]


def test_ids_are_kept_in_increasing_order_once_each() -> None:
    seen = seen_of(*(Sketch(v, n) for v in range(1, 6) for n in (1, 2, 1)))
    kept = [row.tobytes() for row in seen.ids]
    assert kept == sorted(names(*(Sketch(v, n) for v in range(1, 6) for n in (1, 2))))


@pytest.mark.parametrize("valid_until", [0, EPOCH - 1, EPOCH, EPOCH + 3, (1 << 64) - 1])
def test_an_id_is_kept_for_a_day_of_epochs_however_long_its_order_lived(valid_until: int) -> None:
    """Sent again after its end it must not get a second outcome."""
    last = EPOCH + 1_440
    seen = seen_of(Sketch(1, 1, valid_until=valid_until))
    assert seen.until_epoch.tolist() == [last]
    nothing = SealedOrders.empty()
    assert len(seen_after(seen, nothing, last - 1)) == 1
    assert len(seen_after(seen, nothing, last)) == 0


def test_no_lawful_order_outlives_its_id() -> None:
    longest = Sketch(1, 1, valid_until=EPOCH + 1_440)
    batch = admit(sealed(longest), opening_of({1: (0, BALANCE)}))
    assert len(batch.orders) == 1
    assert seen_of(longest).until_epoch.tolist() == [EPOCH + 1_440]


def test_a_carried_order_that_is_sealed_again_is_one_id() -> None:
    order = Sketch(1, 1, valid_until=EPOCH + 5)
    seen = seen_after(seen_of(order), sealed(order), EPOCH + 1)
    assert (len(seen), seen.until_epoch.tolist()) == (1, [EPOCH + 1_440])


def test_of_two_ends_the_later_counts() -> None:
    once = Sketch(1, 1)
    seen = seen_after(seen_of(once), sealed(replace(once, sealed=EPOCH + 7)), EPOCH + 7)
    assert seen.until_epoch.tolist() == [EPOCH + 7 + 1_440]


@pytest.mark.parametrize("order", [[1, 0], [0, 0]])
def test_ids_out_of_sequence_are_no_set(order: list[int]) -> None:
    seen = seen_of(Sketch(1, 1), Sketch(2, 1))
    with pytest.raises(CodecError, match="strictly increasing"):
        SeenSet(seen.ids[order], seen.until_epoch[order])


@pytest.mark.parametrize(("width", "epochs"), [(31, 2), (32, 1)])
def test_other_shapes_are_no_set(width: int, epochs: int) -> None:
    with pytest.raises(CodecError, match="seen"):
        SeenSet(np.zeros((2, width), dtype=np.uint8), np.zeros(epochs, dtype=np.uint64))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(1, 3), st.integers(1, 3), st.sampled_from([0, 6, 3_000])),
            max_size=6,
        ),
        max_size=5,
    )
)
def test_the_set_is_a_dictionary_with_expiry(epochs: list[list[tuple[int, int, int]]]) -> None:
    seen, expected = SeenSet.empty(), dict[bytes, int]()
    for epoch, rows in zip(range(EPOCH, 9_999, 700), epochs, strict=False):
        sketches = [Sketch(v, n, valid_until=until, sealed=epoch) for v, n, until in rows]
        seen = seen_after(seen, sealed(*sketches), epoch)
        for sketch in sketches:
            expected[sketch.order_id()] = epoch + 1_440
        expected = {name: until for name, until in expected.items() if until > epoch}
        found = zip((row.tobytes() for row in seen.ids), seen.until_epoch.tolist(), strict=True)
        assert list(found) == sorted(expected.items())
