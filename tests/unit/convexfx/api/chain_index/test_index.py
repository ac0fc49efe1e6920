"""Where ids stand, which tables are kept, and how the index moves forward."""

import threading
from hashlib import sha256
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx.api.chain_index.id_table import IdTable
from convexfx.api.chain_index.index import REFUSED_MAX, EpochFacts, Index
from convexfx.api.chain_index.order_state import PLACE, OrderFacts, OrderState
from convexfx.api.chain_index.order_table import (
    OrderTable,
    candidates_table,
    empty_table,
    receipts_table,
)
from convexfx.api.chain_index.table_cache import TableCache
from convexfx_core.encoding.key_columns import key_words
from convexfx_core.errors import CodecError
from tests.support.api_world import api_world


def name(number: int) -> bytes:
    return sha256(b"order" + number.to_bytes(4, "big")).digest()


def owner(number: int) -> bytes:
    return bytes([number]) + bytes(31)


def words(numbers: list[int]) -> Any:
    ids = b"".join(map(name, numbers))
    return key_words(np.frombuffer(ids, dtype=np.uint8).reshape(-1, 32))


def table(epoch: int, orders: dict[int, OrderState], owned: int = 1) -> OrderTable:
    """Orders by number with their state; nonce is the number, all of one owner."""
    count = len(orders)
    ids = np.frombuffer(b"".join(map(name, orders)), dtype=np.uint8).reshape(-1, 32)
    owners = np.frombuffer(owner(owned) * count, dtype=np.uint8).reshape(-1, 32)
    nonces, assets = np.array(list(orders), dtype=np.uint64), np.zeros(count, dtype=np.uint16)
    states = np.array([PLACE[state] for state in orders.values()], dtype=np.uint8)
    return OrderTable(epoch, ids, owners, nonces, assets, assets + 1, nonces * 10, states)


def queued(number: int, owned: int = 1) -> OrderFacts:
    return OrderFacts(name(number), owner(owned), number, 0, 1, 10, OrderState.QUEUED)


def epoch_facts(epoch: int) -> EpochFacts:
    return EpochFacts(epoch, {"status": "settled"}, "00", {})


def never(epoch: int) -> OrderTable:
    raise AssertionError(f"epoch {epoch} is in memory")


def state_of(index: Index, number: int) -> str | None:
    found = index.find(name(number))
    return None if found is None else str(found.state)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), unique=True, max_size=20), max_size=12))
def test_the_last_epoch_of_an_id_is_found(epochs: list[list[int]]) -> None:
    ids, expected = IdTable(), {}
    for epoch, numbers in enumerate(epochs, 1):
        if numbers:
            ids = ids.added(words(numbers), epoch)
        expected |= {number: (epoch, place) for place, number in enumerate(numbers)}
    for number in range(42):
        assert ids.find(name(number)) == expected.get(number)
    held = ids.holds(words(list(range(42))))
    assert [number for number in range(42) if held[number]] == sorted(expected)


def test_runs_stay_few_while_the_chain_grows() -> None:
    ids = IdTable()
    for epoch in range(1, 201):
        ids = ids.added(words([epoch]), epoch)
    assert len(ids) == 200
    assert len(ids.runs) <= 8
    sizes = [len(run.words) for run in ids.runs]
    assert all(left >= 2 * right for left, right in pairwise(sizes))


def test_no_ids_are_no_run() -> None:
    ids = IdTable().added(words([1])[:0], 1)
    assert (len(ids), ids.runs, ids.find(name(1))) == (0, (), None)


def test_the_cache_keeps_what_was_used_last_and_at_least_one() -> None:
    loaded: list[int] = []

    def load(epoch: int) -> OrderTable:
        loaded.append(epoch)
        return table(epoch, dict.fromkeys(range(4), OrderState.FILLED))

    cache = TableCache(load, rows_max=8)
    for epoch in (1, 2, 1, 3, 1, 2):
        assert cache.get(epoch).epoch == epoch
    assert loaded == [1, 2, 3, 2]
    assert cache.rows == 8
    small = TableCache(load, rows_max=1)
    small.get(1)
    assert small.rows == 4
    small.get(2)
    assert small.rows == 4


def test_an_orders_life_in_the_index() -> None:
    index = Index(never)
    assert state_of(index, 1) is None
    index.add_queued([queued(1)])
    assert state_of(index, 1) == "queued"
    assert index.waits(name(1))
    index.add_seal(table(1, {1: OrderState.SEALED}))
    assert (state_of(index, 1), index.sealed_epoch, index.waiting) == ("sealed", 1, 0)
    index.add_queued([queued(1)])
    assert index.waiting == 0
    index.add_epoch(epoch_facts(1), table(1, {1: OrderState.CARRIED}))
    assert (state_of(index, 1), index.sealed_epoch, index.head) == ("carried", None, 1)
    index.add_seal(table(2, {1: OrderState.SEALED, 2: OrderState.SEALED}))
    assert state_of(index, 1) == "sealed"
    index.add_epoch(epoch_facts(2), table(2, {1: OrderState.FILLED, 2: OrderState.EXPIRED}))
    assert (state_of(index, 1), state_of(index, 2)) == ("filled", "expired")


def test_open_orders_are_those_of_the_last_epoch_the_seal_and_the_queue() -> None:
    index = Index(never)
    index.add_epoch(
        epoch_facts(1),
        table(1, {1: OrderState.FILLED, 2: OrderState.CARRIED, 3: OrderState.PARKED}),
    )
    index.add_queued([queued(5), queued(6, owned=2)])
    index.add_seal(table(2, {2: OrderState.SEALED, 4: OrderState.SEALED}))
    found = [(facts.nonce, str(facts.state)) for facts in index.open_orders(owner(1))]
    assert found == [(2, "sealed"), (3, "parked"), (4, "sealed"), (5, "queued")]
    assert [facts.nonce for facts in index.open_orders(owner(2))] == [6]
    assert index.open_orders(owner(3)) == []


def test_epochs_come_in_their_sequence_only() -> None:
    index = Index(never)
    for wrong in (0, 2):
        with pytest.raises(ValueError, match=f"expected 1, found {wrong}"):
            index.add_epoch(epoch_facts(wrong), empty_table(wrong))
    index.add_epoch(epoch_facts(1), empty_table(1))
    assert [facts.epoch for facts in index.epochs(10, 5)] == [1]
    assert index.epoch(0) is index.epoch(2) is None


def test_parked_stays_parked_until_an_epoch_has_it() -> None:
    index = Index(never)
    index.add_queued([queued(1)])
    parked = table(1, {1: OrderState.PARKED})
    assert index.add_parked(parked)
    assert not index.add_parked(parked)
    assert state_of(index, 1) == "parked"
    found = index.find(name(1))
    assert found is not None
    assert (found.epoch, found.in_chain) == (None, False)
    index.add_queued([queued(1)])
    index.add_refused({name(1): "NONCE_TAKEN"})
    assert state_of(index, 1) == "parked"
    index.add_seal(table(1, {1: OrderState.SEALED}))
    assert not index.add_parked(parked)
    assert state_of(index, 1) == "sealed"


@pytest.mark.parametrize(
    ("code", "final"),
    [("NONCE_STALE", True), ("EXPIRED", True), ("NONCE_TAKEN", False), ("EXPIRY_TOO_FAR", False)],
)
def test_a_refusal_outside_an_epoch_is_final_where_nothing_can_undo_it(
    code: str, final: bool
) -> None:
    index = Index(never)
    index.add_queued([queued(1)])
    assert index.add_refused({name(1): code})
    assert not index.add_refused({name(1): code})
    found = index.find(name(1))
    assert found is not None
    assert (found.state, found.reason, found.final) == ("rejected", f"rejected:{code}", final)
    assert index.knows(name(1)) is final
    assert index.open_orders(owner(1)) == []
    index.add_epoch(epoch_facts(1), table(1, {1: OrderState.FILLED}))
    assert state_of(index, 1) == "filled"


def test_refusals_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexfx.api.chain_index.index.REFUSED_MAX", 3)
    index = Index(never)
    index.add_refused({name(number): "EXPIRED" for number in range(5)})
    assert [state_of(index, number) for number in range(5)] == [None, None] + ["rejected"] * 3
    assert REFUSED_MAX >= 100_000


def test_forgetting_spares_what_the_chain_holds() -> None:
    index = Index(never)
    index.add_queued([queued(1), queued(2)])
    index.add_seal(table(1, {2: OrderState.SEALED}))
    index.forget([name(1), name(2), name(3)])
    assert (state_of(index, 1), state_of(index, 2)) == (None, "sealed")


def test_old_tables_are_loaded_when_somebody_asks() -> None:
    loaded: list[int] = []

    def load(epoch: int) -> OrderTable:
        loaded.append(epoch)
        return table(epoch, {epoch: OrderState.FILLED})

    index = Index(load, rows_max=1)
    for epoch in (1, 2, 3):
        index.add_epoch(epoch_facts(epoch), table(epoch, {epoch: OrderState.FILLED}))
    assert state_of(index, 3) == "filled"
    assert loaded == []
    assert state_of(index, 1) == "filled"
    assert loaded == [1]


def test_readers_never_see_an_order_vanish_while_the_chain_moves() -> None:
    index = Index(never)
    index.add_queued([queued(1)])
    seen: list[str | None] = []
    end = threading.Event()

    def read() -> None:
        while not end.is_set():
            seen.append(state_of(index, 1))

    reader = threading.Thread(target=read)
    reader.start()
    for epoch in range(1, 40):
        index.add_seal(table(epoch, {1: OrderState.SEALED, epoch + 1: OrderState.SEALED}))
        index.add_epoch(epoch_facts(epoch), table(epoch, {1: OrderState.CARRIED}))
    end.set()
    reader.join()
    assert set(seen) <= {"queued", "sealed", "carried"}


def test_tables_read_back_what_the_epoch_wrote() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    order = alice.order("USD", "EUR", "5", nonce=1)
    world.post(order.verifiable, alice.cancel(2, "USD").verifiable)
    world.epoch()
    manifest = world.manifest(1)
    sealed = candidates_table(world.store.get(manifest["orders"]["key"]) or b"", 1)
    settled = receipts_table(world.store.get("epochs/00000001/receipts.parquet") or b"", 1)
    for found in (sealed, settled):
        assert found.of_owner(bytes(alice.owner_id)) == [0, 1]
        assert found.of_owner(bytes(world.wallets["bob"].owner_id)) == []
        assert [found.facts(place).is_cancel for place in (0, 1)] == [False, True]
    assert sealed.counts() == {"sealed": 2}
    assert settled.counts() == {"filled": 1, "consumed": 1}
    assert (sealed.ids == settled.ids).all()


@pytest.mark.parametrize("body", [b"", b"PAR1", b"x" * 100])
def test_what_is_no_table(body: bytes) -> None:
    with pytest.raises(CodecError):
        candidates_table(body, 1)
    with pytest.raises(CodecError):
        receipts_table(body, 1)


def test_tables_of_another_kind_or_epoch() -> None:
    world = api_world()
    world.post(world.wallets["alice"].order("USD", "EUR", "5", nonce=1).verifiable)
    world.epoch()
    receipts = world.store.get("epochs/00000001/receipts.parquet") or b""
    diffs = world.store.get("epochs/00000001/state_diffs.parquet") or b""
    with pytest.raises(CodecError, match="epoch"):
        receipts_table(receipts, 2)
    with pytest.raises(CodecError):
        candidates_table(diffs, 1)


def test_states_are_decided_from_names_that_a_table_may_lack() -> None:
    """Every epoch's text columns list only what they use."""
    world = api_world()
    alice = world.wallets["alice"]
    world.post(alice.cancel(1, "USD").verifiable)
    world.epoch()
    states = islice(world.services.index.table(1).counts().items(), 3)
    assert list(states) == [("consumed", 1)]


def test_ids_that_share_their_first_word_are_told_apart() -> None:
    raw = np.zeros((6, 32), dtype=np.uint8)
    raw[:, :8] = 7
    raw[:, 31] = range(6)
    ids = IdTable().added(key_words(raw[[4, 0, 2, 5]]), 3)
    found = [ids.find(row.tobytes()) for row in raw]
    assert found == [(3, 1), None, (3, 2), None, (3, 0), (3, 3)]
    assert ids.find(bytes(32)) is None
    assert ids.find(b"\xff" * 32) is None
