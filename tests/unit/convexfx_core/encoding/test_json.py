"""Canonical JSON and the strict reader: each code with its smallest case."""

import json
from decimal import Decimal

import pytest

from convexfx_core.encoding.canonical_json import DEPTH_MAX, json_bytes, strict_json
from convexfx_core.errors import CodecError, RejectedOrder
from tests.support.signed_cases import short_id


def test_json_bytes_are_sorted_dense_ascii_with_one_newline() -> None:
    value = {"b": [1, -2, None, True], "a": "\u00e9\n", "c": {"z": 1, "y": 2**70}}
    assert json_bytes(value) == (
        b'{"a":"\\u00e9\\n","b":[1,-2,null,true],"c":{"y":1180591620717411303424,"z":1}}\n'
    )
    assert strict_json(json_bytes(value)) == value


@pytest.mark.parametrize("value", [1.5, {"a": [1.0]}, float("nan"), b"x", {(1, 2): 3}, {1, 2}])
def test_json_bytes_refuse_floats_and_foreign_values(value: object) -> None:
    with pytest.raises(CodecError):
        json_bytes(value)


def test_json_bytes_refuse_a_tree_that_holds_itself() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(CodecError):
        json_bytes(loop)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"a":1,"a":1}', "DUPLICATE_KEY"),
        (b'{"a":1,"\\u0061":1}', "DUPLICATE_KEY"),
        (b'[{"x":{"b":1,"c":2,"b":3}}]', "DUPLICATE_KEY"),
        (b"1.0", "FLOAT_NUMBER"),
        (b"1e3", "FLOAT_NUMBER"),
        (b'{"a":[1,-0.5]}', "FLOAT_NUMBER"),
        (b"NaN", "NOT_JSON"),
        (b"[Infinity]", "NOT_JSON"),
        (b"-Infinity", "NOT_JSON"),
        (b"", "NOT_JSON"),
        (b"{", "NOT_JSON"),
        (b"{'a':1}", "NOT_JSON"),
        (b"[1,]", "NOT_JSON"),
        (b"01", "NOT_JSON"),
        (b"1 2", "NOT_JSON"),
        (b'"\n"', "NOT_JSON"),
        (b"[" * 5_000, "NOT_JSON"),
        (b'{"a":' * 100_000, "NOT_JSON"),
        (b"9" * 5_000, "NOT_JSON"),
        ("\u00e9".encode(), "NOT_ASCII"),
        (b'"\xff"', "NOT_ASCII"),
        (b'\xef\xbb\xbf{"a":1}', "NOT_ASCII"),
        (b"[" + b"1," * 60 + b"1]", "MESSAGE_TOO_LARGE"),
    ],
    ids=short_id,
)
def test_refused_with_its_code(text: bytes, code: str) -> None:
    with pytest.raises(RejectedOrder) as caught:
        strict_json(text, bytes_max=120 if code == "MESSAGE_TOO_LARGE" else 1 << 20)
    assert caught.value.code == code
    assert caught.value.line().isascii()


def test_nesting_is_bounded_but_brackets_in_strings_do_not_count() -> None:
    assert strict_json(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX) is not None
    with pytest.raises(RejectedOrder, match="nesting"):
        strict_json(b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1))
    assert strict_json(b'"' + b"[{" * 100 + b'\\"[[' + b'"') == "[{" * 100 + '"[['


def test_length_is_inclusive() -> None:
    assert strict_json(b"[1]", bytes_max=3) == [1]
    with pytest.raises(RejectedOrder, match="MESSAGE_TOO_LARGE"):
        strict_json(b"[1]", bytes_max=2)


def test_integers_keep_their_size() -> None:
    big = 2**200
    assert strict_json(str(big).encode()) == big
    assert strict_json(b"-0") == 0


def test_kept_decimals_come_from_their_text() -> None:
    text = b'{"a":1.10,"b":0.1000000000000000055511151231257827,"c":1e-3,"d":12}'
    value = strict_json(text, keep_decimals=True)
    assert [str(value[k]) for k in "abcd"] == [
        "1.10",
        "0.1000000000000000055511151231257827",
        "0.001",
        "12",
    ]
    assert isinstance(value["a"], Decimal)
    assert isinstance(value["d"], int)


@pytest.mark.parametrize(
    "text",
    [
        b"1e999999999999999999",
        b"1e9999999999999999999",
        b"-1.5E-99999999999999999999",
        b"1e65",
        b"1e-65",
        b"0." + b"1" * 80,
    ],
)
def test_kept_decimals_are_bounded(text: bytes) -> None:
    with pytest.raises(RejectedOrder, match="NOT_JSON"):
        strict_json(text, keep_decimals=True)


def test_parses_what_the_standard_parser_does() -> None:
    text = b' {"k" : [ {"x":"\\ud83d\\ude00"} , null , false , "\\\\\\"" ] } '
    assert strict_json(text) == json.loads(text)
