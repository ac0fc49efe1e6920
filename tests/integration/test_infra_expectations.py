"""What the check of the stack notices, on a stand-in built by hand: right, then one thing wrong."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template
from typing import Any

import pytest

from infra.terraform.check import check_gone, check_stack
from infra.terraform.expectations import MismatchError, check_storage
from infra.terraform.stand_in import Account, stand_in

TEXTS = Path(__file__).resolve().parents[2] / "infra" / "terraform" / "policies"
BUCKET, QUEUE = "convexfx-epochs", "convexfx-inbox"
ARN = "arn:aws:sqs:us-east-1:123456789012:" + QUEUE
ARNS = {"bucket_arn": f"arn:aws:s3:::{BUCKET}", "inbox_arn": ARN, "dead_letter_arn": f"{ARN}-dlq"}
WALLET, SEALER = (f"arn:aws:iam::123456789012:policy/{QUEUE}-{n}" for n in ("wallet", "sealer"))
OUTPUTS = {
    "bucket": BUCKET, "inbox_queue": QUEUE, "dead_letter_queue": f"{QUEUE}-dlq",
    "wallet_policy_arn": WALLET, "sealer_policy_arn": SEALER,
}  # fmt: skip
PUBLIC_BLOCK = {
    "BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True,
    "RestrictPublicBuckets": True,
}  # fmt: skip
LOCK_DAYS = 30


def text(name: str, **arns: str) -> str:
    return Template((TEXTS / f"{name}.json").read_text()).substitute(arns)


def url(account: Account, name: str) -> str:
    return account.sqs.get_queue_url(QueueName=name)["QueueUrl"]


def lock(account: Account, days: int) -> None:
    rule: Any = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": days}}
    account.s3.put_object_lock_configuration(
        Bucket=BUCKET, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )


def block(account: Account, **changed: bool) -> None:
    configuration: Any = PUBLIC_BLOCK | changed
    account.s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=configuration)


def bucket_policy(account: Account, document: str) -> None:
    account.s3.put_bucket_policy(Bucket=BUCKET, Policy=document)


def queue(account: Account, name: str, **attributes: str) -> None:
    # The stand-in forgets the policy at every call that does not repeat it.
    policy = text("queue", queue_arn=ARN + name.removeprefix(QUEUE))
    found: Any = {"Policy": policy} | attributes
    account.sqs.set_queue_attributes(QueueUrl=url(account, name), Attributes=found)


def redrive(account: Account, target: str, receives: int) -> None:
    policy = {"deadLetterTargetArn": target, "maxReceiveCount": receives}
    queue(account, QUEUE, RedrivePolicy=json.dumps(policy))


def allow(account: Account, **policy: Any) -> None:
    queue(account, f"{QUEUE}-dlq", RedriveAllowPolicy=json.dumps(policy))


def build(account: Account) -> None:
    """What an apply of the stack leaves."""
    account.s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    account.s3.put_bucket_encryption(
        Bucket=BUCKET,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    account.s3.put_bucket_ownership_controls(
        Bucket=BUCKET,
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    )
    block(account)
    lock(account, LOCK_DAYS)
    bucket_policy(account, text("bucket", bucket_arn=ARNS["bucket_arn"]))
    for name in (f"{QUEUE}-dlq", QUEUE):
        account.sqs.create_queue(QueueName=name)
        queue(
            account, name, VisibilityTimeout="60",
            MessageRetentionPeriod="1209600", MaximumMessageSize="262144",
            SqsManagedSseEnabled="true",
        )  # fmt: skip
    redrive(account, f"{ARN}-dlq", 5)
    allow(account, redrivePermission="byQueue", sourceQueueArns=[ARN])
    for kind in ("wallet", "sealer"):
        account.iam.create_policy(PolicyName=f"{QUEUE}-{kind}", PolicyDocument=text(kind, **ARNS))


@pytest.fixture(scope="module")
def server() -> Iterator[Account]:
    with stand_in() as account:
        yield account


@pytest.fixture
def stack(server: Account) -> Iterator[Account]:
    """The right stack, thrown away after the test."""
    build(server)
    yield server
    server.s3.delete_bucket(Bucket=BUCKET)
    for name in (QUEUE, f"{QUEUE}-dlq"):
        server.sqs.delete_queue(QueueUrl=url(server, name))
    for arn in (WALLET, SEALER):
        for version in server.iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                server.iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        server.iam.delete_policy(PolicyArn=arn)


def rewrite(arn: str, document: str) -> Callable[[Account], None]:
    """Give an identity policy another text."""
    return lambda account: account.iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=document, SetAsDefault=True
    )


def without(name: str, sid: str, **arns: str) -> str:
    document = json.loads(text(name, **arns))
    document["Statement"] = [s for s in document["Statement"] if s["Sid"] != sid]
    return json.dumps(document)


BUCKET_ARN = {"bucket_arn": ARNS["bucket_arn"]}
WRONG: dict[str, Callable[[Account], object]] = {
    "versioning: expected Enabled": lambda a: a.s3.put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}
    ),
    "BlockPublicPolicy: expected True": lambda a: block(a, BlockPublicPolicy=False),
    "RestrictPublicBuckets: expected True": lambda a: block(a, RestrictPublicBuckets=False),
    "server-side encryption: expected AES256": lambda a: a.s3.put_bucket_encryption(
        Bucket=BUCKET,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        },
    ),
    "object ownership: expected BucketOwnerEnforced": lambda a: a.s3.put_bucket_ownership_controls(
        Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    ),
    "object lock: expected": lambda a: lock(a, LOCK_DAYS - 1),
    "administrator overwrites an outcome": lambda a: bucket_policy(
        a, without("bucket", "DenyUnconditionalCreate", **BUCKET_ARN)
    ),
    "sealer overwrites the head blindly": lambda a: bucket_policy(
        a, without("bucket", "DenyBlindWriteOfState", **BUCKET_ARN)
    ),
    "wallet puts a bundle in the clear": lambda a: bucket_policy(
        a, without("bucket", "DenyInsecureTransport", **BUCKET_ARN)
    ),
    "wallet sends in the clear": lambda a: queue(a, QUEUE, Policy=""),
    "sealer copies poison in the clear": lambda a: queue(a, f"{QUEUE}-dlq", Policy=""),
    "visibility timeout: expected 60": lambda a: queue(a, QUEUE, VisibilityTimeout="59"),
    "dead letter queue: expected": lambda a: redrive(a, ARN, 5),
    "maxReceiveCount: expected 5": lambda a: redrive(a, f"{ARN}-dlq", 6),
    "redrive permission: expected byQueue": lambda a: allow(a, redrivePermission="allowAll"),
    "redrive sources: expected": lambda a: allow(
        a, redrivePermission="byQueue", sourceQueueArns=[f"{ARN}-dlq"]
    ),
    "retention of convexfx-inbox: expected 1209600": lambda a: queue(
        a, QUEUE, MessageRetentionPeriod="345600"
    ),
    "encryption of convexfx-inbox-dlq: expected true": lambda a: queue(
        a, f"{QUEUE}-dlq", SqsManagedSseEnabled="false"
    ),
    "bytes of convexfx-inbox: expected more than 204800": lambda a: queue(
        a, QUEUE, MaximumMessageSize="204800"
    ),
    "wallet with every right calls ReceiveMessage": rewrite(
        WALLET, without("wallet", "NeverTake", **ARNS)
    ),
    "sealer calls DeleteMessage on the inbox": rewrite(SEALER, without("sealer", "Seal", **ARNS)),
}


def test_the_right_stack_passes_twice(stack: Account) -> None:
    check_stack(stack, OUTPUTS, LOCK_DAYS)
    dead = url(stack, f"{QUEUE}-dlq")
    stack.sqs.purge_queue(QueueUrl=dead)
    check_stack(stack, OUTPUTS, LOCK_DAYS)


@pytest.mark.parametrize("said", WRONG)
def test_invalid_one_thing_wrong_is_named(stack: Account, said: str) -> None:
    WRONG[said](stack)
    with pytest.raises(MismatchError) as error:
        check_stack(stack, OUTPUTS, LOCK_DAYS)
    assert said in str(error.value)


def test_invalid_a_lock_where_none_was_asked_for(stack: Account) -> None:
    with pytest.raises(MismatchError, match="object lock: expected None"):
        check_storage(stack.s3, BUCKET, 0)


def test_what_is_left_behind_is_named(stack: Account) -> None:
    with pytest.raises(MismatchError, match=f"buckets: expected .*{BUCKET}"):
        check_gone(stack)


def test_an_empty_account_is_gone(server: Account) -> None:
    check_gone(server)
