"""Objects of parsed JSON read field by field; every error names its field.

What people write by hand (batches, results, parameters) is read here and nowhere else: numbers are
decimal strings, because a JSON number may have passed through a float; every key is either taken or
refused, because a misspelt key that is skipped is a wish that nobody fulfils.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Context, Decimal
from typing import Final, TypeVar

from convexfx_core.encoding.canonical_json import strict_json
from convexfx_core.errors import CodecError, RejectedOrder

DECIMAL_TEXT: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
DECIMAL_CHARS_MAX: Final = 80
"""Two 128-bit integers around a point."""
TEXT_CHARS_MAX: Final = 128
EXACT: Final = Context(prec=DECIMAL_CHARS_MAX)
Entry = TypeVar("Entry")


class Fields:
    """One JSON object; every key must be taken before :meth:`done`.

    Parameters
    ----------
    value : what the parser made of it.
    path : its name in errors; empty for the outermost.
    """

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise CodecError(path or "file", "a JSON object", _for_people(value))
        self._left: dict[str, object] = dict(value)
        self.path = path

    def name(self, key: str) -> str:
        """Full name of a field, as errors give it."""
        return f"{self.path}.{key}" if self.path else key

    def take(self, key: str, default: object = ...) -> object:
        """The value of ``key``; without a default its absence is an error."""
        if key not in self._left and default is ...:
            raise CodecError(self.name(key), "a value", "nothing")
        return self._left.pop(key, default)

    def text(self, key: str) -> str:
        """A string of at most 128 characters."""
        return text_of(self.take(key), self.name(key))

    def decimal(self, key: str) -> Decimal:
        """A decimal string; a JSON number is an error."""
        return decimal_of(self.take(key), self.name(key))

    def whole(self, key: str) -> int:
        """A string that holds an integer."""
        return whole_of(self.take(key), self.name(key))

    def number(self, key: str) -> int:
        """A JSON integer."""
        value = self.take(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise CodecError(self.name(key), "an integer without quotes", _for_people(value))
        return value

    def inner(self, key: str) -> "Fields":
        """A JSON object."""
        return Fields(self.take(key), self.name(key))

    def items(self, key: str) -> list[tuple[str, object]]:
        """Members of a JSON list with their names."""
        return items_of(self.take(key), self.name(key))

    def row(self, key: str, count: int, read: Callable[[object, str], Entry]) -> tuple[Entry, ...]:
        """A list of ``count`` entries, each read by ``read(value, name)``."""
        return row_of(self.take(key), self.name(key), count, read)

    def square(
        self, key: str, count: int, read: Callable[[object, str], Entry]
    ) -> tuple[tuple[Entry, ...], ...]:
        """A list of ``count`` lists of ``count`` entries."""
        return self.row(key, count, lambda value, name: row_of(value, name, count, read))

    def rest(self) -> Iterator[tuple[str, object]]:
        """Keys not taken yet with their values, which count as taken."""
        left, self._left = self._left, {}
        yield from left.items()

    def done(self) -> None:
        """Refuse keys that nobody took."""
        for key in self._left:
            raise CodecError(self.name(text_of(key, self.path)), "no such field", "one")


def parse(data: bytes, name: str = "file", *, keep_decimals: bool = False) -> object:
    """Strict JSON, its refusals as :class:`CodecError` of the whole."""
    try:
        parsed: object = strict_json(data, keep_decimals=keep_decimals)
    except RejectedOrder as error:
        raise CodecError(name, error.expected, error.observed or error.code) from error
    return parsed


def items_of(value: object, name: str) -> list[tuple[str, object]]:
    """Members of a JSON list, named ``name[0]``, ``name[1]``..."""
    if not isinstance(value, list):
        raise CodecError(name, "a JSON list", _for_people(value))
    return [(f"{name}[{index}]", item) for index, item in enumerate(value)]


def row_of(
    value: object, name: str, count: int, read: Callable[[object, str], Entry]
) -> tuple[Entry, ...]:
    """A JSON list of ``count`` entries, each read by ``read(value, name)``."""
    items = items_of(value, name)
    if len(items) != count:
        raise CodecError(name, f"a list of {count} entries", len(items))
    return tuple(read(item, at) for at, item in items)


def text_of(value: object, name: str) -> str:
    """A string of at most 128 characters."""
    if not isinstance(value, str):
        raise CodecError(name, "a string", _for_people(value))
    if len(value) > TEXT_CHARS_MAX:
        raise CodecError(name, f"at most {TEXT_CHARS_MAX} characters", len(value))
    return value


def decimal_of(value: object, name: str) -> Decimal:
    """A number from its decimal string, digits with an optional sign and point."""
    text = text_of(value, name)
    if len(text) > DECIMAL_CHARS_MAX:
        raise CodecError(name, f"at most {DECIMAL_CHARS_MAX} characters", len(text))
    if not DECIMAL_TEXT.fullmatch(text):
        raise CodecError(name, "a decimal string such as 12.50", text)
    return Decimal(text)


def whole_of(value: object, name: str) -> int:
    """An integer from its decimal string."""
    number = decimal_of(value, name)
    if number != number.to_integral_value():
        raise CodecError(name, "a string that holds an integer", str(number))
    return int(number)


def atoms_of(value: object, name: str, decimals: int) -> int:
    """Signed base units of a decimal string with at most ``decimals`` digits after the point."""
    number = decimal_of(value, name)
    _, digits, exponent = number.normalize(EXACT).as_tuple()
    if not isinstance(exponent, int) or -exponent > decimals:
        raise CodecError(name, f"at most {decimals} digits after the point", str(value))
    atoms: int = int("".join(map(str, digits))) * 10 ** (exponent + decimals)
    return -atoms if number < 0 else atoms


def _for_people(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    if value is None:
        return "null"
    return kinds.get(type(value), f"the number {str(value)[:40]}")
