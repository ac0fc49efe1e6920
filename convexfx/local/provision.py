"""Makes on a local stand-in what Terraform makes in the cloud: bucket, queue and dead letter queue.

A step of ``exchange`` runs it before the first day. The figures are those of ``infra/terraform``,
so that the local queue loses, repeats and keeps messages as the real one does.
"""

import json
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from convexfx_core.errors import PeerUnreachable
from tasks.adapters.aws import code_of, open_client

ATTEMPTS: Final = 5
RECEIVES_MAX: Final = 5
VISIBILITY_S: Final = 60
"""Seconds for which a received message stays hidden, as ``visibility_timeout_s`` of Terraform.

It is longer than a seal takes. Orders that a dead receiver held come back after it, so their
``valid_until_epoch`` should lie further ahead.
"""
RETENTION_S: Final = 14 * 24 * 3600
_OURS: Final = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def provision(bucket: str, queue: str, *, visibility_s: int = VISIBILITY_S) -> None:
    """Create bucket (versioned), queue and ``<queue>-dlq`` where they are missing.

    Parameters
    ----------
    visibility_s : how long a received message stays hidden, seconds.

    Raises
    ------
    PeerUnreachable
        The endpoint does not answer, or refuses.
    """
    try:
        _make_bucket(bucket)
        _make_queues(queue, visibility_s)
    except (BotoCoreError, ClientError) as error:
        raise PeerUnreachable(
            "AWS endpoint", f"to create {bucket} and {queue}", str(error)
        ) from None


def _make_bucket(bucket: str) -> None:
    client = open_client("s3", attempts=ATTEMPTS)
    try:
        client.create_bucket(Bucket=bucket)
    except ClientError as error:
        if code_of(error) not in _OURS:
            raise
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def _make_queues(queue: str, visibility_s: int) -> None:
    client = open_client("sqs", attempts=ATTEMPTS)
    kept = {"MessageRetentionPeriod": str(RETENTION_S)}
    dead_letters = client.create_queue(QueueName=f"{queue}-dlq", Attributes=kept)["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])
    policy = {
        "deadLetterTargetArn": arn["Attributes"]["QueueArn"],
        "maxReceiveCount": str(RECEIVES_MAX),
    }
    wanted = kept | {
        "VisibilityTimeout": str(visibility_s),
        "RedrivePolicy": json.dumps(policy),
    }
    url = client.create_queue(QueueName=queue)["QueueUrl"]
    client.set_queue_attributes(QueueUrl=url, Attributes=wanted)
