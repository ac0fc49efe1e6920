"""Results of stages in the bucket, on the wire against a scripted server."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from prefect.results import ResultStore
from prefect.settings import PREFECT_RESULTS_DEFAULT_SERIALIZER, temporary_settings

from convexfx.local.localstack import aws_environment
from convexfx_core.errors import ConfigurationError
from tasks.adapters import result_bucket
from tasks.adapters.result_bucket import ResultBucket
from tests.support.fake_s3 import Script, fake_s3


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def bucket(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with fake_s3(script) as url:
        for key, value in aws_environment(url).items():
            monkeypatch.setenv(key, value)
        result_bucket._client.cache_clear()
        saved = ResultBucket(bucket="bucket")
        saved._block_document_id = uuid4()
        yield saved
    result_bucket._client.cache_clear()


def test_a_result_is_an_object_under_the_prefix(bucket: Any, script: Script) -> None:
    bucket.write_path("epoch-00000001-clear-x", b"{}")
    assert script.objects == {"results/epoch-00000001-clear-x": b"{}"}
    assert bucket.read_path("epoch-00000001-clear-x") == b"{}"
    bucket.write_path("epoch-00000001-clear-x", b"[]")
    assert bucket.read_path("epoch-00000001-clear-x") == b"[]", "the last one written holds"


def test_an_absent_result_is_an_error_that_prefect_takes_for_absent(bucket: Any) -> None:
    with pytest.raises(ValueError, match="epoch-1"):
        bucket.read_path("epoch-1")
    assert not ResultStore(result_storage=bucket).exists("epoch-1")


def test_prefect_stores_and_finds_a_result_as_json(bucket: Any, script: Script) -> None:
    with temporary_settings({PREFECT_RESULTS_DEFAULT_SERIALIZER: "json"}):
        store = ResultStore(result_storage=bucket)
        store.write({"epoch": 1}, key="k")
    assert script.objects["results/k"].startswith(b"{")
    found = ResultStore(result_storage=bucket)
    assert found.exists("k")
    assert found.read("k").result == {"epoch": 1}


def test_a_bucket_without_its_variables_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no url")
    result_bucket._client.cache_clear()
    bucket: Any = ResultBucket(bucket="bucket")
    with pytest.raises(ConfigurationError, match="AWS environment"):
        bucket.read_path("k")
