"""Items of ``POST /verifiables``: split so that one bad item spoils no other, and read."""

import json
import re
from dataclasses import dataclass
from typing import Final

from convexfx_core.encoding.canonical_json import strict_json
from convexfx_core.errors import RejectCode, RejectedOrder
from convexfx_core.limits import MESSAGE_BYTES_MAX, MESSAGE_ITEMS_MAX
from convexfx_core.orders.signed import Domain, SignedOrder
from convexfx_core.wire.orders import parse_verifiable
from convexfx_core.wire.swap import Swap, is_swap, parse_swap, swap_order

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""A thousand VERIFIABLEs printed over many lines."""
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_BOUNDARIES: Final = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=str, strict=False
)
"""Finds where an item ends and forgives what the strict reader of that item will not."""

Parsed = SignedOrder | Swap | RejectedOrder


@dataclass(frozen=True, slots=True)
class Nonces:
    """What a Swap without a nonce may have been signed with, the likeliest first."""

    likeliest: int
    others: tuple[int, ...] = ()


def split_items(body: bytes) -> list[bytes]:
    """The text of each item of a JSON array of 1 to 1,000 items.

    Raises
    ------
    RejectedOrder
        The body as a whole: MESSAGE_TOO_LARGE, NOT_JSON, SCHEMA, TOO_MANY_ITEMS.
    """
    if len(body) > BODY_BYTES_MAX:
        raise too_large(len(body))
    text = body.decode("latin-1")
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        _item_end(text, at)
        raise RejectedOrder(RejectCode.SCHEMA, "body", "a JSON array of items", text[at : at + 20])
    items: list[bytes] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]" or items:
        end = _item_end(text, at)
        items.append(body[at:end])
        if len(items) > MESSAGE_ITEMS_MAX:
            expected = f"at most {MESSAGE_ITEMS_MAX} items"
            raise RejectedOrder(RejectCode.TOO_MANY_ITEMS, "body", expected, "more")
        at = _skip(text, end)
        mark = text[at : at + 1]
        if mark == "]":
            break
        if mark != ",":
            raise _not_json(f"{text[at : at + 20]!r} behind item {len(items) - 1}")
        at = _skip(text, at + 1)
    if _skip(text, at + 1) != len(text):
        raise _not_json("text behind the array")
    if not items:
        raise RejectedOrder(RejectCode.SCHEMA, "body", "a non-empty array", "[]")
    return items


def too_large(size: int) -> RejectedOrder:
    """The refusal of a body of more than ``BODY_BYTES_MAX`` bytes."""
    expected = f"at most {BODY_BYTES_MAX} bytes"
    return RejectedOrder(RejectCode.MESSAGE_TOO_LARGE, "body", expected, size)


def read_item(raw: bytes, domain: Domain) -> Parsed:
    """One item's order, its Swap where the payload still lacks the nonce, or why not."""
    try:
        value = strict_json(raw, bytes_max=MESSAGE_BYTES_MAX, keep_decimals=True)
        if not is_swap(value):
            return parse_verifiable(value, domain)
        swap = parse_swap(value)
        return swap if swap.nonce is None else swap_order(swap, domain)
    except RejectedOrder as error:
        return error


def sign_with(swap: Swap, domain: Domain, nonces: Nonces) -> SignedOrder | RejectedOrder:
    """The order of a Swap without a nonce: the signature says which of the nonces it was.

    Others than the likeliest are tried so that the same Swap sent again is the same order, whatever
    the vault did meanwhile.
    """
    for nonce in (nonces.likeliest, *nonces.others):
        try:
            return swap_order(swap, domain, nonce)
        except RejectedOrder as error:
            if error.code != RejectCode.SIGNATURE:
                return error
    expected = f"a valid Ed25519 signature over the vault's next nonce, {nonces.likeliest}"
    return RejectedOrder(RejectCode.SIGNATURE, "signature", expected)


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _item_end(text: str, at: int) -> int:
    try:
        return _BOUNDARIES.raw_decode(text, at)[1]
    except (ValueError, RecursionError) as error:
        raise _not_json(str(error)) from None


def _not_json(observed: str) -> RejectedOrder:
    return RejectedOrder(RejectCode.NOT_JSON, "body", "a JSON array", observed)
