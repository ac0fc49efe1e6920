"""A Swap and the payload that a wallet signs say the same, however the numbers are written."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.encoding.canonical_json import strict_json
from convexfx_core.identity import base58_encode
from convexfx_core.limits import AMOUNT_MAX
from convexfx_core.orders.signed import UnsignedOrder, order_payload
from convexfx_core.orders.terms import limit_from_ratio, order_terms
from convexfx_core.wire.swap import parse_swap, swap_order
from tests.support.signed_cases import code_of_call, domain, key

PATIENT = settings(deadline=None)
"""Other work on the machine is no failure."""

ALICE = key("alice")
ASSETS = domain().registry
PAIRS = st.permutations(range(3)).map(lambda order: (order[0], order[1]))
RATIOS = st.none() | st.decimals("0.000001", "1000000", places=8)
NONCES = st.integers(1, (1 << 63) - 1)
EPOCHS = st.integers(0, (1 << 64) - 1)


def literal(value: Decimal, way: str) -> str:
    """JSON text of a decimal: a string, a number, or a number with zeros behind it."""
    plain = format(value, "f")
    if way == "string":
        return f'"{plain}"'
    padded = plain if "." in plain else f"{plain}.0"
    return padded if way == "number" else padded + "000"


WAYS = st.sampled_from(["string", "number", "zeros"])


@st.composite
def swaps(draw: st.DrawFn) -> tuple[UnsignedOrder, dict[str, str]]:
    """An order, and the JSON text of each field of a Swap that says it."""
    pay, receive = draw(PAIRS)
    budget, ratio = draw(st.integers(1, AMOUNT_MAX)), draw(RATIOS)
    nonce, until, way = draw(NONCES), draw(EPOCHS), draw(WAYS)
    limit, fields = None, {}
    if ratio is not None:
        limit = limit_from_ratio(ratio, ASSETS[pay].decimals, ASSETS[receive].decimals)
        fields["limit_ratio"] = literal(ratio, draw(WAYS))
    order = UnsignedOrder(
        ALICE.owner, nonce, pay, budget, order_terms(receive, limit, 0, until)
    )  # fmt: skip
    return order, {
        **fields,
        "owner": f'"{base58_encode(ALICE.owner)}"',
        "pub_key": f'"0x{ALICE.public.hex()}"',
        "pay_asset": f'"{ASSETS[pay].id}"',
        "receive_asset": f'"{ASSETS[receive].id}"',
        "budget": literal(Decimal(ASSETS[pay].text(budget)), way),
        "nonce": str(nonce),
        "valid_until_epoch": str(until),
    }


def body(fields: dict[str, str], signature: bytes) -> bytes:
    parts = {**fields, "signature": f'"{base58_encode(signature)}"'}
    inner = ",".join(f'"{name}":{text}' for name, text in parts.items())
    return b'[{"Swap":{' + inner.encode() + b"}}]"


@given(swaps())
@settings(PATIENT)
def test_the_rebuilt_payload_is_the_signed_one(case: tuple[UnsignedOrder, dict[str, str]]) -> None:
    order, fields = case
    payload = order_payload(domain(), order)
    items = strict_json(body(fields, ALICE.sign(payload)), keep_decimals=True)
    assert swap_order(parse_swap(items[0]), domain()).payload == payload


@given(swaps(), st.data())
@settings(PATIENT)
def test_any_other_number_breaks_the_signature(
    case: tuple[UnsignedOrder, dict[str, str]], data: st.DataObject
) -> None:
    order, fields = case
    signature = ALICE.sign(order_payload(domain(), order))
    name = data.draw(st.sampled_from(["nonce", "valid_until_epoch"]))
    other = data.draw(st.integers(1, (1 << 63) - 1).map(str).filter(lambda t: t != fields[name]))
    item = strict_json(body({**fields, name: other}, signature), keep_decimals=True)[0]
    assert code_of_call(lambda: swap_order(parse_swap(item), domain())) == "SIGNATURE"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6)
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)  # fmt: skip
FIELDS = ["owner", "pay_asset", "receive_asset", "budget", "limit_ratio", "min_fill_fraction",
          "nonce", "valid_until_epoch", "pub_key", "signature", "other"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES))
@settings(PATIENT)
def test_whatever_a_swap_holds_it_is_refused_with_a_code(fields: dict[str, Any]) -> None:
    assert code_of_call(lambda: swap_order(parse_swap({"Swap": fields}), domain())) is not None


@given(st.decimals(-(10**12), 10**12, allow_nan=False).map(lambda d: format(d, "f")))
@settings(PATIENT)
def test_number_literals_keep_every_digit(text: str) -> None:
    if "." not in text:
        text += ".0"
    if len(text) <= 64:
        value = strict_json(text.encode(), keep_decimals=True)
        assert value == Decimal(text)
        assert format(value, "f") == text
