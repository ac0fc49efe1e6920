"""S3 and SQS adapters on LocalStack: the suite of the memory ones, and what a network adds."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from convexfx.local.provision import provision
from convexfx_core.errors import CommitConflict, CommitUnknown, ConfigurationError, PeerUnreachable
from tasks.adapters.aws import open_client
from tasks.adapters.s3 import S3Store
from tasks.adapters.sqs import BATCH_PAUSES_S, SqsInbox
from tasks.ports import Depth, Inbox, PutResult
from tests.support.conformance import InboxConformance, StoreConformance, Wait
from tests.support.stack_fixtures import AwsNames

pytestmark = pytest.mark.stack


def purge(bucket: str) -> None:
    """Empty a bucket, versions and all."""
    client = open_client("s3", attempts=3)
    listed = client.list_object_versions(Bucket=bucket)
    for item in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
        client.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])


@pytest.fixture(scope="module")
def bucket(localstack: str) -> str:
    name = f"conformance-{uuid.uuid4().hex[:12]}"
    provision(name, name)
    return name


class TestS3Store(StoreConformance):
    @pytest.fixture
    def store(self, bucket: str) -> S3Store:
        purge(bucket)
        return S3Store(bucket)

    @pytest.fixture
    def rival(self, bucket: str) -> S3Store:
        return S3Store(bucket)

    def test_more_keys_than_a_page_are_listed(self, store: S3Store) -> None:
        names = [f"many/{i:05d}" for i in range(1_050)]
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda n: store.put_new(n, b""), names)) == {PutResult.CREATED}
        assert store.list("many/") == tuple(names)

    def test_a_large_object_arrives_whole(self, store: S3Store) -> None:
        body = bytes(range(256)) * 65_536
        store.put_new("large", body)
        assert store.get("large") == body

    def test_two_clients_race_for_one_manifest(self, store: S3Store, rival: S3Store) -> None:
        def seal(name: str) -> bytes:
            client = store if name == "a" else rival
            try:
                client.put_new("epochs/00000001/manifest.json", name.encode())
            except CommitConflict:
                adopted = client.get("epochs/00000001/manifest.json")
                assert adopted is not None
                return adopted
            return name.encode()

        with ThreadPoolExecutor(2) as pool:
            agreed = set(pool.map(seal, ["a", "b"]))
        assert len(agreed) == 1


def queue_with(aws: AwsNames) -> SqsInbox:
    """The suite's queue: one second of visibility, two deliveries."""
    client = open_client("sqs", attempts=3)
    url = client.get_queue_url(QueueName=aws.queue)["QueueUrl"]
    kept = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    policy = kept["RedrivePolicy"].replace('"maxReceiveCount": 5', '"maxReceiveCount": 2')
    policy = policy.replace('"maxReceiveCount": "5"', '"maxReceiveCount": "2"')
    assert policy != kept["RedrivePolicy"]
    client.set_queue_attributes(
        QueueUrl=url, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": policy}
    )
    return SqsInbox(aws.queue, first_wait_s=0)


class TestSqsInbox(InboxConformance):
    @pytest.fixture
    def inbox(self, aws_names: AwsNames) -> SqsInbox:
        return queue_with(aws_names)

    @pytest.fixture
    def wait(self) -> Wait:
        return time.sleep

    def dead_letters(self, inbox: Inbox) -> list[tuple[str, str]]:
        assert isinstance(inbox, SqsInbox)
        client = open_client("sqs", attempts=3)
        url = client.get_queue_url(QueueName=f"{inbox.queue}-dlq")["QueueUrl"]
        answer = client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=2
        )
        return [
            (
                item["Body"],
                item.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "redrive"),
            )
            for item in answer.get("Messages", [])
        ]


@pytest.fixture
def inbox(aws_names: AwsNames) -> SqsInbox:
    return SqsInbox(aws_names.queue, first_wait_s=0)


def test_a_thousand_messages_are_drained_in_parallel(inbox: SqsInbox) -> None:
    bodies = [f"m{i:04d}" for i in range(1_000)]
    inbox.send(bodies)
    messages = inbox.receive(5_000)
    assert sorted(m.body for m in messages) == bodies
    assert inbox.delete(m.handle for m in messages) == ()
    assert inbox.depth() == Depth(0, 0)


def test_handles_that_mean_nothing_are_left_over(inbox: SqsInbox) -> None:
    inbox.send(["a", "b"])
    handles = [m.handle for m in inbox.receive(10)]
    assert inbox.delete([handles[0], "bogus", handles[1]]) == ("bogus",)
    assert inbox.depth() == Depth(0, 0)


def test_a_reason_that_is_not_printable_is_kept_readable(inbox: SqsInbox) -> None:
    inbox.dead_letter("x", "line\none \u20ac" + "y" * 400)
    assert inbox.dead_letter_depth() == Depth(1, 0)


def test_an_oversize_dead_letter_is_cut_and_says_so(inbox: SqsInbox) -> None:
    inbox.dead_letter("x" * 300_000, "MESSAGE_TOO_LARGE")
    client = open_client("sqs", attempts=3)
    url = client.get_queue_url(QueueName=f"{inbox.queue}-dlq")["QueueUrl"]
    (item,) = client.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert len(item["Body"]) < 256 * 1024
    assert item["MessageAttributes"]["truncated"]["StringValue"] == "300000"


def test_a_missing_queue_is_a_setting(localstack: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SqsInbox("no-such-queue").receive(1)
    assert caught.value.field == "inbox_queue"


def test_a_queue_without_dead_letters_is_a_setting(localstack: str) -> None:
    boto3.client("sqs").create_queue(QueueName="bare")
    with pytest.raises(ConfigurationError) as caught:
        SqsInbox("bare").dead_letter("x", "why")
    assert "dead letter" in caught.value.expected


def test_a_missing_bucket_is_a_setting(localstack: str) -> None:
    store = S3Store("no-such-bucket-anywhere")
    for call in (lambda: store.get("k"), lambda: store.put_new("k", b""), lambda: store.list("")):
        with pytest.raises(ConfigurationError) as caught:
            call()
        assert caught.value.field == "bucket"


def test_provisioning_twice_changes_nothing(aws_names: AwsNames) -> None:
    inbox = SqsInbox(aws_names.queue, first_wait_s=0)
    inbox.send(["kept"])
    S3Store(aws_names.bucket).put_new("kept", b"x")
    provision(aws_names.bucket, aws_names.queue)
    assert [m.body for m in inbox.receive(10)] == ["kept"]
    assert S3Store(aws_names.bucket).get("kept") == b"x"


def test_a_queue_that_went_away_is_unreachable_or_unknown(
    aws_names: AwsNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    inbox = SqsInbox(aws_names.queue, first_wait_s=0, sleep=waits.append)
    inbox.send(["x"])
    (message,) = inbox.receive(1)
    client = inbox._client
    monkeypatch.setattr(client.meta.events, "emit_until_response", refuse_connection)
    with pytest.raises(PeerUnreachable):
        inbox.receive(1)
    with pytest.raises(CommitUnknown) as caught:
        inbox.send(["y", "z"])
    assert caught.value.observed == "2 unsure"
    assert inbox.delete([message.handle]) == (message.handle,)
    assert waits == [*BATCH_PAUSES_S] * 2


def refuse_connection(*_: object, **__: object) -> None:
    from botocore.exceptions import EndpointConnectionError

    raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
