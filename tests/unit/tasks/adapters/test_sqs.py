"""The SQS adapter against a scripted client: partial failures, limits, lost answers."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
)

from convexfx_core.errors import CommitUnknown, ConfigurationError, PeerUnreachable
from tasks.adapters import sqs
from tasks.adapters.batches import BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Budget, batches_of
from tasks.adapters.sqs import BATCH_PAUSES_S, SqsInbox
from tasks.ports import Depth

REDRIVE = '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:letters","maxReceiveCount":5}'


def refusal(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation"
    )


class FakeSqs:
    """Answers by scripts; records every call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.waiting: list[str] = []
        self.failures: dict[str, list[Any]] = {}
        self.attributes = {"RedrivePolicy": REDRIVE}
        self.lock = threading.Lock()
        self.ids = itertools.count()

    def call(self, name: str, **arguments: Any) -> Any:
        with self.lock:
            self.calls.append((name, arguments))
            planned = self.failures.get(name) or [None]
            outcome = planned.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    def named(self, name: str) -> list[dict[str, Any]]:
        return [arguments for called, arguments in self.calls if called == name]

    def get_queue_url(self, **arguments: Any) -> dict[str, Any]:
        self.call("get_queue_url", **arguments)
        return {"QueueUrl": f"http://127.0.0.1/{arguments['QueueName']}"}

    def get_queue_attributes(self, **arguments: Any) -> dict[str, Any]:
        self.call("get_queue_attributes", **arguments)
        wanted = arguments["AttributeNames"]
        return {"Attributes": {k: v for k, v in self.attributes.items() if k in wanted}}

    def receive_message(self, **arguments: Any) -> dict[str, Any]:
        self.call("receive_message", **arguments)
        with self.lock:
            count = arguments["MaxNumberOfMessages"]
            taken, self.waiting = self.waiting[:count], self.waiting[count:]
        if not taken:
            return {}
        return {
            "Messages": [
                {
                    "MessageId": body, "ReceiptHandle": f"h-{body}", "Body": body,
                    "Attributes": {"ApproximateReceiveCount": "3"},
                }
                for body in taken
            ]
        }  # fmt: skip

    def send_message(self, **arguments: Any) -> None:
        self.call("send_message", **arguments)

    def send_message_batch(self, **arguments: Any) -> Any:
        return self.call("send_message_batch", **arguments) or {}

    def delete_message_batch(self, **arguments: Any) -> Any:
        return self.call("delete_message_batch", **arguments) or {}

    def change_message_visibility_batch(self, **arguments: Any) -> Any:
        return self.call("change_message_visibility_batch", **arguments) or {}


def failed(*entries: tuple[int, bool]) -> dict[str, Any]:
    return {"Failed": [{"Id": str(i), "SenderFault": fault, "Code": "X"} for i, fault in entries]}


@pytest.fixture
def fake() -> FakeSqs:
    return FakeSqs()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def inbox(fake: FakeSqs, waits: list[float], monkeypatch: pytest.MonkeyPatch) -> SqsInbox:
    monkeypatch.setattr(sqs, "open_client", lambda service, attempts: fake)
    return SqsInbox("orders", threads=4, sleep=waits.append)


def test_the_first_poll_is_long_and_the_others_are_short(inbox: SqsInbox, fake: FakeSqs) -> None:
    fake.waiting = [f"m{i}" for i in range(95)]
    messages = inbox.receive(1_000)
    assert sorted(m.body for m in messages) == sorted(f"m{i}" for i in range(95))
    assert {m.receive_count for m in messages} == {3}
    waited = [call["WaitTimeSeconds"] for call in fake.named("receive_message")]
    assert waited[0] == 1
    assert set(waited[1:]) == {0}


def test_an_empty_first_poll_ends_it(inbox: SqsInbox, fake: FakeSqs) -> None:
    assert inbox.receive(1_000) == []
    assert len(fake.named("receive_message")) == 1


def test_never_more_than_asked_for(inbox: SqsInbox, fake: FakeSqs) -> None:
    fake.waiting = [f"m{i}" for i in range(100)]
    assert len(inbox.receive(37)) == 37
    assert len(fake.waiting) == 63
    assert sum(call["MaxNumberOfMessages"] for call in fake.named("receive_message")) <= 40


def test_too_many_in_flight_ends_the_drain(inbox: SqsInbox, fake: FakeSqs) -> None:
    fake.waiting = [f"m{i}" for i in range(30)]
    fake.failures["receive_message"] = [None, *[refusal("OverLimit", 403)] * 100]
    assert len(inbox.receive(1_000)) == 10


def test_what_was_received_is_kept_when_later_polls_fail(inbox: SqsInbox, fake: FakeSqs) -> None:
    fake.waiting = [f"m{i}" for i in range(30)]
    lost = ConnectionClosedError(endpoint_url="http://127.0.0.1")
    fake.failures["receive_message"] = [None, *[lost] * 100]
    assert len(inbox.receive(1_000)) == 10


@pytest.mark.parametrize(
    ("failure", "kind", "field"),
    [
        (EndpointConnectionError(endpoint_url="x"), PeerUnreachable, "inbox"),
        (refusal("ServiceUnavailable", 503), PeerUnreachable, "inbox"),
        (refusal("AccessDenied", 403), ConfigurationError, "inbox_queue"),
        (refusal("QueueDoesNotExist", 400), ConfigurationError, "inbox_queue"),
        (NoCredentialsError(), ConfigurationError, "AWS credentials"),
    ],
)
def test_each_failure_has_its_error(
    inbox: SqsInbox, fake: FakeSqs, failure: Exception, kind: type[Exception], field: str
) -> None:
    calls: dict[str, Callable[[], object]] = {
        "receive_message": lambda: inbox.receive(1),
        "get_queue_url": lambda: SqsInbox("orders").depth(),
        "get_queue_attributes": inbox.depth,
        "send_message": lambda: inbox.dead_letter("x", "why"),
    }
    for operation, call in calls.items():
        fake.failures = {operation: [failure]}
        with pytest.raises(kind) as caught:
            call()
        assert isinstance(caught.value, PeerUnreachable | ConfigurationError)
        assert caught.value.field == field


def test_batches_hold_ten(inbox: SqsInbox, fake: FakeSqs) -> None:
    inbox.send([f"m{i}" for i in range(25)])
    sizes = [len(call["Entries"]) for call in fake.named("send_message_batch")]
    assert sorted(sizes) == [5, 10, 10]


def test_only_what_failed_is_sent_again(inbox: SqsInbox, fake: FakeSqs, waits: list[float]) -> None:
    fake.failures["send_message_batch"] = [failed((1, False), (3, False)), failed((3, False)), {}]
    inbox.send(["a", "b", "c", "d"])
    sent = [
        [entry["MessageBody"] for entry in call["Entries"]]
        for call in fake.named("send_message_batch")
    ]
    assert sent == [["a", "b", "c", "d"], ["b", "d"], ["d"]]
    assert waits == list(BATCH_PAUSES_S[:2])


def test_what_the_queue_refuses_is_not_sent_again(inbox: SqsInbox, fake: FakeSqs) -> None:
    fake.failures["send_message_batch"] = [failed((0, True))]
    with pytest.raises(CommitUnknown, match="1 unsure"):
        inbox.send(["a", "b"])
    assert len(fake.named("send_message_batch")) == 1


def test_a_send_without_answer_is_repeated_and_then_unknown(
    inbox: SqsInbox, fake: FakeSqs, waits: list[float]
) -> None:
    lost = ConnectionClosedError(endpoint_url="http://127.0.0.1")
    fake.failures["send_message_batch"] = [lost] * (len(BATCH_PAUSES_S) + 1)
    with pytest.raises(CommitUnknown, match="2 unsure"):
        inbox.send(["a", "b"])
    assert waits == list(BATCH_PAUSES_S)


def test_a_delete_that_half_failed_is_finished(inbox: SqsInbox, fake: FakeSqs) -> None:
    fake.failures["delete_message_batch"] = [failed((0, False), (2, True))]
    assert inbox.delete(["h0", "h1", "h2"]) == ("h2",)
    handles = [
        [entry["ReceiptHandle"] for entry in call["Entries"]]
        for call in fake.named("delete_message_batch")
    ]
    assert handles == [["h0", "h1", "h2"], ["h0"]]


def test_a_handle_that_is_invalid_is_not_tried_again(inbox: SqsInbox, fake: FakeSqs) -> None:
    entry = {"Id": "0", "SenderFault": False, "Code": "ReceiptHandleIsInvalid"}
    fake.failures["delete_message_batch"] = [{"Failed": [entry]}]
    assert inbox.delete(["old"]) == ("old",)
    assert len(fake.named("delete_message_batch")) == 1


def test_nothing_to_do_is_no_call(inbox: SqsInbox, fake: FakeSqs) -> None:
    inbox.send([])
    inbox.release([])
    assert inbox.delete(()) == ()
    assert fake.calls == []


def test_a_release_makes_visible_at_once(inbox: SqsInbox, fake: FakeSqs) -> None:
    fake.failures["change_message_visibility_batch"] = [failed((0, True))]
    inbox.release(["h0", "h1"])
    (call,) = fake.named("change_message_visibility_batch")
    assert [entry["VisibilityTimeout"] for entry in call["Entries"]] == [0, 0]


def test_dead_letters_go_to_the_queue_of_the_redrive_policy(inbox: SqsInbox, fake: FakeSqs) -> None:
    inbox.dead_letter("body", "NOT_JSON: message")
    inbox.dead_letter("body", "")
    first, second = fake.named("send_message")
    assert first["QueueUrl"].endswith("/letters")
    assert first["MessageAttributes"]["reason"]["StringValue"] == "NOT_JSON: message"
    assert second["MessageAttributes"]["reason"]["StringValue"] == "unknown"
    assert len(fake.named("get_queue_attributes")) == 1


def test_a_reason_is_printable_and_short(inbox: SqsInbox, fake: FakeSqs) -> None:
    inbox.dead_letter("body", "a\nb\x00" + "\u20ac" + "y" * 400)
    reason = fake.named("send_message")[0]["MessageAttributes"]["reason"]["StringValue"]
    assert reason.startswith("a?b?\\u20acy")
    assert len(reason) == sqs.REASON_CHARACTERS_MAX
    assert reason.isascii()
    assert reason.isprintable()


@pytest.mark.parametrize("attributes", [{}, {"RedrivePolicy": "{}"}])
def test_without_a_redrive_policy_there_are_no_dead_letters(
    inbox: SqsInbox, fake: FakeSqs, attributes: dict[str, str]
) -> None:
    fake.attributes = attributes
    with pytest.raises(ConfigurationError, match="dead letter"):
        inbox.dead_letter("body", "why")
    assert fake.named("send_message") == []


def test_depth_is_both_numbers(inbox: SqsInbox, fake: FakeSqs) -> None:
    fake.attributes |= {
        "ApproximateNumberOfMessages": "7", "ApproximateNumberOfMessagesNotVisible": "2",
    }  # fmt: skip
    assert inbox.depth() == Depth(7, 2)


def test_batches_respect_entries_and_bytes() -> None:
    small = batches_of([str(i) for i in range(21)], len)
    assert [len(batch) for batch in small] == [10, 10, 1]
    half = "x" * (BATCH_BYTES_MAX // 2)
    assert [len(batch) for batch in batches_of([half, half, half], len)] == [2, 1]
    assert [len(batch) for batch in batches_of([half, half + "x", "y"], len)] == [1, 2]
    assert batches_of([], len) == []
    assert [i for batch in small for i in batch] == [str(i) for i in range(21)]


def test_a_budget_is_never_overdrawn() -> None:
    budget = Budget(BATCH_ENTRIES_MAX + 3)
    assert (budget.claim(10), budget.claim(10), budget.claim(10)) == (10, 3, 0)
    budget.give_back(5)
    assert (budget.left(), budget.claim(10), budget.left()) == (5, 5, 0)
    assert Budget(-1).claim(1) == 0
