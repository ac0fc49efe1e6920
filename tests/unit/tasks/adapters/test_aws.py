"""What the failures of AWS mean, and how clients are made."""

import pytest
from botocore.exceptions import ClientError

from convexfx_core.errors import ConfigurationError, RejectedOrder
from convexfx_core.limits import MESSAGE_BYTES_MAX
from tasks.adapters.aws import code_of, misconfigured, open_client, status_of, transient
from tasks.adapters.bodies import check_body


def answered(status: int, code: str = "Code") -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation"
    )


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (500, "InternalError", True), (503, "SlowDown", True), (599, "x", True), (429, "x", True),
        (400, "RequestTimeout", True), (400, "InvalidArgument", False),
        (403, "AccessDenied", False), (404, "NoSuchKey", False),
        (409, "ConditionalRequestConflict", False), (499, "x", False),
        (412, "PreconditionFailed", False),
    ],
)  # fmt: skip
def test_only_the_services_own_failures_are_transient(
    status: int, code: str, expected: bool
) -> None:
    assert transient(answered(status, code)) is expected


def test_an_answer_without_its_parts_is_read() -> None:
    empty = ClientError({}, "Operation")
    assert (status_of(empty), code_of(empty), transient(empty)) == (0, "", False)


def test_a_misconfiguration_shows_awss_own_code() -> None:
    error = misconfigured("bucket", "an existing bucket", answered(404, "NoSuchBucket"))
    assert error.line() == "SETTING: bucket: expected an existing bucket, found NoSuchBucket"
    assert misconfigured("x", "y", ValueError("z")).observed == "z"


def test_a_client_takes_endpoint_and_region_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5001")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    client = open_client("sqs", attempts=3)
    assert client.meta.endpoint_url == "http://127.0.0.1:5001"
    assert client.meta.region_name == "eu-central-1"
    assert client.meta.config.retries["total_max_attempts"] == 3


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_ENDPOINT_URL", "not a url"), ("AWS_PROFILE", "nobody")]
)
def test_an_unusable_environment_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        open_client("s3", attempts=1)
    assert (caught.value.code, caught.value.field) == ("SETTING", "AWS environment")


def test_a_missing_region_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ConfigurationError):
        open_client("sqs", attempts=1)


@pytest.mark.parametrize("body", ["x", "x" * MESSAGE_BYTES_MAX, "{}", "\x7f"])
def test_a_body_within_the_limits_passes(body: str) -> None:
    check_body(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "MESSAGE_TOO_LARGE"), ("x" * (MESSAGE_BYTES_MAX + 1), "MESSAGE_TOO_LARGE"),
        ("\x80", "NOT_ASCII"), ("\ud800", "NOT_ASCII"),
    ],
)  # fmt: skip
def test_its_smallest_neighbours_do_not(body: str, code: str) -> None:
    with pytest.raises(RejectedOrder) as caught:
        check_body(body)
    assert caught.value.code == code
    assert caught.value.line().isascii()
