"""The S3 adapter on the wire: which answer leads to which outcome, against a scripted server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from convexfx.local.localstack import aws_environment
from convexfx.local.ports import free_port
from convexfx_core.errors import (
    CodecError,
    CommitConflict,
    CommitUnknown,
    ConfigurationError,
    PeerUnreachable,
)
from tasks.adapters.conditional import PAUSES_S
from tasks.adapters.s3 import READ_ATTEMPTS, S3Store
from tasks.ports import PutResult
from tests.support.fake_s3 import Script, etag, fake_s3

ATTEMPTS = len(PAUSES_S) + 1


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def store(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    with fake_s3(script) as url:
        for key, value in aws_environment(url).items():
            monkeypatch.setenv(key, value)
        yield S3Store("bucket", sleep=lambda _: None)


def test_a_put_is_one_request_with_the_condition(store: S3Store, script: Script) -> None:
    assert store.put_new("k", b"mine") is PutResult.CREATED
    assert script.requests == ["PUT"]
    assert script.objects == {"k": b"mine"}


def test_412_with_equal_bytes_is_our_own_success(store: S3Store, script: Script) -> None:
    script.objects["k"] = b"mine"
    assert store.put_new("k", b"mine") is PutResult.UNCHANGED
    assert script.requests == ["PUT", "GET"]


def test_412_with_other_bytes_is_a_conflict(store: S3Store, script: Script) -> None:
    script.objects["k"] = b"theirs"
    with pytest.raises(CommitConflict):
        store.put_new("k", b"mine")
    assert script.objects == {"k": b"theirs"}


def test_409_is_tried_again(store: S3Store, script: Script) -> None:
    script.puts.extend(["409", "409"])
    assert store.put_new("k", b"mine") is PutResult.CREATED
    assert script.requests == ["PUT"] * 3


def test_an_object_longer_than_its_kind_is_not_read(
    store: S3Store, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.adapters.capped_file.BUNDLE_BYTES_MAX", 4)
    script.objects |= {"a.json": b"1234", "b.json": b"12345", "c.bin": b"12345"}
    assert store.get("a.json") == b"1234"
    assert store.get("c.bin") == b"12345"
    with pytest.raises(CodecError, match=r"b\.json: expected at most 4 bytes, found 5"):
        store.get("b.json")


@pytest.mark.parametrize("lost", ["500", "503", "429", "400", "drop"])
def test_a_put_that_failed_is_read_and_sent_again(
    store: S3Store, script: Script, lost: str
) -> None:
    script.puts.append(lost)
    assert store.put_new("k", b"mine") is PutResult.CREATED
    assert script.requests == ["PUT", "GET", "PUT"]


@pytest.mark.parametrize("lost", ["apply-500", "apply-503", "apply-drop"])
def test_a_put_whose_answer_was_lost_is_read_and_not_sent_again(
    store: S3Store, script: Script, lost: str
) -> None:
    script.puts.append(lost)
    assert store.put_new("k", b"mine") is PutResult.UNCHANGED
    assert script.requests == ["PUT", "GET"]


def test_a_put_that_failed_while_another_won_is_a_conflict(store: S3Store, script: Script) -> None:
    script.puts.append("500")
    script.objects["k"] = b"theirs"
    with pytest.raises(CommitConflict):
        store.put_new("k", b"mine")


def test_answers_that_stay_away_leave_the_outcome_unknown(store: S3Store, script: Script) -> None:
    script.puts.extend(["drop"] * ATTEMPTS)
    with pytest.raises(CommitUnknown) as caught:
        store.put_new("epochs/00000001/outcome.json", b"mine")
    assert caught.value.field == "epochs/00000001/outcome.json"
    assert script.requests.count("PUT") == ATTEMPTS


def test_conflicts_without_end_are_unreachable(store: S3Store, script: Script) -> None:
    script.puts.extend(["409"] * ATTEMPTS)
    with pytest.raises(PeerUnreachable):
        store.put_new("k", b"mine")
    assert script.objects == {}


def test_forbidden_is_a_setting_and_is_not_tried_again(store: S3Store, script: Script) -> None:
    script.puts.append("403")
    with pytest.raises(ConfigurationError) as caught:
        store.put_new("k", b"mine")
    assert (caught.value.code, caught.value.field) == ("SETTING", "bucket")
    assert caught.value.observed == "AccessDenied"
    assert script.requests == ["PUT"]


def test_a_replacement_names_the_tag(store: S3Store, script: Script) -> None:
    script.objects["HEAD"] = b"1"
    assert store.put_if_match("HEAD", b"2", etag(b"1")) == etag(b"2")
    with pytest.raises(CommitConflict):
        store.put_if_match("HEAD", b"3", etag(b"1"))
    with pytest.raises(CommitConflict) as caught:
        store.put_if_match("absent", b"3", etag(b"1"))
    assert caught.value.observed == "nothing"


def test_a_lost_replacement_is_settled_by_the_version(store: S3Store, script: Script) -> None:
    script.objects["HEAD"] = b"1"
    script.puts.append("apply-drop")
    assert store.put_if_match("HEAD", b"2", etag(b"1")) == etag(b"2")
    script.puts.append("drop")
    assert store.put_if_match("HEAD", b"3", etag(b"2")) == etag(b"3")
    assert script.objects == {"HEAD": b"3"}


def test_a_read_is_repeated_and_then_given_up(store: S3Store, script: Script) -> None:
    script.objects["k"] = b"here"
    script.gets.append("503")
    assert store.get("k") == b"here"
    script.gets.extend(["403"])
    with pytest.raises(ConfigurationError):
        store.get("k")


def test_a_body_that_breaks_off_is_fetched_again(store: S3Store, script: Script) -> None:
    script.objects["k"] = b"the whole of it"
    script.gets.extend(["short", "short"])
    assert store.get("k") == b"the whole of it"
    assert script.requests == ["GET"] * 3
    script.gets.extend(["short"] * READ_ATTEMPTS)
    with pytest.raises(PeerUnreachable, match="get k"):
        store.get("k")


def test_a_put_lost_with_its_read_broken_off_is_settled(store: S3Store, script: Script) -> None:
    script.puts.append("apply-drop")
    script.gets.append("short")
    assert store.put_new("k", b"mine") is PutResult.UNCHANGED


def test_an_object_of_a_megabyte_is_compared_whole(store: S3Store, script: Script) -> None:
    body = bytes(1_000_000)
    script.objects["k"] = body
    assert store.put_new("k", body) is PutResult.UNCHANGED
    with pytest.raises(CommitConflict):
        store.put_new("k", body[:-1] + b"\1")


def test_many_threads_share_one_store(store: S3Store, script: Script) -> None:
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda i: store.put_new(f"k{i % 8}", b"same"), range(64)))
    assert results.count(PutResult.CREATED) == 8
    assert results.count(PutResult.UNCHANGED) == 56
    assert len(script.objects) == 8


def test_semantics_are_proven(store: S3Store, script: Script) -> None:
    store.prove_semantics()
    assert script.objects == {}


def test_a_server_that_ignores_conditions_is_refused(store: S3Store, script: Script) -> None:
    script.conditional = False
    with pytest.raises(ConfigurationError) as caught:
        store.prove_semantics()
    assert caught.value.code == "STORE_SEMANTICS"
    assert "412" in caught.value.expected
    assert caught.value.observed == "200"
    assert script.objects == {}


def test_a_server_that_keeps_one_condition_only_is_refused(
    store: S3Store, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = script.put

    def half(key: str, body: bytes, if_none_match: str | None, if_match: str | None) -> int:
        return honest(key, body, if_none_match, None)

    monkeypatch.setattr(script, "put", half)
    with pytest.raises(ConfigurationError) as caught:
        store.prove_semantics()
    assert "If-Match" in caught.value.expected


def test_nobody_listening_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in aws_environment(f"http://127.0.0.1:{free_port()}").items():
        monkeypatch.setenv(key, value)
    store = S3Store("bucket", sleep=lambda _: None)
    with pytest.raises(PeerUnreachable):
        store.put_new("k", b"mine")


def test_an_unknown_profile_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody-has-this-profile")
    with pytest.raises(ConfigurationError) as caught:
        S3Store("bucket")
    assert caught.value.field == "AWS environment"
