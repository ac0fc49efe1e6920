"""Strict fields: every type named by its path, nothing unread."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from convexfx_core.encoding.parameter_fields import Fields
from convexfx_core.errors import ConfigurationCode, ConfigurationError

Read = Callable[[Fields], object]
VALUES: dict[str, Any] = {
    "text": "house",
    "whole": 7,
    "number": "-0.50",
    "inner": {"x": "1"},
    "names": ["USD", "EUR"],
    "list": ["1", "2.5"],
    "matrix": [["1", "-2"], ["3", "4.5"]],
    "wholes": [["1", "-2"], ["3", "4"]],
}


def fields(**changes: object) -> Fields:
    return Fields.of(VALUES | changes, "top")


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda f: f.text("text"), "house"),
        (lambda f: f.integer("whole"), 7),
        (lambda f: f.number("number"), Decimal("-0.5")),
        (lambda f: f.inner("inner").number("x"), Decimal(1)),
        (lambda f: f.names("names"), ("USD", "EUR")),
        (lambda f: f.numbers("list", 2), (Decimal(1), Decimal("2.5"))),
        (lambda f: f.matrix("matrix", 2), ((1, -2), (3, Decimal("4.5")))),
        (lambda f: f.whole_matrix("wholes", 2), ((1, -2), (3, 4))),
    ],
)
def test_every_kind_is_read(read: Read, expected: object) -> None:
    assert read(fields()) == expected


@pytest.mark.parametrize(
    ("read", "changes", "field"),
    [
        (lambda f: f.text("text"), {"text": None}, "top.text"),
        (lambda f: f.text("text"), {"text": ["house"]}, "top.text"),
        (lambda f: f.integer("whole"), {"whole": "7"}, "top.whole"),
        (lambda f: f.integer("whole"), {"whole": False}, "top.whole"),
        (lambda f: f.integer("whole"), {"whole": 7.0}, "top.whole"),
        (lambda f: f.number("number"), {"number": 1}, "top.number"),
        (lambda f: f.number("number"), {"number": "1."}, "top.number"),
        (lambda f: f.number("number"), {"number": ".5"}, "top.number"),
        (lambda f: f.number("number"), {"number": "+1"}, "top.number"),
        (lambda f: f.number("number"), {"number": "1_0"}, "top.number"),
        (lambda f: f.number("number"), {"number": "1\n"}, "top.number"),
        (lambda f: f.number("number"), {"number": "٣"}, "top.number"),
        (lambda f: f.number("number"), {"number": "0x1"}, "top.number"),
        (lambda f: f.number("number"), {"number": "0." + "1" * 31}, "top.number"),
        (lambda f: f.positive("number"), {"number": "0.0"}, "top.number"),
        (lambda f: f.inner("inner"), {"inner": "x"}, "top.inner"),
        (lambda f: f.inner("inner").number("x"), {"inner": {}}, "top.inner.x"),
        (lambda f: f.inner("inner").number("x"), {"inner": {"x": 1}}, "top.inner.x"),
        (lambda f: f.names("names"), {"names": {"USD": 1, "EUR": 1}}, "top.names"),
        (lambda f: f.names("names"), {"names": ["USD", "USD"]}, "top.names"),
        (lambda f: f.names("names"), {"names": ["USD", ["EUR"]]}, "top.names"),
        (lambda f: f.numbers("list", 3), {}, "top.list"),
        (lambda f: f.numbers("list", 2), {"list": ["1", 2]}, "top.list[1]"),
        (lambda f: f.matrix("matrix", 2), {"matrix": [["1", "2"]]}, "top.matrix"),
        (lambda f: f.matrix("matrix", 2), {"matrix": [["1", "2"], ["3"]]}, "top.matrix[1]"),
        (lambda f: f.matrix("matrix", 2), {"matrix": [["1", "2"], ["3", "x"]]}, "top.matrix[1][1]"),
        (lambda f: f.whole_matrix("wholes", 2), {"wholes": VALUES["matrix"]}, "top.wholes[1][1]"),
        (lambda f: f.whole_matrix("wholes", 1), {"wholes": [["1" * 41]]}, "top.wholes[0][0]"),
    ],
)
def test_another_value_is_refused_by_its_path(
    read: Read, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(fields(**changes))
    assert (caught.value.code, caught.value.field) == (ConfigurationCode.PARAMS, field)


def test_the_smallest_positive_number_is_one() -> None:
    assert fields(number="0.000000000000000000000000000001").positive("number") > 0


def test_sixty_four_names_are_read_and_one_more_is_not() -> None:
    most = [f"A{k}" for k in range(64)]
    assert len(fields(names=most).names("names")) == 64
    with pytest.raises(ConfigurationError, match="a list of 2 to 64 ids"):
        fields(names=[*most, "B"]).names("names")


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_only_objects_have_fields(value: object) -> None:
    with pytest.raises(ConfigurationError, match="top: expected an object"):
        Fields.of(value, "top")


def test_an_entry_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"top\.missing: expected an entry, found none"):
        fields().text("missing")


def test_what_nobody_read_is_refused_in_the_alphabet_s_order() -> None:
    given = Fields.of({"a": "1", "c": "2", "b": "3"}, "top")
    given.text("a")
    with pytest.raises(ConfigurationError, match=r"top\.b: expected no such entry"):
        given.nothing_else()
    given.text("b")
    given.text("c")
    given.nothing_else()


def test_two_objects_do_not_share_what_was_read() -> None:
    first, second = Fields.of({"a": "1"}, "one"), Fields.of({"a": "1"}, "two")
    first.text("a")
    first.nothing_else()
    with pytest.raises(ConfigurationError, match=r"two\.a"):
        second.nothing_else()
