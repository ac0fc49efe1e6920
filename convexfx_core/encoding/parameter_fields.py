"""Strict reading of JSON objects: every entry typed and named by its path, none unknown."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Self, TypeVar

from convexfx_core.errors import ConfigurationCode, ConfigurationError
from convexfx_core.limits import ASSETS_MAX

_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_WHOLE: Final = re.compile(r"-?[0-9]{1,40}", re.ASCII)
Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object and its path; remembers which of its entries were read."""

    value: Mapping[str, Any]
    path: str
    read: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, value: object, path: str) -> Self:
        """The object at ``path``; ``ConfigurationError`` ``PARAMS`` for another JSON value."""
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        return cls(value, path)

    def take(self, name: str) -> Any:
        """An entry that must be there."""
        if name not in self.value:
            raise _wrong(f"{self.path}.{name}", "an entry", "none")
        self.read.add(name)
        return self.value[name]

    def nothing_else(self) -> None:
        """Refuse entries that nobody read."""
        unknown = sorted(set(self.value) - self.read)
        if unknown:
            raise _wrong(f"{self.path}.{unknown[0]}", "no such entry", "one")

    def inner(self, name: str) -> "Fields":
        """An object."""
        return Fields.of(self.take(name), f"{self.path}.{name}")

    def text(self, name: str) -> str:
        """A text."""
        value = self.take(name)
        if not isinstance(value, str):
            raise _wrong(f"{self.path}.{name}", "a text", value)
        return value

    def integer(self, name: str) -> int:
        """A JSON integer."""
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong(f"{self.path}.{name}", "an integer", value)
        return value

    def number(self, name: str) -> Decimal:
        """A decimal in text."""
        return _number(self.take(name), f"{self.path}.{name}")

    def positive(self, name: str) -> Decimal:
        """A decimal above zero in text."""
        value = self.number(name)
        if value <= 0:
            raise _wrong(f"{self.path}.{name}", "a number above 0", str(value))
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """2 to 64 distinct texts."""
        entries = self.take(name)
        path = f"{self.path}.{name}"
        if not isinstance(entries, list) or not 2 <= len(entries) <= ASSETS_MAX:
            raise _wrong(path, f"a list of 2 to {ASSETS_MAX} ids", entries)
        if not all(isinstance(entry, str) for entry in entries) or len(set(entries)) < len(entries):
            raise _wrong(path, "distinct texts", entries)
        return tuple(entries)

    def numbers(self, name: str, count: int) -> tuple[Decimal, ...]:
        """A list of ``count`` decimals in text."""
        return _list(self.take(name), f"{self.path}.{name}", count, _number)

    def matrix(self, name: str, count: int) -> tuple[tuple[Decimal, ...], ...]:
        """``count`` lists of ``count`` decimals in text."""
        return _square(self.take(name), f"{self.path}.{name}", count, _number)

    def whole_matrix(self, name: str, count: int) -> tuple[tuple[int, ...], ...]:
        """``count`` lists of ``count`` integers in text."""
        return _square(self.take(name), f"{self.path}.{name}", count, _whole)


def _square(
    value: object, path: str, count: int, read: Callable[[object, str], Entry]
) -> tuple[tuple[Entry, ...], ...]:
    return _list(value, path, count, lambda row, at: _list(row, at, count, read))


def _list(
    value: object, path: str, count: int, read: Callable[[object, str], Entry]
) -> tuple[Entry, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise _wrong(path, f"a list of {count} entries", value)
    return tuple(read(entry, f"{path}[{i}]") for i, entry in enumerate(value))


def _number(value: object, path: str) -> Decimal:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise _wrong(path, "a decimal number in quotes", value)
    return Decimal(value)


def _whole(value: object, path: str) -> int:
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise _wrong(path, "an integer in quotes", value)
    return int(value)


def _wrong(path: str, expected: str, observed: object) -> ConfigurationError:
    return ConfigurationError(ConfigurationCode.PARAMS, path, expected, observed)
