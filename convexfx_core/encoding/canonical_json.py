"""The one JSON that we write, and the strict reader of JSON that others write.

Objects in the bucket are named by the hash of their bytes, so our JSON has one form. What comes
from outside is read without the freedoms of JSON that two readers may take differently: a key that
stands twice, a number with a point, ``NaN``. Source: ``docs/spec.md`` section 1.
"""

import json
import re
from decimal import Decimal
from typing import Any, Final, NoReturn

from convexfx_core.errors import CodecError, RejectCode, RejectedOrder
from convexfx_core.limits import BUNDLE_BYTES_MAX

DEPTH_MAX: Final = 32
"""Our deepest message has ten levels; the standard parser recurses for each."""
NUMBER_CHARS_MAX: Final = 64
"""Longest decimal that is kept: 19 digits before the point and as many as anybody writes after."""
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, or the rest of the text after an open quote: each byte is looked at once."""
_NOT_BRACKET: Final = bytes(i for i in range(256) if i not in b"[]{}")


def json_bytes(value: object) -> bytes:
    """Canonical JSON: sorted keys, no spaces, ASCII, one trailing newline.

    Raises :class:`CodecError` for floats and for anything that JSON does not have.
    """
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
        )
        json.loads(text, parse_float=_refuse_float)
    except RejectedOrder as error:
        raise CodecError(
            "json", "integers and decimal strings, no floats", error.observed
        ) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise CodecError("json", "a tree of JSON values", str(error)) from None
    return text.encode("ascii") + b"\n"


def strict_json(
    data: bytes, *, bytes_max: int = BUNDLE_BYTES_MAX, keep_decimals: bool = False
) -> Any:
    """Parse ASCII JSON without duplicate keys, floats, NaN, lone surrogates or deep nesting.

    Parameters
    ----------
    data : the text.
    bytes_max : longest text that is read.
    keep_decimals : number literals with a fraction or exponent become the :class:`Decimal` of
        their text instead of being refused; integers stay integers of any size.

    Raises
    ------
    RejectedOrder : MESSAGE_TOO_LARGE, NOT_ASCII, DUPLICATE_KEY, FLOAT_NUMBER or NOT_JSON.
    """
    if len(data) > bytes_max:
        _refuse(RejectCode.MESSAGE_TOO_LARGE, f"at most {bytes_max} bytes", len(data))
    if not data.isascii():
        _refuse(RejectCode.NOT_ASCII, "ASCII bytes only")
    _check_depth(data)
    try:
        return json.loads(
            data.decode("ascii"),
            object_pairs_hook=_unique_keys,
            parse_float=_decimal if keep_decimals else _refuse_float,
            parse_constant=_refuse_constant,
        )
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise RejectedOrder(RejectCode.NOT_JSON, "json", "valid JSON", str(error)) from None


def _check_depth(data: bytes) -> None:
    depth = 0
    for bracket in _STRING.sub(b"", data).translate(None, _NOT_BRACKET):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEPTH_MAX:
            _refuse(RejectCode.NOT_JSON, f"nesting of at most {DEPTH_MAX} levels")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            _refuse(RejectCode.DUPLICATE_KEY, "each key once", name)
        found[name] = value
    return found


def _decimal(text: str) -> Decimal:
    if len(text) > NUMBER_CHARS_MAX or abs(Decimal(text).adjusted()) > NUMBER_CHARS_MAX:
        _refuse(RejectCode.NOT_JSON, f"numbers of at most {NUMBER_CHARS_MAX} digits")
    return Decimal(text)


def _refuse_float(text: str) -> NoReturn:
    _refuse(RejectCode.FLOAT_NUMBER, "an integer or a decimal string", text)


def _refuse_constant(text: str) -> NoReturn:
    _refuse(RejectCode.NOT_JSON, "a finite number", text)


def _refuse(code: RejectCode, expected: str, observed: object = "") -> NoReturn:
    raise RejectedOrder(code, "json", expected, observed)
