"""Strict fields: every type named by its path, nothing unread; numbers in text."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from convexfx_core.encoding.json_fields import (
    Fields,
    atoms_of,
    decimal_of,
    items_of,
    parse,
    text_of,
    whole_of,
)
from convexfx_core.errors import CodecError

Read = Callable[[Fields], object]
VALUES: dict[str, Any] = {
    "text": "house",
    "whole": 7,
    "number": "-0.50",
    "inner": {"x": "1"},
    "list": ["1", "2.5"],
    "matrix": [["1", "-2"], ["3", "4.5"]],
    "wholes": [["1", "-2"], ["3", "4"]],
}


def fields(**changes: object) -> Fields:
    return Fields(VALUES | changes, "top")


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda f: f.text("text"), "house"),
        (lambda f: f.number("whole"), 7),
        (lambda f: f.decimal("number"), Decimal("-0.5")),
        (lambda f: f.inner("inner").whole("x"), 1),
        (lambda f: f.items("list"), [("top.list[0]", "1"), ("top.list[1]", "2.5")]),
        (lambda f: f.row("list", 2, decimal_of), (Decimal(1), Decimal("2.5"))),
        (lambda f: f.square("matrix", 2, decimal_of), ((1, -2), (3, Decimal("4.5")))),
        (lambda f: f.square("wholes", 2, whole_of), ((1, -2), (3, 4))),
    ],
)
def test_every_kind_is_read(read: Read, expected: object) -> None:
    assert read(fields()) == expected


@pytest.mark.parametrize(
    ("read", "changes", "field"),
    [
        (lambda f: f.text("text"), {"text": None}, "top.text"),
        (lambda f: f.text("text"), {"text": ["house"]}, "top.text"),
        (lambda f: f.text("text"), {"text": "x" * 129}, "top.text"),
        (lambda f: f.number("whole"), {"whole": "7"}, "top.whole"),
        (lambda f: f.number("whole"), {"whole": False}, "top.whole"),
        (lambda f: f.number("whole"), {"whole": 7.0}, "top.whole"),
        (lambda f: f.decimal("number"), {"number": 1}, "top.number"),
        (lambda f: f.decimal("number"), {"number": "1."}, "top.number"),
        (lambda f: f.decimal("number"), {"number": ".5"}, "top.number"),
        (lambda f: f.decimal("number"), {"number": "+1"}, "top.number"),
        (lambda f: f.decimal("number"), {"number": "1_0"}, "top.number"),
        (lambda f: f.decimal("number"), {"number": "1\n"}, "top.number"),
        (lambda f: f.decimal("number"), {"number": "٣"}, "top.number"),
        (lambda f: f.decimal("number"), {"number": "0x1"}, "top.number"),
        (lambda f: f.decimal("number"), {"number": "0." + "1" * 79}, "top.number"),
        (lambda f: f.inner("inner"), {"inner": "x"}, "top.inner"),
        (lambda f: f.inner("inner").decimal("x"), {"inner": {}}, "top.inner.x"),
        (lambda f: f.inner("inner").whole("x"), {"inner": {"x": "1.5"}}, "top.inner.x"),
        (lambda f: f.items("list"), {"list": {"0": "1"}}, "top.list"),
        (lambda f: f.row("list", 3, decimal_of), {}, "top.list"),
        (lambda f: f.row("list", 2, decimal_of), {"list": ["1", 2]}, "top.list[1]"),
        (lambda f: f.square("matrix", 2, decimal_of), {"matrix": [["1", "2"]]}, "top.matrix"),
        (
            lambda f: f.square("matrix", 2, decimal_of),
            {"matrix": [["1", "2"], ["3"]]},
            "top.matrix[1]",
        ),
        (
            lambda f: f.square("matrix", 2, decimal_of),
            {"matrix": [["1", "2"], ["3", "x"]]},
            "top.matrix[1][1]",
        ),
        (
            lambda f: f.square("wholes", 2, whole_of),
            {"wholes": VALUES["matrix"]},
            "top.wholes[1][1]",
        ),
    ],
)
def test_another_value_is_refused_by_its_path(
    read: Read, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(CodecError, match=f" {re.escape(field)}: expected"):
        read(fields(**changes))


def test_the_longest_text_and_the_longest_number_are_read() -> None:
    assert text_of("x" * 128, "x") == "x" * 128
    assert decimal_of("0." + "1" * 78, "x") == Decimal("0." + "1" * 78)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "null"), ([], "a list"), ("x", "a string"), (True, "true or false"), (1, "number 1")],
)
def test_only_objects_have_fields(value: object, shown: str) -> None:
    with pytest.raises(CodecError, match=rf"top: expected a JSON object, found .*{shown}"):
        Fields(value, "top")
    with pytest.raises(CodecError, match=" file: expected a JSON object"):
        Fields(value)


def test_a_field_is_taken_once_and_missed_by_its_name() -> None:
    given = fields()
    assert given.text("text") == "house"
    for name in ("text", "missing"):
        with pytest.raises(CodecError, match=rf"top\.{name}: expected a value, found nothing"):
            given.take(name)
    assert given.take("missing", 5) == 5


def test_what_nobody_took_is_refused_in_the_sequence_of_the_file() -> None:
    given = Fields({"a": "1", "c": "2", "b": "3"}, "top")
    given.text("a")
    with pytest.raises(CodecError, match=r"top\.c: expected no such field"):
        given.done()
    assert dict(given.rest()) == {"c": "2", "b": "3"}
    given.done()


def test_two_objects_do_not_share_what_was_taken() -> None:
    value = {"a": "1"}
    first, second = Fields(value, "one"), Fields(value, "two")
    first.text("a")
    first.done()
    with pytest.raises(CodecError, match=r"two\.a"):
        second.done()
    assert value == {"a": "1"}


def test_members_of_a_list_have_names() -> None:
    assert items_of([], "x") == []
    assert items_of([1, None], "x") == [("x[0]", 1), ("x[1]", None)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"{", "valid JSON"), (b'{"a":1,"a":2}', "each key once"), (b"\xff", "ASCII bytes only")],
)
def test_what_is_no_strict_json_is_an_error_of_the_whole(data: bytes, expected: str) -> None:
    with pytest.raises(CodecError, match=f"parameters: expected {expected}"):
        parse(data, "parameters")


def test_decimals_are_kept_where_a_file_may_hold_them() -> None:
    assert parse(b'{"a":1.50}', keep_decimals=True) == {"a": Decimal("1.50")}
    with pytest.raises(CodecError, match="file: expected an integer or a decimal string"):
        parse(b'{"a":1.50}')


@pytest.mark.parametrize(
    ("text", "decimals", "atoms"),
    [("1", 6, 10**6), ("-0.5", 1, -5), ("1.50", 1, 15), ("100", 0, 100), ("0.000", 0, 0)],
)
def test_atoms_of_decimal_texts(text: str, decimals: int, atoms: int) -> None:
    assert atoms_of(text, "x", decimals) == atoms


@pytest.mark.parametrize("text", ["1.55", "-0.01"])
def test_atoms_have_no_fractions(text: str) -> None:
    with pytest.raises(CodecError, match="at most 1 digits"):
        atoms_of(text, "x", 1)


@pytest.mark.parametrize("text", ["", "-", ".5", "5.", "1e5", "0x1", " 1", "\u0661", "NaN", "00"])
def test_decimal_texts_are_strict(text: str) -> None:
    with pytest.raises(CodecError, match="x: expected a decimal string"):
        decimal_of(text, "x")


def test_whole_texts() -> None:
    assert whole_of("12.00", "x") == 12
    with pytest.raises(CodecError, match="integer"):
        whole_of("12.5", "x")
