"""What must exist after an apply, read back from the account by boto3."""

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.terraform.rights import Policies, broken_rights

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

RECEIVE_MAX = 5
RETENTION_S = 14 * 24 * 3600
INBOX_BODY_BYTES_MAX = 200 * 1024


class MismatchError(Exception):
    """What stands in the account is not what was asked for; says what, expected and found."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(f"{what}: expected {expected}, found {found}")


def expect(what: str, expected: object, found: object) -> None:
    """Raise MismatchError unless ``found`` equals ``expected``."""
    if found != expected:
        raise MismatchError(what, expected, found)


def check_storage(s3: "S3Client", bucket: str, lock_days: int) -> None:
    """The bucket keeps every version, locked for ``lock_days`` (0: no lock), and is not public."""
    versioning = s3.get_bucket_versioning(Bucket=bucket)
    expect("versioning", "Enabled", versioning.get("Status", "off"))
    access = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    for name in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls",
                 "RestrictPublicBuckets"):  # fmt: skip
        expect(name, True, access.get(name, False))
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    kind = rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
    expect("server-side encryption", "AES256", kind)
    ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    expect("object ownership", "BucketOwnerEnforced", ownership[0]["ObjectOwnership"])
    wanted = ("GOVERNANCE", lock_days) if lock_days else None
    expect("object lock", wanted, _retention(s3, bucket))


def _retention(s3: "S3Client", bucket: str) -> tuple[str | None, int | None] | None:
    try:
        lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ObjectLockConfigurationNotFoundError":
            return None
        raise
    retention = lock.get("Rule", {}).get("DefaultRetention", {})
    return retention.get("Mode"), retention.get("Days")


def attributes(sqs: "SQSClient", queue: str) -> dict[str, str]:
    """All attributes of the queue of that name."""
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {str(name): value for name, value in found.items()}


def check_inbox(sqs: "SQSClient", queue: str, visibility_s: int) -> None:
    """The inbox and its dead letter queue point at each other and keep messages encrypted."""
    inbox, dead = attributes(sqs, queue), attributes(sqs, f"{queue}-dlq")
    expect("visibility timeout", str(visibility_s), inbox["VisibilityTimeout"])
    redrive = json.loads(inbox.get("RedrivePolicy", "{}"))
    expect("dead letter queue", dead["QueueArn"], redrive.get("deadLetterTargetArn"))
    expect("maxReceiveCount", RECEIVE_MAX, int(redrive.get("maxReceiveCount", 0)))
    allow = json.loads(dead.get("RedriveAllowPolicy", "{}"))
    expect("redrive permission", "byQueue", allow.get("redrivePermission"))
    expect("redrive sources", [inbox["QueueArn"]], allow.get("sourceQueueArns"))
    for name, found in ((queue, inbox), (f"{queue}-dlq", dead)):
        expect(f"retention of {name}", str(RETENTION_S), found["MessageRetentionPeriod"])
        expect(f"encryption of {name}", "true", found["SqsManagedSseEnabled"])
        if int(found["MaximumMessageSize"]) <= INBOX_BODY_BYTES_MAX:
            limit = f"more than {INBOX_BODY_BYTES_MAX}"
            raise MismatchError(f"bytes of {name}", limit, found["MaximumMessageSize"])


def check_redrive(sqs: "SQSClient", queue: str) -> None:
    """A message received five times and never deleted moves to the dead letters, unchanged."""
    inbox = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    dead = sqs.get_queue_url(QueueName=f"{queue}-dlq")["QueueUrl"]
    sqs.send_message(QueueUrl=inbox, MessageBody="poison")
    for turn in range(1, RECEIVE_MAX + 1):
        got = sqs.receive_message(QueueUrl=inbox, VisibilityTimeout=0).get("Messages", [])
        expect(f"messages at receive {turn}", 1, len(got))
    expect(
        "messages after the last", 0, len(sqs.receive_message(QueueUrl=inbox).get("Messages", []))
    )
    moved = sqs.receive_message(QueueUrl=dead).get("Messages", [])
    expect("dead letters", ["poison"], [message.get("Body") for message in moved])


def check_rights(policies: Policies) -> None:
    """Every row of the table of rights holds in the documents as they stand."""
    expect("rights", [], broken_rights(policies))
