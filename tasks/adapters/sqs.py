"""The inbox on SQS: parallel batches, partial failures tried again, dead letters with a reason.

Wallets and the API send orders here; the seal of an epoch receives all that wait and deletes them
once they stand in the object store. SQS delivers at least once and in any order, so the seal must
expect doubles. A batch may fail in part: only its failed entries are tried again.
"""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from convexfx_core.errors import CommitUnknown, ConvexFxError, PeerUnreachable
from tasks.adapters.aws import (
    AWS_EXPECTED,
    MISCONFIGURED,
    code_of,
    misconfigured,
    open_client,
    transient,
)
from tasks.adapters.batches import BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Budget, batches_of
from tasks.adapters.bodies import check_body
from tasks.ports import Depth, Message

T = TypeVar("T")
THREADS: Final = 8
CALL_ATTEMPTS: Final = 4
BATCH_PAUSES_S: Final = (0.1, 0.4, 1.0)
"""Waits before the entries of a batch that failed are tried again."""
FIRST_WAIT_S: Final = 1
"""Seconds of the first poll; a short poll may miss messages on other servers of the queue."""
EMPTY_POLLS: Final = 2
REASON_CHARACTERS_MAX: Final = 256
QUEUE_EXPECTED: Final = "an existing queue that we may use"
_DEPTHS: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


class SqsInbox:
    """An ``Inbox`` on an SQS queue whose redrive policy names its dead letter queue.

    Parameters
    ----------
    queue : its name.
    threads : parallel calls.
    first_wait_s : long poll of the first receive, whole seconds; 0 to 20.
    sleep : waits so many seconds before failed entries are tried again.
    """

    def __init__(
        self,
        queue: str,
        *,
        threads: int = THREADS,
        first_wait_s: int = FIRST_WAIT_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.queue = queue
        self._threads = threads
        self._first_wait_s = first_wait_s
        self._sleep = sleep
        self._client = open_client("sqs", attempts=CALL_ATTEMPTS)
        self._urls: dict[str, str] = {}
        self._dead_letters = ""

    def receive(self, max_messages: int) -> list[Message]:
        """Up to ``max_messages`` messages; ends when the queue answers empty twice in a row."""
        budget = Budget(max_messages)
        first = self._poll(budget, self._first_wait_s)
        if not first or not budget.left():
            return first
        with ThreadPoolExecutor(self._threads) as pool:
            drained = pool.map(lambda _: self._drain(budget), range(self._threads))
            return first + [message for batch in drained for message in batch]

    def delete(self, handles: Iterable[str]) -> tuple[str, ...]:
        """Delete deliveries in batches; the handles left over, whose messages may return."""

        def delete_batch(batch: Sequence[str]) -> list[str]:
            entries = [{"ReceiptHandle": handle} for handle in batch]
            return [batch[i] for i in self._batch("delete_message_batch", entries)]

        left = self._parallel(delete_batch, batches_of(list(handles), lambda _: 0))
        return tuple(handle for failed in left for handle in failed)

    def release(self, handles: Iterable[str]) -> None:
        """Make held messages visible again at once; what fails returns by itself later."""

        def release_batch(batch: Sequence[str]) -> list[int]:
            entries = [{"ReceiptHandle": handle, "VisibilityTimeout": 0} for handle in batch]
            return self._batch("change_message_visibility_batch", entries)

        self._parallel(release_batch, batches_of(list(handles), lambda _: 0))

    def send(self, bodies: Sequence[str]) -> None:
        """Send messages durably in batches.

        Raises
        ------
        RejectedOrder
            A body is not ASCII or too large; nothing was sent.
        CommitUnknown
            Some may not have been sent; the error says how many.
        """
        for body in bodies:
            check_body(body)
        left = sum(
            self._parallel(
                lambda batch: len(
                    self._batch("send_message_batch", [{"MessageBody": body} for body in batch])
                ),
                batches_of(list(bodies), len),
            )
        )
        if left:
            raise CommitUnknown("inbox", f"all {len(bodies)} messages sent", f"{left} unsure")

    def dead_letter(self, body: str, reason: str) -> None:
        """Copy a message into the dead letter queue; a body that leaves no room is cut."""
        attributes = {"reason": {"DataType": "String", "StringValue": _printable(reason)}}
        room = BATCH_BYTES_MAX - 1_024
        cut = body.encode()[:room].decode(errors="ignore")
        if cut != body:
            attributes["truncated"] = {"DataType": "String", "StringValue": str(len(body))}
        url = self._dead_letter_url()
        self._call(
            lambda: self._client.send_message(
                QueueUrl=url, MessageBody=cut, MessageAttributes=attributes
            ),
            "dead_letter",
        )

    def depth(self) -> Depth:
        """Approximate numbers of waiting and held messages."""
        return self._depth(self._url(self.queue))

    def dead_letter_depth(self) -> Depth:
        """The same of the dead letter queue."""
        return self._depth(self._dead_letter_url())

    def _depth(self, url: str) -> Depth:
        answer = self._call(
            lambda: self._client.get_queue_attributes(QueueUrl=url, AttributeNames=list(_DEPTHS)),
            "depth",
        )
        visible, in_flight = (int(answer["Attributes"][name]) for name in _DEPTHS)
        return Depth(visible, in_flight)

    def _drain(self, budget: Budget) -> list[Message]:
        messages: list[Message] = []
        empty = 0
        while empty < EMPTY_POLLS and budget.left():
            try:
                batch = self._poll(budget, 0)
            except PeerUnreachable:
                return messages
            messages += batch
            empty = 0 if batch else empty + 1
        return messages

    def _poll(self, budget: Budget, wait_s: int) -> list[Message]:
        claimed = budget.claim(BATCH_ENTRIES_MAX)
        if not claimed:
            return []
        batch: list[Message] = []
        try:
            batch = self._receive_batch(claimed, wait_s)
        finally:
            budget.give_back(claimed - len(batch))
        return batch

    def _receive_batch(self, count: int, wait_s: int) -> list[Message]:
        url = self._url(self.queue)
        try:
            answer = self._client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=count,
                WaitTimeSeconds=wait_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and code_of(error).endswith("OverLimit"):
                return []
            raise self._failure(error, "receive") from None
        return [_message(item) for item in answer.get("Messages", [])]

    def _batch(self, operation: str, entries: list[dict[str, Any]]) -> list[int]:
        """Send entries and try failed ones again; the indices of those that failed for good."""
        url = self._url(self.queue)
        waiting, failed = list(range(len(entries))), list[int]()
        for pause in (*BATCH_PAUSES_S, None):
            named = [{"Id": str(i), **entries[i]} for i in waiting]
            refused, waiting = self._attempt(operation, url, named)
            failed += refused
            if not waiting or pause is None:
                break
            self._sleep(pause)
        return sorted(failed + waiting)

    def _attempt(
        self, operation: str, url: str, named: list[dict[str, Any]]
    ) -> tuple[list[int], list[int]]:
        """Send entries once; those refused for good, and those to try again."""
        try:
            answer = getattr(self._client, operation)(QueueUrl=url, Entries=named)
        except (ClientError, BotoCoreError) as error:
            failure = self._failure(error, operation)
            if not isinstance(failure, PeerUnreachable):
                raise failure from None
            return [], [int(entry["Id"]) for entry in named]
        failed = answer.get("Failed", [])
        return (
            [int(entry["Id"]) for entry in failed if _hopeless(entry)],
            [int(entry["Id"]) for entry in failed if not _hopeless(entry)],
        )

    def _parallel(self, work: Callable[[Sequence[str]], T], batches: list[list[str]]) -> list[T]:
        if len(batches) <= 1:
            return [work(batch) for batch in batches]
        with ThreadPoolExecutor(min(self._threads, len(batches))) as pool:
            return list(pool.map(work, batches))

    def _url(self, queue: str) -> str:
        if queue not in self._urls:
            answer = self._call(lambda: self._client.get_queue_url(QueueName=queue), "find queue")
            self._urls[queue] = str(answer["QueueUrl"])
        return self._urls[queue]

    def _dead_letter_url(self) -> str:
        if not self._dead_letters:
            url = self._url(self.queue)
            answer = self._call(
                lambda: self._client.get_queue_attributes(
                    QueueUrl=url, AttributeNames=["RedrivePolicy"]
                ),
                "find dead letters",
            )
            policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
            arn = str(policy.get("deadLetterTargetArn", ""))
            if not arn:
                raise misconfigured(
                    "inbox_queue", "a queue with a dead letter queue", ValueError(self.queue)
                )
            self._dead_letters = arn.rsplit(":", 1)[-1]
        return self._url(self._dead_letters)

    def _call(self, call: Callable[[], Any], operation: str) -> Any:
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            raise self._failure(error, operation) from None

    def _failure(self, error: Exception, operation: str) -> ConvexFxError:
        if isinstance(error, MISCONFIGURED):
            return misconfigured("AWS credentials", AWS_EXPECTED, error)
        if isinstance(error, ClientError) and not transient(error):
            return misconfigured("inbox_queue", QUEUE_EXPECTED, error)
        seen = code_of(error) if isinstance(error, ClientError) else str(error)
        return PeerUnreachable("inbox", f"an answer to {operation}", seen)


def _message(item: dict[str, Any]) -> Message:
    count = int(item.get("Attributes", {}).get("ApproximateReceiveCount", 1))
    return Message(item["MessageId"], item["ReceiptHandle"], item["Body"], count)


def _hopeless(entry: dict[str, Any]) -> bool:
    return bool(entry.get("SenderFault")) or entry.get("Code") == "ReceiptHandleIsInvalid"


def _printable(reason: str) -> str:
    text = reason.encode("ascii", "backslashreplace").decode()[:REASON_CHARACTERS_MAX]
    return "".join(c if c.isprintable() else "?" for c in text) or "unknown"
