"""Clients of S3 and SQS, and what their failures mean.

``s3`` and ``sqs`` share this. What counts is whether a failed call may have taken effect: a refused
connection took none, a 5xx or a lost answer may have. Endpoint, region and credentials are boto3's
own environment variables (``AWS_ENDPOINT_URL`` for a local stand-in); no endpoint stands in code.
"""

from typing import Any, Final, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProxyConnectionError,
)

from convexfx_core.errors import ConfigurationCode, ConfigurationError, ConvexFxError

CONNECTIONS_MAX: Final = 32
CONNECT_TIMEOUT_S: Final = 3
READ_TIMEOUT_S: Final = 30
UNSENT: Final = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)
"""Failures after which nothing can have reached the service."""
AWS_EXPECTED: Final = (
    "the AWS variables of an exchange (docs/runbook.md), or a stack that runs in this folder "
    "(convexfx up)"
)
MISCONFIGURED: Final = (NoCredentialsError, NoRegionError, PartialCredentialsError)


def open_client(service: Literal["s3", "sqs"], *, attempts: int) -> Any:
    """Thread-safe client whose calls are tried ``attempts`` times by boto3 itself."""
    config = Config(
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=CONNECTIONS_MAX,
    )
    try:
        return boto3.client(service, config=config)
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            ConfigurationCode.SETTING, "AWS environment", AWS_EXPECTED, str(error)
        ) from None


def status_of(error: ClientError) -> int:
    """HTTP status of an answered call."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: ClientError) -> str:
    """Error code of an answered call, by AWS's own name."""
    return str(error.response.get("Error", {}).get("Code", ""))


def transient(error: ClientError) -> bool:
    """Whether the service failed or was busy, so that the call may or may not have taken effect."""
    return status_of(error) >= 500 or status_of(error) == 429 or code_of(error) == "RequestTimeout"


def misconfigured(field: str, expected: str, error: Exception) -> ConvexFxError:
    """The error for what no repetition mends: missing bucket or queue, credentials, permission."""
    seen = code_of(error) if isinstance(error, ClientError) else str(error)
    return ConfigurationError(ConfigurationCode.SETTING, field, expected, seen)
