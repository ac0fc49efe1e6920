"""Provisioning against a recording client: what is made, and what a refusal becomes."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from convexfx.local import provision as module
from convexfx.local.provision import provision
from convexfx_core.errors import PeerUnreachable


class FakeAws:
    """S3 and SQS in one; fails where a test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failures: dict[str, Exception] = {}

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> dict[str, Any]:
            self.calls.append((operation, arguments))
            if operation in self.failures:
                raise self.failures[operation]
            return {
                "QueueUrl": f"url-of-{arguments.get('QueueName', '')}",
                "Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:000000000000:inbox-dlq"},
            }

        return call

    def arguments(self, operation: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.calls if name == operation]


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "CreateBucket")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws()
    monkeypatch.setattr(module, "open_client", lambda service, attempts: fake)
    return fake


def test_a_versioned_bucket_and_a_queue_with_dead_letters_are_made(aws: FakeAws) -> None:
    provision("epochs", "inbox", visibility_s=45)
    assert aws.arguments("create_bucket") == [{"Bucket": "epochs"}]
    (versioning,) = aws.arguments("put_bucket_versioning")
    assert versioning["VersioningConfiguration"] == {"Status": "Enabled"}
    assert [call["QueueName"] for call in aws.arguments("create_queue")] == ["inbox-dlq", "inbox"]
    (settings,) = aws.arguments("set_queue_attributes")
    assert settings["QueueUrl"] == "url-of-inbox"
    assert settings["Attributes"]["VisibilityTimeout"] == "45"
    assert json.loads(settings["Attributes"]["RedrivePolicy"]) == {
        "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:inbox-dlq",
        "maxReceiveCount": "5",
    }


@pytest.mark.parametrize("code", ["BucketAlreadyOwnedByYou", "BucketAlreadyExists"])
def test_a_bucket_that_is_there_is_kept(aws: FakeAws, code: str) -> None:
    aws.failures["create_bucket"] = refusal(code)
    provision("epochs", "inbox")
    assert len(aws.arguments("create_queue")) == 2


@pytest.mark.parametrize(
    ("operation", "failure"),
    [
        ("create_bucket", refusal("InvalidBucketName")),
        ("put_bucket_versioning", refusal("AccessDenied")),
        ("create_queue", EndpointConnectionError(endpoint_url="http://127.0.0.1:1")),
        ("set_queue_attributes", refusal("InvalidAttributeValue")),
    ],
)
def test_a_refusal_names_what_was_wanted(aws: FakeAws, operation: str, failure: Exception) -> None:
    aws.failures[operation] = failure
    with pytest.raises(PeerUnreachable) as caught:
        provision("epochs", "inbox")
    assert "epochs and inbox" in caught.value.expected
    assert caught.value.field == "AWS endpoint"
