"""Parts of the vaults behind aborted epochs: which comes next, and who is in it."""

from itertools import pairwise

import pytest

from convexfx_core.admission.book import admit
from convexfx_core.errors import ParkCode
from tasks.quarantine import SLICES_MAX, Slice, next_slice, only_slice, slice_of
from tests.support.epoch_cases import EPOCH, Sketch, opening_of, sealed

VAULTS = range(1, 8)
OPENING = opening_of({owner: (0, [1_000] * 3) for owner in VAULTS})


def names(count: int) -> list[Slice | None]:
    """The parts of ``count`` epochs aborted one after the other."""
    found: list[Slice | None] = [None]
    while len(found) < count:
        found.append(next_slice(found[-1], failed_before=len(found) > 1))
    return found


def test_halves_quarters_and_so_on_come_in_turn_and_begin_anew() -> None:
    found = names(300)
    assert found[:8] == [None, None, (0, 2), (1, 2), (0, 4), (1, 4), (2, 4), (3, 4)]
    parts = [part for part in found if part is not None]
    assert max(of for _, of in parts) == SLICES_MAX
    assert (SLICES_MAX - 1, SLICES_MAX) in parts
    for before, after in pairwise(parts):
        if before == (SLICES_MAX - 1, SLICES_MAX):
            assert after == (0, 2)


@pytest.mark.parametrize("parts", [2, 4, 8, 64])
def test_every_vault_is_in_one_part_and_nobody_new_waits(parts: int) -> None:
    before = [Sketch(owner, 1, sealed=EPOCH - 1, valid_until=9) for owner in VAULTS if owner != 3]
    batch = admit(sealed(*before, Sketch(3, 1)), OPENING)
    taken: list[bytes] = []
    for place in range(parts):
        part = only_slice(batch, (place, parts))
        assert len(part.orders) + len(part.parked) == len(batch.orders)
        assert {part.parked.code(i) for i in range(len(part.parked))} <= {ParkCode.BEHIND_PARKED}
        rows = part.orders.rows
        fresh = part.orders.sealed_epoch == EPOCH
        assert fresh.sum() == 1
        taken += [row.tobytes() for row in rows[~fresh]["owner"]]
    assert len(taken) == len(set(taken)) == len(before)


def test_orders_that_wait_stand_in_canonical_order_among_the_parked() -> None:
    pairs = [
        Sketch(owner, nonce, sealed=EPOCH - 1, valid_until=9)
        for owner in VAULTS
        for nonce in (1, 2, 4)
    ]
    batch = only_slice(admit(sealed(*pairs), OPENING), (1, 2))
    rows = batch.parked.orders.rows
    keys = [(row["owner"].tobytes(), int(row["nonce"])) for row in rows]
    assert keys == sorted(set(keys))
    assert {2, 4} <= set(rows["nonce"].tolist())


def test_a_part_that_would_be_empty_is_everybody() -> None:
    batch = admit(sealed(Sketch(1, 1, sealed=EPOCH - 1, valid_until=9)), OPENING)
    assert len(only_slice(batch, (1, 2)).orders) == 1
    assert only_slice(batch, None) is batch


@pytest.mark.parametrize("named", [[1], [1, 2, 3], "ab", 7, [None, 2]])
def test_a_part_that_is_none_is_refused(named: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        slice_of({"part": named})


def test_no_part_is_all_vaults() -> None:
    assert slice_of({}) is None
    assert slice_of({"part": [1, 4]}) == (1, 4)
    assert names(2) == [None, None]
