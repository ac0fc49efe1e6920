"""The answers of gateway and settlement layer, read strictly: the one place that knows their types.

Money is decided by these answers, so nothing is guessed: a field that is missing or of another type
is a ``GatewayError`` that names it, what was expected and what stood there, and never a zero. Keys
that we do not use may be there. What is absent (a vault, an SDL, an agreement) is no matter of this
file: the peer says so by status 404 or ``null``, and the caller gets ``None``.

The shapes are those of ``docs/devnet.md`` sections 1 and 2. A name such as
``vaultsGet.data.TokenHoldings.fungibles`` is the operation and the way to the field.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final, NoReturn, TypeVar

from convexfx_core.errors import GatewayError
from tasks.ports import Agreement, Json, SdlPhase, SdlState

T = TypeVar("T")
Read = Callable[[object, str], T]

U64_MAX: Final = (1 << 64) - 1
NEXT_NONCE_MAX: Final = 1 << 64
"""One more than the last nonce that 64 bits hold: the next of a vault that used them all."""
SHOWN_CHARS: Final = 500


NUMBER_CHARS_MAX: Final = 64
"""Longest number that is read; ours have twenty digits."""
JSON_EXPECTED: Final = f"JSON with each key once and numbers of at most {NUMBER_CHARS_MAX} digits"


def json_of(body: bytes) -> Any:
    """The value of a JSON text in UTF-8, read without what two readers may take differently.

    Raises
    ------
    ValueError
        It is no JSON, a key stands twice, a number is not finite or longer than
        ``NUMBER_CHARS_MAX``, or the nesting is too deep.
    """
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_each_key_once,
            parse_int=lambda text: int(_short_number(text)),
            parse_float=_finite,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise ValueError("nesting too deep") from None


def _each_key_once(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"key {twice!r} twice")
    return found


def _short_number(text: str) -> str:
    if len(text) > NUMBER_CHARS_MAX:
        raise ValueError(f"a number of {len(text)} characters")
    return text


def _finite(text: str) -> float:
    value = float(_short_number(text))
    if not isfinite(value):
        raise ValueError(f"the number {text}")
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"the number {text}")


def refuse(name: str, expected: str, value: object) -> GatewayError:
    """The error of a value that is not what it must be."""
    return GatewayError(name, expected, json.dumps(value, default=str)[:SHOWN_CHARS])


def object_of(value: object, name: str) -> Json:
    """A JSON object."""
    if not isinstance(value, dict):
        raise refuse(name, "an object", value)
    return value


def list_of(value: object, name: str) -> list[Any]:
    """A JSON list."""
    if not isinstance(value, list):
        raise refuse(name, "a list", value)
    return value


def text_of(value: object, name: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise refuse(name, "a string", value)
    return value


def whole_of(value: object, name: str, least: int = 0, most: int = U64_MAX) -> int:
    """An integer of ``least`` to ``most``; no boolean, no decimal point, no string."""
    if type(value) is not int or not least <= value <= most:
        raise refuse(name, f"an integer of {least} to {most}", value)
    return value


def nonce_of(value: object, name: str) -> int:
    """A vault's next nonce: 1 for a vault that has used none."""
    return whole_of(value, name, 1, NEXT_NONCE_MAX)


def member(value: Mapping[str, object], key: str, name: str, read: Read[T]) -> T:
    """The field ``key`` of an object, read by ``read``; its absence is an error."""
    if key not in value:
        raise GatewayError(f"{name}.{key}", "a value", "nothing")
    return read(value[key], f"{name}.{key}")


def or_null(read: Read[T]) -> Read[T | None]:
    """The reader that takes ``null``, too."""
    return lambda value, name: None if value is None else read(value, name)


def each(read: Read[T]) -> Read[list[T]]:
    """The reader of a list whose entries ``read`` takes."""
    return lambda value, name: [
        read(entry, f"{name}[{place}]") for place, entry in enumerate(list_of(value, name))
    ]


def fields_of(value: object, name: str, readers: Mapping[str, Read[Any]]) -> Json:
    """An object after each of ``readers`` took its field."""
    found = object_of(value, name)
    for key, read in readers.items():
        member(found, key, name, read)
    return found


def fungibles_of(vault: object, name: str) -> dict[str, int]:
    """Base units by token address of a vault; none for one without tokens, or with a mint.

    ``data`` is ``null`` (an empty vault), ``{"TokenHoldings": {"fungibles": {...}}}`` or
    ``{"FungibleTokenMint": {...}}``. A token that is not named there is not held.
    """
    data = member(object_of(vault, name), "data", name, or_null(object_of))
    if data is None:
        return {}
    if list(data) == ["FungibleTokenMint"]:
        member(data, "FungibleTokenMint", f"{name}.data", object_of)
        return {}
    if list(data) != ["TokenHoldings"]:
        raise refuse(f"{name}.data", "null, TokenHoldings or FungibleTokenMint", data)
    held = member(data, "TokenHoldings", f"{name}.data", object_of)
    inside = f"{name}.data.TokenHoldings"
    rows = member(held, "fungibles", inside, object_of)
    return {token: whole_of(n, f"{inside}.fungibles.{token}") for token, n in rows.items()}


def parse_vault(value: object, name: str) -> Json:
    """A vault of the gateway: ``balance``, ``shard`` and ``data`` (:func:`fungibles_of`)."""
    vault = fields_of(value, name, {"balance": whole_of, "shard": whole_of})
    fungibles_of(vault, name)
    return vault


def parse_final_vault(value: object, name: str) -> Json:
    """A vault of the settlement layer, which has ``nonce`` and ``moved_to``, too."""
    return fields_of(parse_vault(value, name), name, {"nonce": whole_of, "moved_to": whole_of})


def parse_vault_rows(value: object, name: str, count: int) -> list[tuple[int, Json | None]]:
    """``count`` pairs of next nonce and vault or ``null``."""
    rows = list_of(value, name)
    if len(rows) != count:
        raise GatewayError(name, f"{count} vaults", len(rows))
    return [_vault_row(row, f"{name}[{place}]") for place, row in enumerate(rows)]


def _vault_row(value: object, name: str) -> tuple[int, Json | None]:
    nonce, vault = pair_of(value, name, "a pair of nonce and vault")
    return nonce_of(nonce, f"{name}[0]"), or_null(parse_vault)(vault, f"{name}[1]")


def pair_of(value: object, name: str, what: str) -> tuple[object, object]:
    """A list of two."""
    if not isinstance(value, list) or len(value) != 2:
        raise refuse(name, what, value)
    return value[0], value[1]


def parse_epoch(value: object, name: str) -> int:
    """The delta epoch of ``{"epoch": n, ...}``."""
    return member(object_of(value, name), "epoch", name, whole_of)


SHARD: Final[Mapping[str, Read[Any]]] = {
    "shard": whole_of,
    "pool": or_null(text_of),
    "last_epoch": whole_of,
    "fees_accrued": each(text_of),
}
RECORD: Final[Mapping[str, Read[Any]]] = {
    "sdl_hash": text_of,
    "shard": whole_of,
    "status": text_of,
    "code": text_of,
    "message": text_of,
    "mode": text_of,
    "epoch": whole_of,
    "public_values": text_of,
    "delta_epoch": whole_of,
}
SUPPLY: Final[Mapping[str, Read[Any]]] = {"supply": whole_of, "held": whole_of}
AGREEMENT: Final[Mapping[str, Read[Any]]] = {
    "shard": whole_of,
    "operator": text_of,
    "program_hash": text_of,
    "attestor_key": text_of,
    "params_hash": text_of,
    "fee": whole_of,
    "network": text_of,
    "active_from": whole_of,
}


def parse_supply(value: object, name: str) -> dict[str, Json]:
    """``{supply, held}`` in base units by token address."""
    rows = object_of(value, name)
    return {token: fields_of(row, f"{name}.{token}", SUPPLY) for token, row in rows.items()}


def parse_agreement(value: object, name: str = "agreement") -> Agreement:
    """Agreement of the settlement layer's JSON."""
    body = object_of(value, name)
    fields = {key: member(body, key, name, read) for key, read in AGREEMENT.items()}
    modes = member(body, "allowed_modes", name, each(text_of))
    return Agreement(allowed_modes=tuple(modes), **fields)


def parse_sdl_state(value: object, name: str = "SdlState") -> SdlState:
    """``SdlState`` of its JSON: a string, or ``{"ProvingFailed": "<message>"}``."""
    if isinstance(value, dict) and list(value) == [SdlPhase.PROVING_FAILED.value]:
        message = value[SdlPhase.PROVING_FAILED.value]
        if isinstance(message, str):
            return SdlState(SdlPhase.PROVING_FAILED, message)
    untagged = [phase for phase in SdlPhase if phase is not SdlPhase.PROVING_FAILED]
    if isinstance(value, str) and value in untagged:
        return SdlState(SdlPhase(value))
    raise refuse(name, f"one of {', '.join(untagged)} or a tagged ProvingFailed", value)


def parse_sdls(value: object, name: str) -> dict[str, SdlState]:
    """States by hash, of a list of pairs."""
    found: dict[str, SdlState] = {}
    for place, row in enumerate(list_of(value, name)):
        hash_text, state = pair_of(row, f"{name}[{place}]", "a pair of hash and state")
        found[text_of(hash_text, f"{name}[{place}][0]")] = parse_sdl_state(
            state, f"{name}[{place}][1]"
        )
    return found
