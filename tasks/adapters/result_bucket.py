"""Where Prefect keeps the results of stages: objects of the exchange's own bucket.

Prefect's ``RemoteFileSystem`` would do the same through s3fs, whose import costs every epoch's
process half a second; boto3 is there already. A result is a few hundred bytes of JSON: references,
never the objects themselves.
"""

from functools import cache
from typing import Any, Final

from botocore.exceptions import ClientError
from prefect.filesystems import WritableFileSystem
from prefect.utilities.asyncutils import sync_compatible

from tasks.adapters.aws import open_client

ATTEMPTS: Final = 4


@cache
def _client() -> Any:
    return open_client("s3", attempts=ATTEMPTS)


class ResultBucket(WritableFileSystem):
    """Result storage of a bucket, as a block that Prefect's server names and processes load.

    Attributes
    ----------
    bucket : its name. prefix : of every key.
    """

    _block_type_name = "ConvexFX results"
    _block_type_slug = "convexfx-results"

    bucket: str
    prefix: str = "results/"

    @sync_compatible
    async def read_path(self, path: str) -> bytes:
        """The result of a key.

        Raises
        ------
        ValueError
            There is none: Prefect then runs the stage.
        """
        try:
            found = _client().get_object(Bucket=self.bucket, Key=self.prefix + path)
        except ClientError as error:
            raise ValueError(f"{path}: {error}") from None
        return bytes(found["Body"].read())

    @sync_compatible
    async def write_path(self, path: str, content: bytes) -> None:
        """Keep a result under its key; the last one written holds."""
        _client().put_object(Bucket=self.bucket, Key=self.prefix + path, Body=content)
