"""Many small messages that name one large bundle: it is read once, whatever they say of it."""

from collections import Counter
from hashlib import sha256

import pytest

from convexfx_core.wire.bundle import json_bundle, parquet_bundle
from convexfx_core.wire.inbox import bundle_message
from tasks.adapters.memory import MemoryStore
from tasks.intake import Received, read_messages
from tasks.ports import Message
from tests.support.signed_cases import domain, verifiable
from tests.unit.convexfx_core.wire.test_inbox import columns

PARQUET = parquet_bundle(*columns())
JSON = json_bundle([verifiable(), {"Other": 1}, verifiable()])


class CountingStore(MemoryStore):
    """A store that counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.gets: Counter[str] = Counter()

    def get(self, key: str) -> bytes | None:
        self.gets[key] += 1
        return super().get(key)


def sent(store: CountingStore, body: bytes, suffix: str, *counts: int) -> list[Message]:
    """A bundle in the store, and a message about it for each of the counts."""
    digest = sha256(body).hexdigest()
    key = f"inbox/{digest}.{suffix}"
    store.put_new(key, body)
    bodies = [bundle_message(key, digest, count).decode() for count in counts]
    return [Message(str(place), "h", body, 1) for place, body in enumerate(bodies)]


def codes(received: tuple[Received, ...]) -> list[list[str]]:
    return [[str(item["code"]) for item in one.rejects] for one in received]


@pytest.mark.parametrize(
    ("body", "suffix", "count", "bad"),
    [(PARQUET, "parquet", 4, "SIGNATURE"), (JSON, "json.gz", 3, "VERIFIABLE_KIND")],
)
def test_a_bundle_is_read_for_the_first_message(
    body: bytes, suffix: str, count: int, bad: str
) -> None:
    store = CountingStore()
    messages = sent(store, body, suffix, *[count] * 50, count + 1)
    received = read_messages(messages, store, domain())
    assert [len(one.orders) for one in received] == [count - 1] + [0] * 50
    assert codes(received) == [[bad]] + [[]] * 49 + [["BUNDLE_COUNT"]]
    assert [one.message for one in received] == messages
    assert store.gets.total() == 1


def test_a_wrong_count_does_not_spoil_the_right_one() -> None:
    """Whoever sees an honest message may be quicker with a false one about the same bundle."""
    store = CountingStore()
    messages = sent(store, PARQUET, "parquet", 3, *range(5, 45), 4, 3, 4)
    received = read_messages(messages, store, domain())
    assert codes(received) == [["BUNDLE_COUNT"]] * 41 + [["SIGNATURE"], ["BUNDLE_COUNT"], []]
    assert len(received[41].orders) == 3
    assert store.gets.total() == 2


@pytest.mark.parametrize(
    ("body", "code"), [(b"PAR1", "BUNDLE_FORMAT"), (PARQUET[:-9], "BUNDLE_FORMAT")]
)
def test_a_broken_bundle_is_refused_once_for_all(body: bytes, code: str) -> None:
    store = CountingStore()
    received = read_messages(sent(store, body, "parquet", *range(1, 40)), store, domain())
    assert codes(received) == [[code]] * 39
    assert store.gets.total() == 1


def test_rows_that_the_bytes_cannot_hold_are_refused_once() -> None:
    store = CountingStore()
    rows = [column[:1].repeat(5_000, axis=0) for column in columns()]
    messages = sent(store, parquet_bundle(*rows), "parquet", *[5_000] * 30, 7, 5_000)
    received = read_messages(messages, store, domain())
    assert codes(received) == [["BUNDLE_COUNT"]] * 32
    assert store.gets.total() == 1
