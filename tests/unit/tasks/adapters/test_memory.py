"""The in-memory adapters pass the suite of the real ones, and fail as planned."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from convexfx_core.errors import CommitConflict, CommitUnknown, ConfigurationError, PeerUnreachable
from tasks.adapters.clock import ManualClock
from tasks.adapters.conditional import PAUSES_S
from tasks.adapters.injected_faults import Crash, Fault, Faults
from tasks.adapters.memory import MemoryStore
from tasks.ports import Depth, Inbox, PutResult
from tests.support.conformance import InboxConformance, StoreConformance, Wait
from tests.support.memory_inbox import MemoryInbox

START = datetime(2024, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def rival(self, store: MemoryStore) -> MemoryStore:
        return store


class TestMemoryInbox(InboxConformance):
    @pytest.fixture
    def inbox(self, clock: ManualClock) -> MemoryInbox:
        return MemoryInbox(clock, visibility_s=1.0, receives_max=2)

    @pytest.fixture
    def wait(self, clock: ManualClock) -> Wait:
        return clock.advance

    def dead_letters(self, inbox: Inbox) -> list[tuple[str, str]]:
        assert isinstance(inbox, MemoryInbox)
        return inbox.dead_letters


def test_a_look_alike_without_conditions_is_found_out() -> None:
    with pytest.raises(ConfigurationError) as caught:
        MemoryStore(conditional=False).prove_semantics()
    assert caught.value.code == "STORE_SEMANTICS"
    assert "412" in caught.value.line()


def test_a_lost_answer_is_settled_by_reading(store: MemoryStore) -> None:
    store.faults.plan("put", Fault.LOSE_ANSWER)
    assert store.put_new("k", b"mine") is PutResult.UNCHANGED
    assert store.faults.pending() == 0


def test_a_lost_request_is_sent_again(store: MemoryStore) -> None:
    store.faults.plan("put", Fault.LOSE_REQUEST, times=2)
    assert store.put_new("k", b"mine") is PutResult.CREATED
    assert store.get("k") == b"mine"


def test_a_lost_request_that_another_writer_overtook_conflicts(store: MemoryStore) -> None:
    store.put_new("k", b"theirs")
    store.faults.plan("put", Fault.LOSE_REQUEST)
    with pytest.raises(CommitConflict):
        store.put_new("k", b"mine")


def test_busy_is_tried_again_and_waits(clock: ManualClock) -> None:
    store = MemoryStore(clock=clock)
    store.faults.plan("put", Fault.BUSY, times=2)
    assert store.put_new("k", b"mine") is PutResult.CREATED
    assert (clock.now() - START).total_seconds() == pytest.approx(sum(PAUSES_S[:2]))


def test_answers_lost_for_ever_are_unknown(store: MemoryStore) -> None:
    store.faults.plan("put", Fault.LOSE_REQUEST, times=len(PAUSES_S) + 1)
    with pytest.raises(CommitUnknown) as caught:
        store.put_new("k", b"mine")
    assert caught.value.field == "k"
    assert store.faults.pending() == 0


def test_a_lost_answer_with_lost_reads_is_unknown(store: MemoryStore) -> None:
    store.faults.plan("put", Fault.LOSE_ANSWER, times=len(PAUSES_S) + 1)
    store.faults.plan("get", Fault.UNSENT, times=len(PAUSES_S) + 1)
    with pytest.raises(CommitUnknown):
        store.put_new("k", b"mine")
    assert store.get("k") == b"mine"


def test_a_conflict_that_cannot_be_read_is_unknown(store: MemoryStore) -> None:
    store.put_new("k", b"mine")
    store.faults.plan("get", Fault.UNSENT)
    with pytest.raises(CommitUnknown):
        store.put_new("k", b"mine")


def test_no_connection_at_all_is_unreachable_not_unknown(store: MemoryStore) -> None:
    store.faults.plan("put", Fault.UNSENT, times=len(PAUSES_S) + 1)
    with pytest.raises(PeerUnreachable):
        store.put_new("k", b"mine")
    assert not store.exists("k")


def test_one_lost_answer_among_refused_connections_is_unknown(store: MemoryStore) -> None:
    store.faults.plan("put", Fault.UNSENT, times=2)
    store.faults.plan("put", Fault.LOSE_REQUEST)
    store.faults.plan("put", Fault.UNSENT, times=len(PAUSES_S) - 2)
    with pytest.raises(CommitUnknown):
        store.put_new("k", b"mine")


def test_a_lost_replacement_is_settled_by_its_tag(store: MemoryStore) -> None:
    tag = store.put_if_match("HEAD", b"1", None)
    store.faults.plan("put", Fault.LOSE_ANSWER)
    second = store.put_if_match("HEAD", b"2", tag)
    assert store.get_versioned("HEAD") is not None
    store.faults.plan("put", Fault.LOSE_REQUEST)
    third = store.put_if_match("HEAD", b"3", second)
    assert store.put_if_match("HEAD", b"4", third)


def test_a_crash_before_writes_nothing_and_one_after_writes(store: MemoryStore) -> None:
    store.faults.plan("put", Fault.CRASH_BEFORE, match="manifest")
    store.faults.plan("put", Fault.CRASH_AFTER, match="manifest")
    store.put_new("orders", b"x")
    for written in (False, True):
        with pytest.raises(Crash):
            store.put_new("epochs/00000001/manifest.json", b"x")
        assert store.exists("epochs/00000001/manifest.json") is written


def test_no_handler_of_exceptions_catches_a_crash() -> None:
    assert not issubclass(Crash, Exception)


def test_reads_and_lists_fail_as_planned(store: MemoryStore) -> None:
    store.faults.plan("get", Fault.UNSENT)
    store.faults.plan("list", Fault.UNSENT)
    with pytest.raises(PeerUnreachable):
        store.get("k")
    with pytest.raises(PeerUnreachable):
        store.list("")


def test_a_fault_can_be_kept_for_a_later_call() -> None:
    faults = Faults()
    faults.plan("put", Fault.BUSY, match="b", skip=1)
    taken = [faults.take("put", key) for key in ("a", "b", "a", "b", "b")]
    assert taken == [None, None, None, Fault.BUSY, None]


def test_faults_are_used_once_by_many_threads() -> None:
    faults = Faults()
    faults.plan("put", Fault.BUSY, times=50)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: faults.take("put"), range(200)))
    assert taken.count(Fault.BUSY) == 50


def test_the_body_is_copied_when_it_is_stored(store: MemoryStore) -> None:
    body = bytearray(b"before")
    store.put_new("k", body)
    body[:] = b"after!"
    assert store.get("k") == b"before"


def test_a_handle_of_an_earlier_delivery_deletes_nothing(clock: ManualClock) -> None:
    inbox = MemoryInbox(clock, visibility_s=1.0)
    inbox.send(["m"])
    (first,) = inbox.receive(1)
    clock.advance(2.0)
    (second,) = inbox.receive(1)
    assert inbox.delete([first.handle]) == (first.handle,)
    assert inbox.delete([second.handle]) == ()
    assert inbox.depth() == Depth(0, 0)


def test_messages_come_in_the_order_of_sending() -> None:
    inbox = MemoryInbox()
    inbox.send(["a", "b"])
    inbox.send(["c"])
    assert [m.body for m in inbox.receive(10)] == ["a", "b", "c"]


def test_a_delete_that_failed_returns_every_handle() -> None:
    inbox = MemoryInbox()
    inbox.send(["a", "b"])
    handles = [m.handle for m in inbox.receive(10)]
    inbox.faults.plan("delete", Fault.LOSE_REQUEST)
    assert inbox.delete(handles) == tuple(handles)
    assert inbox.delete(handles) == ()


@pytest.mark.parametrize("operation", ["receive", "send", "dead_letter"])
def test_a_queue_without_connection_is_unreachable(operation: str) -> None:
    inbox = MemoryInbox()
    inbox.faults.plan(operation, Fault.UNSENT)
    calls = {
        "receive": lambda: inbox.receive(1),
        "send": lambda: inbox.send(["m"]),
        "dead_letter": lambda: inbox.dead_letter("m", "why"),
    }
    with pytest.raises(PeerUnreachable):
        calls[operation]()
    assert inbox.depth() == Depth(0, 0)
    assert inbox.dead_letters == []


def test_a_send_whose_answer_was_lost_is_unknown_and_sent() -> None:
    inbox = MemoryInbox()
    inbox.faults.plan("send", Fault.LOSE_ANSWER)
    with pytest.raises(CommitUnknown):
        inbox.send(["m"])
    assert inbox.depth() == Depth(1, 0)


def test_a_receive_whose_answer_was_lost_holds_the_messages(clock: ManualClock) -> None:
    inbox = MemoryInbox(clock, visibility_s=5.0)
    inbox.send(["m"])
    inbox.faults.plan("receive", Fault.LOSE_ANSWER)
    with pytest.raises(PeerUnreachable):
        inbox.receive(1)
    assert inbox.depth() == Depth(0, 1)
    clock.advance(5.0)
    assert [m.receive_count for m in inbox.receive(1)] == [2]


@pytest.mark.parametrize("operation", ["receive", "delete", "release", "send", "dead_letter"])
def test_every_queue_operation_can_crash_after_its_effect(operation: str) -> None:
    inbox = MemoryInbox()
    inbox.send(["first"])
    (held,) = inbox.receive(1) if operation in ("delete", "release") else (None,)
    handle = held.handle if held else ""
    inbox.faults.plan(operation, Fault.CRASH_AFTER)
    calls = {
        "receive": lambda: inbox.receive(1),
        "delete": lambda: inbox.delete([handle]),
        "release": lambda: inbox.release([handle]),
        "send": lambda: inbox.send(["second"]),
        "dead_letter": lambda: inbox.dead_letter("x", "why"),
    }
    with pytest.raises(Crash):
        calls[operation]()
    after = {
        "receive": Depth(0, 1), "delete": Depth(0, 0), "release": Depth(1, 0),
        "send": Depth(2, 0), "dead_letter": Depth(1, 0),
    }  # fmt: skip
    assert inbox.depth() == after[operation]


def test_two_receivers_never_hold_the_same_message() -> None:
    inbox = MemoryInbox()
    inbox.send([f"m{i}" for i in range(500)])
    seen: list[str] = []
    lock = threading.Lock()

    def drain(_: int) -> None:
        while batch := inbox.receive(7):
            with lock:
                seen.extend(m.id for m in batch)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(drain, range(4)))
    assert len(seen) == len(set(seen)) == 500
