"""Every reject code that a request can bring about, each beside a neighbour that is queued."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from convexfx.wallet import Wallet
from convexfx_core.errors import RejectCode
from convexfx_core.identity import Address, OwnerId, base58_encode, owner_id
from convexfx_core.market.assets import Registry
from convexfx_core.orders.payload import (
    Allowance,
    Credit,
    DebitAllowance,
    MintOperation,
    MintPayload,
)
from convexfx_core.orders.terms import cancel_terms, order_terms, payout_terms
from convexfx_core.wire.orders import verifiable_json
from tests.support.api_world import DOMAIN, SHARD, ApiWorld, api_world, signer

Json = dict[str, Any]
USD, EUR = 0, 1
ALICE = OwnerId(owner_id(signer("alice").public_key))
MARKET = order_terms(EUR, None, 0, 0)
BODY = {
    RejectCode.MESSAGE_TOO_LARGE, RejectCode.NOT_JSON, RejectCode.SCHEMA, RejectCode.TOO_MANY_ITEMS,
}  # fmt: skip
LATER = {RejectCode.NONCE_TAKEN, RejectCode.CANCELLED}
"""Codes that only an epoch can give; ``test_api_orders`` sees them at ``/orders``."""
ELSEWHERE = {
    RejectCode.VERSION_UNKNOWN, RejectCode.KIND_UNKNOWN, RejectCode.BUNDLE_MISSING,
    RejectCode.BUNDLE_TOO_LARGE, RejectCode.BUNDLE_HASH, RejectCode.BUNDLE_COUNT,
    RejectCode.BUNDLE_FORMAT, RejectCode.PAYLOAD, RejectCode.NETWORK_MISMATCH,
}  # fmt: skip
"""Codes of messages, bundles and payload bytes: a request has none of them. Another network's
signature is a wrong signature here, because the payload is rebuilt with our network."""


def signed(name: str = "alice", **changes: Any) -> Json:
    """VERIFIABLE of a market order of 1 USD for EUR, of the changed fields, signed by ``name``."""
    allowance = DebitAllowance(
        network_id=DOMAIN.network_id,
        debited=Address(ALICE, SHARD),
        credited=DOMAIN.pool,
        new_nonce=1,
        allowances=(Allowance(DOMAIN.registry[USD].token, 10**6),),
        auxiliary=MARKET.to_bytes(),
    )
    if "terms" in changes:
        changes["auxiliary"] = changes.pop("terms").to_bytes()
    if "budget" in changes:
        budget = changes.pop("budget")
        changes["allowances"] = (Allowance(DOMAIN.registry[USD].token, budget),)
    allowance = replace(allowance, **changes)
    key = signer(name)
    return verifiable_json(allowance, key.public_key, key.sign(allowance.to_bytes()))


def edited(path: str, value: object) -> Json:
    """A good VERIFIABLE whose JSON is changed at a dotted path after it was signed."""
    item = signed()
    *parents, last = path.split(".")
    place: Any = item["DebitAllowance"]
    for name in parents:
        place = place[name]
    place[last] = value
    return item


def swap(**changes: Any) -> Json:
    """A good Swap with fields changed after it was signed; a value of None removes the field."""
    item: Json = Wallet(signer("alice"), DOMAIN).swap("USD", "EUR", "1", nonce=1)["Swap"] | changes
    return {"Swap": {name: value for name, value in item.items() if value is not None}}


def mint() -> Json:
    vault = Address(ALICE, SHARD)
    payload = MintPayload(
        DOMAIN.network_id, vault, 1, MintOperation.CREATE, "Gold", "XAU", (Credit(vault, 5),)
    )
    key = signer("alice")
    return verifiable_json(payload, key.public_key, key.sign(payload.to_bytes()))


def two_tokens() -> tuple[Allowance, ...]:
    registry: Registry = DOMAIN.registry
    return tuple(sorted(Allowance(registry[place].token, 5) for place in (USD, EUR)))


def raw(item: Json, old: str, new: str) -> bytes:
    """Text of an item with one piece replaced."""
    text = json.dumps(item)
    assert old in text
    return text.replace(old, new, 1).encode("latin-1")


def other_token() -> tuple[Allowance, ...]:
    return (Allowance(Address(ALICE, SHARD), 5),)


PASSKEY = {
    "Passkey": {
        "authenticator_data": "1", "client_data": "1", "pub_key": "1", "signature": "1",
    }
}  # fmt: skip

CASES: dict[RejectCode, list[Callable[[], Json | bytes]]] = {
    RejectCode.NOT_ASCII: [lambda: raw(swap(), "USD", "US\u00e9")],
    RejectCode.NOT_JSON: [
        lambda: raw(swap(budget=5), ": 5", ": NaN"),
        lambda: raw(swap(budget=5), ": 5", ": 1e999"),
        lambda: raw(swap(), "USD", "U\nD"),
    ],
    RejectCode.DUPLICATE_KEY: [lambda: raw(swap(), '"owner"', '"budget": 1, "owner"')],
    RejectCode.MESSAGE_TOO_LARGE: [lambda: swap(owner="1" * 205_000)],
    RejectCode.FLOAT_NUMBER: [
        lambda: edited("payload.content.new_nonce", 1.5),
        lambda: raw(signed(), '"new_nonce": 1', '"new_nonce": 1.0'),
    ],
    RejectCode.SCHEMA: [
        lambda: swap(owner=7),
        lambda: swap(owner="0x" + "11" * 31),
        lambda: swap(budget="1 000"),
        lambda: swap(colour="red"),
        lambda: swap(signature=None),
        lambda: edited("payload.content.new_nonce", "1"),
    ],
    RejectCode.VERIFIABLE_KIND: [
        mint,
        lambda: {"Bequest": {}},
        lambda: b"{}",
        lambda: b"7",
        lambda: b"null",
    ],
    RejectCode.SIGNATURE_KIND: [
        lambda: edited("signature", PASSKEY),
        lambda: swap(signature=PASSKEY),
    ],
    RejectCode.PUBLIC_KEY: [
        lambda: swap(pub_key=None),
        lambda: swap(pub_key="0x" + "11" * 33),
        lambda: edited("signature.Ed25519.pub_key", "0OIl"),
    ],
    RejectCode.SIGNATURE: [
        lambda: swap(budget="1.000001"),
        lambda: swap(signature="0x" + "00" * 64),
        lambda: swap(signature="0x" + "00" * 63),
        lambda: edited("payload.content.new_nonce", 2),
        lambda: signed(network_id=bytes(32)),
    ],
    RejectCode.OWNER_MISMATCH: [
        lambda: swap(owner=base58_encode(owner_id(signer("bob").public_key))),
        lambda: signed("operator", debited=DOMAIN.pool),
    ],
    RejectCode.CREDITED_MISMATCH: [lambda: signed(credited=Address(ALICE, SHARD))],
    RejectCode.SHARD_MISMATCH: [lambda: signed(debited=Address(ALICE, SHARD + 1))],
    RejectCode.ALLOWANCE_COUNT: [
        lambda: signed(allowances=two_tokens()),
        lambda: edited("payload.content.allowances", {}),
    ],
    RejectCode.ALLOWANCE_KIND: [
        lambda: edited(
            "payload.content.allowances", {str(DOMAIN.registry[USD].token): {"NonFungible": [1]}}
        )
    ],
    RejectCode.ASSET_UNKNOWN: [
        lambda: swap(pay_asset="XAU"),
        lambda: signed(allowances=other_token()),
        lambda: signed(terms=order_terms(6, None, 0, 0)),
    ],
    RejectCode.TERMS: [
        lambda: signed(auxiliary=MARKET.to_bytes()[:-8]),
        lambda: signed(auxiliary=b"\2" + MARKET.to_bytes()[1:]),
        lambda: signed(terms=payout_terms(bytes(range(32)))),
    ],
    RejectCode.SELF_PAIR: [lambda: swap(receive_asset="USD")],
    RejectCode.BUDGET_ZERO: [lambda: swap(budget="0"), lambda: signed(budget=0)],
    RejectCode.BUDGET_NEGATIVE: [lambda: swap(budget="-1"), lambda: swap(budget=-1)],
    RejectCode.AMOUNT_PRECISION: [lambda: swap(budget="0.0000001")],
    RejectCode.AMOUNT_RANGE: [lambda: swap(budget=10**18), lambda: signed(budget=1 << 62)],
    RejectCode.CANCEL_AMOUNT: [lambda: signed(terms=cancel_terms(0))],
    RejectCode.LIMIT_RANGE: [lambda: swap(limit_ratio="0"), lambda: swap(limit_ratio=-1)],
    RejectCode.MIN_FILL_RANGE: [lambda: swap(min_fill_fraction="1.1")],
    RejectCode.NONCE_RANGE: [lambda: swap(nonce=0), lambda: swap(nonce=1 << 64)],
    RejectCode.EXPIRY_TOO_FAR: [lambda: signed(terms=order_terms(EUR, None, 0, 1_442))],
}


@pytest.fixture(scope="module")
def world() -> ApiWorld:
    return api_world()


def text_of(item: Json | bytes) -> bytes:
    return item if isinstance(item, bytes) else json.dumps(item).encode()


@pytest.mark.parametrize("code", CASES, ids=str)
def test_bad_items_are_rejected_with_their_code_and_their_neighbours_are_queued(
    world: ApiWorld, code: RejectCode
) -> None:
    """The neighbour is a good order on either side of every bad one."""
    good = text_of(signed())
    for make in CASES[code]:
        body = b"[" + b" , ".join((good, text_of(make()), good)) + b"]"
        answer = world.client.post("/verifiables", content=body)
        assert answer.status_code == 200, answer.text
        first, bad, last = answer.json()
        assert first == last
        assert first["status"] == "queued"
        assert (bad["status"], bad["code"]) == ("rejected", str(code))
        assert bad["detail"].startswith(f"{code}: ")
        assert "\n" not in bad["detail"]
        assert "order_id" not in bad


def test_expired_and_stale_orders_are_rejected_and_the_next_ones_are_not() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    assert world.post(alice.order("USD", "EUR", "1", nonce=1).verifiable)[0]["status"] == "queued"
    world.epoch()
    stale = alice.order("USD", "EUR", "2", nonce=1)
    late = alice.order("USD", "EUR", "2", nonce=2, valid_until_epoch=1)
    last = alice.order("USD", "EUR", "2", nonce=2, valid_until_epoch=2)
    far = alice.order("USD", "EUR", "2", nonce=3, valid_until_epoch=1_443)
    furthest = alice.order("USD", "EUR", "2", nonce=3, valid_until_epoch=1_442)
    answers = world.post(*(order.verifiable for order in (stale, late, last, far, furthest)))
    assert [answer.get("code") for answer in answers] == [
        "NONCE_STALE", "EXPIRED", None, "EXPIRY_TOO_FAR", None,
    ]  # fmt: skip
    assert "at least 2" in answers[0]["detail"]


BODIES: dict[RejectCode, list[bytes]] = {
    RejectCode.NOT_JSON: [
        b"", b"[", b"[1", b"[1,]", b"[1 2]", b"[1]]", b"[1] x", b"{", b"nope", b"\xef\xbb\xbf[1]",
        b"[" * 100_000,
    ],
    RejectCode.SCHEMA: [b"[]", b" [ ] ", b"{}", b"7", b'{"Swap": {}}', b"null"],
    RejectCode.TOO_MANY_ITEMS: [b"[" + b"1," * 1_000 + b"1]"],
    RejectCode.MESSAGE_TOO_LARGE: [b"[" + b" " * (4 << 20) + b"1]"],
}  # fmt: skip


@pytest.mark.parametrize("code", BODIES, ids=str)
def test_a_body_that_cannot_be_read_is_a_problem_and_queues_nothing(
    world: ApiWorld, code: RejectCode
) -> None:
    before = world.inbox.depth()
    for body in BODIES[code]:
        answer = world.client.post("/verifiables", content=body)
        assert answer.status_code == (413 if code is RejectCode.MESSAGE_TOO_LARGE else 400)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == code, body[:40]
    assert world.inbox.depth() == before


def test_a_thousand_items_are_read(world: ApiWorld) -> None:
    answer = world.client.post("/verifiables", content=b"[" + b"1," * 999 + b"1]")
    assert len(answer.json()) == 1_000


def test_every_code_of_the_closed_list_is_accounted_for() -> None:
    seen = set(CASES) | set(BODIES) | {RejectCode.NONCE_STALE, RejectCode.EXPIRED} | LATER
    assert set(BODIES) == BODY
    assert seen | ELSEWHERE == set(RejectCode)
    assert not seen & ELSEWHERE
