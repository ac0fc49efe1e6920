"""The store on S3, by conditional puts.

This module makes single attempts and says how each was answered; ``conditional`` decides what
follows. boto3 repeats reads by itself, but never a put: a repeated put could answer 412 to the very
client whose first put took effect.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from convexfx_core.errors import CodecError, ConvexFxError, PeerUnreachable
from tasks.adapters.aws import (
    AWS_EXPECTED,
    MISCONFIGURED,
    UNSENT,
    code_of,
    misconfigured,
    open_client,
    status_of,
    transient,
)
from tasks.adapters.capped_file import object_bytes_max
from tasks.adapters.conditional import Answer, Attempt, ConditionalStore
from tasks.ports import Versioned

READ_ATTEMPTS: Final = 4
BROKEN_OFF: Final = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
ABSENT_CODES: Final = ("NoSuchKey", "404")
BUCKET_EXPECTED: Final = "an existing bucket that we may read and write"


class S3Objects:
    """Single attempts against a bucket.

    Parameters
    ----------
    bucket : its name.

    boto3 repeats reads. A put is one request; whether to repeat it is the caller's decision.
    """

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self._writer = open_client("s3", attempts=1)
        self._reader = open_client("s3", attempts=READ_ATTEMPTS)

    def read(self, key: str) -> Versioned | None:
        """Object and tag, or ``None``; ``CodecError`` for one too long for its kind."""

        found = self._reading(lambda: self._fetch(key), f"get {key}")
        return found if isinstance(found, Versioned) else None

    def holds(self, key: str) -> bool:
        """Whether the key is taken."""
        head = self._reading(
            lambda: self._reader.head_object(Bucket=self.bucket, Key=key), f"head {key}"
        )
        return head is not None

    def keys(self, prefix: str) -> tuple[str, ...]:
        """Keys with the prefix in byte order."""

        def page_through() -> list[str]:
            pages = self._reader.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

        return tuple(sorted(self._reading(page_through, f"list {prefix}") or (), key=str.encode))

    def try_put(self, key: str, body: bytes, tag: str | None) -> Attempt:
        """One conditional put."""
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        try:
            answer = self._writer.put_object(Bucket=self.bucket, Key=key, Body=body, **condition)
        except ClientError as error:
            return self._refused(error)
        except UNSENT as error:
            return Attempt(Answer.UNSENT, detail=str(error))
        except MISCONFIGURED as error:
            raise misconfigured("AWS credentials", AWS_EXPECTED, error) from None
        except BotoCoreError as error:
            return Attempt(Answer.LOST, detail=str(error))
        return Attempt(Answer.DONE, answer["ETag"])

    def discard(self, key: str) -> None:
        """Remove an object if that is allowed."""
        try:
            self._writer.delete_object(Bucket=self.bucket, Key=key)
        except (ClientError, BotoCoreError):
            return

    def _fetch(self, key: str) -> Versioned:
        """Fetch one object; a body that breaks off is fetched again, as boto3 does not do so."""
        for attempt in range(1, READ_ATTEMPTS + 1):
            answer = self._reader.get_object(Bucket=self.bucket, Key=key)
            if answer["ContentLength"] > (most := object_bytes_max(key)):
                raise CodecError(key, f"at most {most} bytes", answer["ContentLength"])
            try:
                return Versioned(answer["Body"].read(), answer["ETag"])
            except BROKEN_OFF:
                if attempt == READ_ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _refused(self, error: ClientError) -> Attempt:
        status, code = status_of(error), code_of(error)
        if status == 412 or code in ABSENT_CODES:
            return Attempt(Answer.TAKEN, detail=code)
        if status == 409:
            return Attempt(Answer.BUSY, detail=code)
        if transient(error):
            return Attempt(Answer.LOST, detail=code)
        raise misconfigured("bucket", BUCKET_EXPECTED, error) from None

    def _reading(self, call: Callable[[], Any], what: str) -> Any:
        """Answer of a read, ``None`` for an absent key."""
        try:
            return call()
        except ClientError as error:
            if code_of(error) in ABSENT_CODES:
                return None
            raise self._unreadable(error, what) from None
        except MISCONFIGURED as error:
            raise misconfigured("AWS credentials", AWS_EXPECTED, error) from None
        except BotoCoreError as error:
            raise PeerUnreachable("store", f"an answer to {what}", str(error)) from None

    def _unreadable(self, error: ClientError, what: str) -> ConvexFxError:
        if transient(error):
            return PeerUnreachable("store", f"an answer to {what}", code_of(error))
        return misconfigured("bucket", BUCKET_EXPECTED, error)


class S3Store(ConditionalStore):
    """A ``Store`` in an S3 bucket.

    Parameters
    ----------
    bucket : its name; it must exist.
    sleep : waits so many seconds between two attempts of a commit.

    Call ``prove_semantics`` before the first commit.
    """

    def __init__(self, bucket: str, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(S3Objects(bucket), sleep)
