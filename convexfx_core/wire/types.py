"""Value types of the JSON on the wire, and the translation of their errors into reject codes.

delta writes u64 and i64 as JSON numbers, hashes, keys and signatures as base58, vaults and tokens
as ``"<owner base58>,<shard>"`` (design of the gateway's 0.6 interface).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from convexfx_core.errors import CodecError, RejectCode, RejectedOrder
from convexfx_core.identity import U64_MAX, Address

ADDRESS_PATTERN: Final = "^[1-9A-HJ-NP-Za-km-z]{32,45},[1-9][0-9]{0,19}$"
DECIMAL_PATTERN: Final = "^-?[0-9]{1,40}(\\.[0-9]{1,40})?$"
_DECIMAL: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", re.ASCII)
_SHOWN_CHARS: Final = 120
_KEY_CHARS: Final = 60
_RANGES: Final = frozenset({"greater_than_equal", "less_than_equal"})


class Strict(BaseModel):
    """Base of all wire models: no coercion, no unknown key, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


U64 = Annotated[int, Field(ge=0, le=U64_MAX)]
"""JSON integer in [0, 2^64)."""
I64 = Annotated[int, Field(ge=-(1 << 63), le=(1 << 63) - 1)]
"""JSON integer in [-2^63, 2^63)."""
Byte = Annotated[int, Field(ge=0, le=255)]
"""JSON integer in [0, 256)."""
ShardNumber = Annotated[int, Field(ge=1, le=U64_MAX)]
"""JSON integer in [1, 2^64)."""


@lru_cache(maxsize=4_096)
def parse_address(text: str) -> Address:
    """:meth:`Address.parse` that remembers: the pool and the tokens come with every order."""
    return Address.parse(text)


def _address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        # Not a TypeError: pydantic collects what a validator raises only if it is a ValueError.
        raise ValueError('expected "<owner base58>,<shard>"')  # noqa: TRY004
    try:
        return parse_address(value)
    except CodecError as error:
        raise ValueError(f"expected {error.expected}") from None


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    raise ValueError("expected a decimal, as a string or a number")


AddressText = Annotated[
    Address,
    PlainValidator(_address),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": ADDRESS_PATTERN}),
]
"""``"<owner base58>,<shard>"``, held as :class:`Address`."""

DecimalNumber = Annotated[
    Decimal,
    PlainValidator(_decimal),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DECIMAL_PATTERN}, {"type": "number"}]}),
]
"""Decimal string, or the exact text of a number literal."""


def variant_of(value: object) -> str | None:
    """Tag of an externally tagged value ``{"Tag": ...}``; None if it has not exactly one key."""
    if isinstance(value, BaseModel):
        return next(iter(type(value).model_fields))
    if isinstance(value, dict) and len(value) == 1:
        tag = next(iter(value))
        return tag if isinstance(tag, str) else None
    return None


EXTERNALLY_TAGGED: Final = Discriminator(variant_of)
"""For unions of models with one field each, tagged by that field's name."""


def validate(adapter: "TypeAdapter[Any]", value: object, root: str) -> Any:
    """``value`` as the adapter's model; :class:`RejectedOrder` naming the field otherwise."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise _refusal(error, root) from None


def _refusal(error: ValidationError, root: str) -> RejectedOrder:
    first = error.errors(include_url=False)[0]
    where, found = tuple(first["loc"]), first["input"]
    code = _code(first["type"], where, found)
    expected = _expected(first["type"], first["msg"], first.get("ctx", {}))
    return RejectedOrder(code, _dotted(root, where), expected, repr(found)[:_SHOWN_CHARS])


def _expected(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """What would have been accepted, in the words of every other line."""
    if kind == "union_tag_invalid":
        return f"one of {context['expected_tags']}"
    fixed = {
        "union_tag_not_found": "an object with one key that names its kind",
        "extra_forbidden": "no such key",
        "missing": "this key",
    }
    for prefix in ("Input should be ", "Value error, expected ", "Value error, "):
        message = message.removeprefix(prefix)
    return fixed.get(kind, message)


def _dotted(root: str, where: tuple[int | str, ...]) -> str:
    names = [root]
    for part in where:
        if isinstance(part, int):
            names[-1] += f"[{part}]"
        elif part != names[-1]:
            names.append(_for_people(part))
    return ".".join(names)


def _for_people(key: str) -> str:
    """A key as somebody wrote it, short and printable."""
    return ascii(key)[1:-1][:_KEY_CHARS]


def _code(kind: str, where: tuple[int | str, ...], found: object) -> RejectCode:
    if isinstance(found, float | Decimal):
        return RejectCode.FLOAT_NUMBER
    if kind.startswith("union_tag"):
        return _variant_code(where)
    if kind in _RANGES and isinstance(found, int):
        return _range_code(where, found)
    if kind == "too_long" and "auxiliary" in where:
        return RejectCode.TERMS
    return RejectCode.SCHEMA


def _variant_code(where: tuple[int | str, ...]) -> RejectCode:
    if "signature" in where or "signatures" in where:
        return RejectCode.SIGNATURE_KIND
    if "allowances" in where:
        return RejectCode.ALLOWANCE_KIND
    return RejectCode.VERIFIABLE_KIND if not where else RejectCode.SCHEMA


def _range_code(where: tuple[int | str, ...], found: int) -> RejectCode:
    if where and where[-1] in ("new_nonce", "nonce"):
        return RejectCode.NONCE_RANGE
    if "allowances" in where:
        return RejectCode.BUDGET_NEGATIVE if found < 0 else RejectCode.AMOUNT_RANGE
    return RejectCode.SCHEMA
