"""One suite for every adapter of a port: the memory adapters and the real ones pass the same tests.

A subclass gives the fixtures ``store`` and ``rival`` (a second client of the same objects), or
``inbox`` and ``wait`` (lets a number of seconds pass for the queue).
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from convexfx_core.errors import CommitConflict, RejectedOrder
from convexfx_core.limits import MESSAGE_BYTES_MAX
from tasks.adapters.conditional import ConditionalStore
from tasks.ports import Depth, Inbox, Message, PutResult, Store

RACERS = 16
Wait = Callable[[float], None]


class StoreConformance:
    """What a ``Store`` must do."""

    def test_an_absent_key_is_none(self, store: Store) -> None:
        assert store.get("epochs/00000001/manifest.json") is None
        assert store.get_versioned("epochs/00000001/manifest.json") is None
        assert not store.exists("epochs/00000001/manifest.json")

    def test_a_created_object_is_read_back(self, store: Store) -> None:
        body = bytes(range(256)) * 40
        assert store.put_new("a/b", body) is PutResult.CREATED
        assert store.get("a/b") == body
        assert store.exists("a/b")
        found = store.get_versioned("a/b")
        assert found is not None
        assert found.body == body
        assert found.tag

    def test_an_empty_object_is_not_an_absent_one(self, store: Store) -> None:
        assert store.put_new("empty", b"") is PutResult.CREATED
        assert store.get("empty") == b""
        assert store.exists("empty")

    def test_equal_bytes_again_are_unchanged(self, store: Store, rival: Store) -> None:
        store.put_new("k", b"same")
        assert rival.put_new("k", b"same") is PutResult.UNCHANGED

    def test_other_bytes_conflict_and_change_nothing(self, store: Store, rival: Store) -> None:
        store.put_new("k", b"first")
        with pytest.raises(CommitConflict) as caught:
            rival.put_new("k", b"firsT")
        assert caught.value.field == "k"
        assert store.get("k") == b"first"

    def test_one_of_many_racers_wins(self, store: Store) -> None:
        def race(i: int) -> str:
            try:
                return store.put_new("race", f"racer {i}".encode())
            except CommitConflict:
                return "conflict"

        with ThreadPoolExecutor(RACERS) as pool:
            results = list(pool.map(race, range(RACERS)))
        winner = results.index(PutResult.CREATED)
        assert sorted(results) == ["conflict"] * (RACERS - 1) + [PutResult.CREATED]
        assert store.get("race") == f"racer {winner}".encode()

    def test_racers_with_equal_bytes_all_succeed(self, store: Store) -> None:
        with ThreadPoolExecutor(RACERS) as pool:
            results = list(pool.map(lambda _: store.put_new("pure", b"one answer"), range(RACERS)))
        assert results.count(PutResult.CREATED) == 1
        assert results.count(PutResult.UNCHANGED) == RACERS - 1

    def test_a_version_is_replaced_by_its_tag(self, store: Store) -> None:
        first = store.put_if_match("state/HEAD", b"1", None)
        second = store.put_if_match("state/HEAD", b"2", first)
        found = store.get_versioned("state/HEAD")
        assert found is not None
        assert (found.body, found.tag) == (b"2", second)
        assert second != first

    def test_an_old_tag_conflicts(self, store: Store, rival: Store) -> None:
        first = store.put_if_match("state/HEAD", b"1", None)
        rival.put_if_match("state/HEAD", b"2", first)
        with pytest.raises(CommitConflict):
            store.put_if_match("state/HEAD", b"3", first)
        assert store.get("state/HEAD") == b"2"

    def test_a_tag_of_nothing_conflicts(self, store: Store) -> None:
        tag = store.put_if_match("state/HEAD", b"1", None)
        with pytest.raises(CommitConflict):
            store.put_if_match("state/other", b"1", tag)
        assert not store.exists("state/other")

    def test_no_tag_means_that_the_key_is_free(self, store: Store) -> None:
        store.put_if_match("state/HEAD", b"1", None)
        with pytest.raises(CommitConflict):
            store.put_if_match("state/HEAD", b"2", None)

    def test_the_same_replacement_twice_is_done_once(self, store: Store) -> None:
        first = store.put_if_match("state/HEAD", b"1", None)
        second = store.put_if_match("state/HEAD", b"2", first)
        assert store.put_if_match("state/HEAD", b"2", first) == second

    def test_keys_are_listed_by_prefix_in_byte_order(self, store: Store) -> None:
        keys = ["epochs/00000002/a", "epochs/00000010/a", "epochs/00000010/B", "state/1", "epochs"]
        for key in keys:
            store.put_new(key, b"x")
        listed = store.list("epochs/")
        assert listed == ("epochs/00000002/a", "epochs/00000010/B", "epochs/00000010/a")
        assert store.list("epochs/00000011") == ()
        assert store.list("") == tuple(sorted(keys, key=str.encode))

    @pytest.mark.parametrize(
        "key",
        ["a b", "a+b", "a%2Fb", "a/../b", "\u00fc\u20ac", "x" * 900, "a//b", "a?b#c", "'\"&<>"],
    )
    def test_any_key_names_one_object(self, store: Store, key: str) -> None:
        assert store.put_new(key, b"one") is PutResult.CREATED
        assert store.get(key) == b"one"
        assert store.list("") == (key,)
        assert store.get(key + "x") is None

    def test_conditions_are_proven_and_leave_nothing(self, store: ConditionalStore) -> None:
        store.prove_semantics()
        assert store.list("") == ()


class InboxConformance:
    """What an ``Inbox`` must do; its visibility is one second, its deliveries at most two."""

    def test_an_empty_queue_gives_nothing(self, inbox: Inbox) -> None:
        assert inbox.receive(10) == []
        assert inbox.depth() == Depth(0, 0)

    def test_what_is_sent_is_received_once_while_held(self, inbox: Inbox) -> None:
        bodies = [f'{{"n": {i}}}' for i in range(37)]
        inbox.send(bodies)
        messages = inbox.receive(100)
        assert sorted(m.body for m in messages) == sorted(bodies)
        assert {m.receive_count for m in messages} == {1}
        assert len({m.id for m in messages}) == len({m.handle for m in messages}) == 37
        assert inbox.receive(100) == []

    def test_no_more_than_asked_for(self, inbox: Inbox) -> None:
        inbox.send([f"m{i}" for i in range(25)])
        first, second, third = (inbox.receive(n) for n in (1, 13, 100))
        assert [len(batch) for batch in (first, second, third)] == [1, 13, 11]
        assert inbox.receive(0) == []

    def test_a_deleted_message_never_returns(self, inbox: Inbox, wait: Wait) -> None:
        inbox.send([f"m{i}" for i in range(12)])
        messages = inbox.receive(100)
        assert inbox.delete(m.handle for m in messages) == ()
        wait(1.2)
        assert inbox.receive(100) == []

    def test_a_held_message_returns_with_a_higher_count(self, inbox: Inbox, wait: Wait) -> None:
        inbox.send(["again"])
        (first,) = inbox.receive(10)
        (second,) = returned(inbox, wait)
        assert (second.id, second.body, second.receive_count) == (first.id, "again", 2)
        assert second.handle != first.handle

    def test_a_released_message_returns_at_once(self, inbox: Inbox) -> None:
        inbox.send([f"m{i}" for i in range(11)])
        first = inbox.receive(100)
        inbox.release(m.handle for m in first)
        assert {m.id for m in inbox.receive(100)} == {m.id for m in first}

    def test_depth_tells_waiting_from_held(self, inbox: Inbox) -> None:
        inbox.send(["a", "b", "c"])
        assert inbox.depth() == Depth(3, 0)
        inbox.receive(1)
        assert inbox.depth() == Depth(2, 1)

    def test_a_message_received_too_often_leaves_by_itself(self, inbox: Inbox, wait: Wait) -> None:
        inbox.send(["poison"])
        assert [m.receive_count for m in inbox.receive(1)] == [1]
        assert [m.receive_count for m in returned(inbox, wait)] == [2]
        assert returned(inbox, wait) == []
        assert inbox.depth() == Depth(0, 0)
        assert self.dead_letters(inbox)[0][0] == "poison"

    def test_a_dead_letter_keeps_body_and_reason(self, inbox: Inbox) -> None:
        inbox.send(["not json"])
        (message,) = inbox.receive(1)
        inbox.dead_letter(message.body, "NOT_JSON: message: expected JSON")
        assert inbox.delete([message.handle]) == ()
        assert self.dead_letters(inbox) == [("not json", "NOT_JSON: message: expected JSON")]
        assert inbox.depth() == Depth(0, 0)

    @pytest.mark.parametrize(
        ("body", "code"),
        [("", "MESSAGE_TOO_LARGE"), ("x" * (MESSAGE_BYTES_MAX + 1), "MESSAGE_TOO_LARGE"),
         ("caf\u00e9", "NOT_ASCII")],
    )  # fmt: skip
    def test_a_body_that_nobody_would_accept_is_not_sent(
        self, inbox: Inbox, body: str, code: str
    ) -> None:
        with pytest.raises(RejectedOrder) as caught:
            inbox.send(["fine", body])
        assert caught.value.code == code
        assert inbox.depth() == Depth(0, 0)

    def test_the_largest_bodies_arrive_whole(self, inbox: Inbox) -> None:
        bodies = [chr(ord("a") + i) * MESSAGE_BYTES_MAX for i in range(3)]
        inbox.send(bodies)
        received = {digest(m) for m in inbox.receive(10)}
        assert received == {hashlib.sha256(body.encode()).hexdigest() for body in bodies}

    def dead_letters(self, inbox: Inbox) -> list[tuple[str, str]]:
        """Bodies and reasons in the dead letter queue; a redriven message has its own reason."""
        raise NotImplementedError


def returned(inbox: Inbox, wait: Wait) -> list[Message]:
    """What becomes visible again within three seconds; a real queue may be late by one."""
    for _ in range(10):
        wait(0.3)
        if (batch := inbox.receive(10)) or inbox.depth() == Depth(0, 0):
            return batch
    return []


def digest(message: Message) -> str:
    return hashlib.sha256(message.body.encode()).hexdigest()
