"""AWS on a free port of this machine, in memory, for one check."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer
from moto.sqs import models

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

REGION = "us-east-1"
# moto forgets this attribute, and the provider waits until it reads back what it wrote.
FORGOTTEN, FORGOTTEN_FIELD = "RedriveAllowPolicy", "redrive_allow_policy"


@dataclass(frozen=True, slots=True)
class Account:
    """Clients of one stand-in; test keys, so that they can reach nothing else."""

    endpoint: str
    s3: "S3Client"
    sqs: "SQSClient"
    iam: Any


def account(endpoint: str) -> Account:
    """Clients for ``endpoint``, whatever credentials, profile or proxy the caller has set."""
    session = boto3.Session("test", "test", region_name=REGION)
    config = Config(proxies={}, s3={"addressing_style": "path"})

    def client(service: Any) -> Any:
        return session.client(service, endpoint_url=endpoint, config=config)

    return Account(endpoint, client("s3"), client("sqs"), client("iam"))


@contextmanager
def stand_in() -> Iterator[Account]:
    """A fresh account on 127.0.0.1, gone when the block ends."""
    if FORGOTTEN not in models.Queue.BASE_ATTRIBUTES:
        models.Queue.BASE_ATTRIBUTES.append(FORGOTTEN)
        setattr(models.Queue, FORGOTTEN_FIELD, None)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield account(f"http://{host}:{port}")
    finally:
        server.stop()
