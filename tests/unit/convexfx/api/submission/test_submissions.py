"""What ``POST /verifiables`` promises: durable, idempotent, each item for itself."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx.api.submission.items import split_items
from convexfx.api.submission.submission_desk import (
    MESSAGE_ITEMS,
    VaultNonces,
    first_free,
    nonces_of,
)
from convexfx_core.encoding.canonical_json import strict_json
from convexfx_core.errors import GatewayError, RejectedOrder
from convexfx_core.identity import base58_decode
from convexfx_core.limits import MESSAGE_BYTES_MAX
from convexfx_core.wire.orders import order_json, parse_items
from tasks.adapters.injected_faults import Fault, Faults
from tests.support.api_world import DOMAIN, ApiWorld, api_world, signer, unreachable

Json = dict[str, Any]


def without_nonce(item: Json) -> Json:
    return {"Swap": {name: value for name, value in item["Swap"].items() if name != "nonce"}}


def messages(world: ApiWorld) -> list[Any]:
    """Items that stand in the queue; they stay there."""
    received = world.inbox.receive(1_000)
    world.inbox.release([message.handle for message in received])
    return [item for message in received for item in strict_json(message.body.encode())["items"]]


def test_queued_means_durable_in_the_inbox_as_the_wallet_signed_it() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    order = alice.order("USD", "EUR", "12.5", nonce=1, limit_ratio="1.2", min_fill_fraction="0.5")
    [answer] = world.post(
        alice.swap("USD", "EUR", "12.5", nonce=1, limit_ratio="1.2", min_fill_fraction="0.5")
    )
    assert answer == {"status": "queued", "order_id": order.order_id.hex()}
    assert messages(world) == [order.verifiable]


def test_the_seeds_request_with_real_owner_key_and_signature() -> None:
    """Number literals, 0x hex, no nonce: as in the seed's curl command."""
    world = api_world()
    alice = world.wallets["alice"]
    signed = alice.order("USD", "EUR", "1000", nonce=1, limit_ratio="1.1", min_fill_fraction="0.5")
    body = f"""[
    {{
      "Swap": {{
        "owner": "0x{alice.owner_id.hex()}",
        "pay_asset": "USD",
        "receive_asset": "EUR",
        "budget": "1000",
        "limit_ratio": 1.1,
        "min_fill_fraction": 0.5,
        "pub_key": "0x{alice.pub_key.hex()}",
        "signature": "0x{signed.signature.hex()}"
      }}
    }}
  ]"""
    headers = {"Content-Type": "application/json"}
    answer = world.client.post("/verifiables", content=body, headers=headers)
    assert answer.json() == [{"status": "queued", "order_id": signed.order_id.hex()}]
    assert world.epoch()["fills"] == 1
    assert world.order(signed)["state"] == "filled"
    vault = world.get(f"/vaults/0x{alice.owner_id.hex()}")
    assert vault["balances"]["USD"] == "99000.000000"
    assert Decimal(vault["balances"]["EUR"]) > 100_900


@pytest.mark.parametrize("text", ["1.1", '"1.1"', "1.10", "11e-1"])
def test_decimals_are_read_from_their_text(text: str) -> None:
    world = api_world()
    item = world.wallets["alice"].swap("USD", "EUR", "7", nonce=1, limit_ratio="1.1")
    body = json.dumps([item]).replace('"1.1"', text)
    assert world.client.post("/verifiables", content=body).json()[0]["status"] == "queued"


def test_a_float_that_is_not_the_decimal_is_another_order() -> None:
    world = api_world()
    item = world.wallets["alice"].swap("USD", "EUR", "7", nonce=1, limit_ratio="1.1")
    body = json.dumps([item]).replace('"1.1"', "1.100000000000000088817841970012523")
    assert world.client.post("/verifiables", content=body).json()[0]["code"] == "SIGNATURE"


def test_the_same_order_again_gives_the_same_answer_in_every_state() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    item = alice.order("USD", "EUR", "5", nonce=1).verifiable
    first = world.post(item)
    assert world.post(item) == first
    assert len(messages(world)) == 1
    sealed = world.seal()
    world.poll()
    assert world.post(item) == first
    assert sealed is not None
    world.finish(sealed)
    world.poll()
    assert world.post(item) == first
    assert world.post(alice.swap("USD", "EUR", "5", nonce=1)) == first
    assert messages(world) == []
    assert world.restarted().poll()
    again = world.restarted()
    again.poll()
    assert again.post(item) == first


def test_the_same_item_twice_in_a_request_is_one_order() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    order = alice.order("USD", "EUR", "5", nonce=1)
    answers = world.post(order.verifiable, alice.swap("USD", "EUR", "5", nonce=1), order.verifiable)
    assert len({json.dumps(answer) for answer in answers}) == 1
    assert messages(world) == [order.verifiable]


def test_two_orders_for_one_nonce_are_both_queued() -> None:
    """Which of them wins is for admission to say."""
    world = api_world()
    alice = world.wallets["alice"]
    orders = [alice.order("USD", "EUR", budget, nonce=1) for budget in ("5", "6")]
    answers = world.post(*(order.verifiable for order in orders))
    assert {answer["status"] for answer in answers} == {"queued"}
    world.epoch()
    states = {world.order(order)["state"]: world.order(order)["reason"] for order in orders}
    assert states == {"filled": None, "rejected": "rejected:NONCE_TAKEN"}


def test_a_swap_without_a_nonce_takes_the_vaults_next_one() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    items = [without_nonce(alice.swap("USD", "EUR", "5", nonce=nonce)) for nonce in (1, 2, 3)]
    orders = [alice.order("USD", "EUR", "5", nonce=nonce).order_id.hex() for nonce in (1, 2, 3)]
    answers = world.post(*items)
    assert [answer["order_id"] for answer in answers] == orders


def test_a_swap_without_a_nonce_sent_again_later_is_the_same_order() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    item = without_nonce(alice.swap("USD", "EUR", "5", nonce=1))
    first = world.post(item)
    assert world.post(item) == first
    world.epoch()
    assert world.post(item) == first
    assert world.post(without_nonce(alice.swap("USD", "EUR", "5", nonce=2)))[0] != first[0]


def test_a_swap_signed_with_a_nonce_far_ahead_must_name_it() -> None:
    world = api_world()
    item = world.wallets["alice"].swap("USD", "EUR", "5", nonce=4)
    [refused] = world.post(without_nonce(item))
    assert refused["code"] == "SIGNATURE"
    assert "the vault's next nonce, 1" in refused["detail"]
    assert world.post(item)[0]["status"] == "queued"


def test_a_used_nonce_of_an_unknown_order_is_stale_even_where_it_was_not_named() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    world.post(alice.order("USD", "EUR", "5", nonce=1).verifiable)
    world.epoch()
    [refused] = world.post(without_nonce(alice.swap("USD", "EUR", "6", nonce=1)))
    assert refused["code"] == "NONCE_STALE"


def test_many_orders_fit_their_messages() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    orders = [alice.order("USD", "EUR", "1", nonce=nonce) for nonce in range(1, 351)]
    answers = world.post(*(order.verifiable for order in orders))
    assert [answer["order_id"] for answer in answers] == [o.order_id.hex() for o in orders]
    received = world.inbox.receive(100)
    assert len(received) == -(-350 // MESSAGE_ITEMS)
    assert max(len(message.body) for message in received) <= MESSAGE_BYTES_MAX
    items = [item for m in received for item in strict_json(m.body.encode())["items"]]
    found = parse_items(items, DOMAIN)
    assert [order.order_id for order in found if not isinstance(order, RejectedOrder)] == [
        order.order_id for order in orders
    ]
    assert order_json(found[0]) == orders[0].verifiable  # type: ignore[arg-type]  # checked above


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])
def test_an_inbox_that_does_not_confirm_queues_nothing_and_the_same_request_may_be_sent_again(
    fault: Fault,
) -> None:
    faults = Faults()
    world = api_world(faults=faults)
    order = world.wallets["alice"].order("USD", "EUR", "5", nonce=1)
    faults.plan("send", fault)
    answer = world.client.post("/verifiables", json=[order.verifiable])
    assert answer.status_code == 503
    assert answer.json()["code"] == "PEER_UNREACHABLE"
    assert world.client.get(f"/orders/{order.order_id.hex()}").status_code == 404
    assert world.post(order.verifiable)[0]["status"] == "queued"
    world.epoch()
    assert world.order(order)["state"] == "filled"


@pytest.mark.parametrize("error", [unreachable(), GatewayError("vaults", "status 200", "500")])
def test_without_the_gateway_only_items_that_need_it_stop_a_request(error: Any) -> None:
    world = api_world()
    alice = world.wallets["alice"]
    named = alice.swap("USD", "EUR", "5", nonce=1)
    world.gateway.down = error
    assert world.post(named)[0]["status"] == "queued"
    answer = world.client.post("/verifiables", json=[named, without_nonce(named)])
    assert (answer.status_code, answer.json()["code"]) == (503, "PEER_UNREACHABLE")
    world.gateway.down = None
    assert {one["status"] for one in world.post(named, without_nonce(named))} == {"queued"}


def test_an_unexpected_failure_is_a_problem_without_details() -> None:
    world = api_world()
    world.gateway.down = ZeroDivisionError("secret")  # type: ignore[assignment]  # a defect
    answer = world.client.post(
        "/verifiables", json=[world.wallets["alice"].swap("USD", "EUR", "5", nonce=1)]
    )
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "secret" not in answer.text


def test_bodies_in_pieces_stop_at_the_limit() -> None:
    world = api_world()

    async def pieces() -> Any:
        for _ in range(100):
            yield b"[" + b" " * 65_536

    answer = world.client.post("/verifiables", content=pieces())
    assert (answer.status_code, answer.json()["code"]) == (413, "MESSAGE_TOO_LARGE")


def test_before_the_chain_was_read_nothing_is_taken_in() -> None:
    world = api_world().restarted()
    order = world.wallets["alice"].order("USD", "EUR", "5", nonce=1)
    answer = world.client.post("/verifiables", json=[order.verifiable])
    assert (answer.status_code, answer.json()["code"]) == (503, "NOT_READY")
    world.poll()
    assert world.post(order.verifiable)[0]["status"] == "queued"


def test_the_pool_trades_with_nobody() -> None:
    world = api_world()
    world.wallets["pool"] = type(world.wallets["alice"])(signer("operator"), DOMAIN)
    [refused] = world.post(world.wallets["pool"].swap("USD", "EUR", "5", nonce=1))
    assert refused["code"] == "OWNER_MISMATCH"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(JSON, min_size=1, max_size=8), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_arrays_split_where_the_standard_parser_would(
    items: list[Any], indent: Any, ascii_only: bool
) -> None:
    body = json.dumps(items, indent=indent, ensure_ascii=ascii_only)
    parts = split_items(body.encode("utf-8", "surrogatepass"))
    assert [json.loads(part.decode("utf-8", "surrogatepass")) for part in parts] == items


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | st.text('[]{},: \t1x"\\', max_size=24).map(str.encode))
def test_what_the_standard_parser_does_not_take_for_an_array_is_refused(body: bytes) -> None:
    try:
        expected = json.loads(body.decode("latin-1"), strict=False)
    except ValueError:
        expected = None
    if isinstance(expected, list) and expected:
        assert len(split_items(body)) == len(expected)
        return
    with pytest.raises(RejectedOrder) as refused:
        split_items(body)
    assert refused.value.code in ("NOT_JSON", "SCHEMA")


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 30), st.sets(st.integers(1, 60), max_size=40))
def test_nonces_that_are_tried_begin_with_the_next_and_the_first_free_one(
    following: int, taken: set[int]
) -> None:
    nonces = nonces_of(VaultNonces(following, set(taken)))
    free = first_free(following, taken)
    assert free not in taken
    assert all(nonce in taken for nonce in range(following, free))
    tried = [nonces.likeliest, *nonces.others]
    assert tried[0] == following
    assert free in tried[:2]
    assert len(set(tried)) == len(tried) <= 24
    assert min(tried) >= 1
    assert max(0, following - 8) <= min(tried)


def test_signatures_in_base58_and_hex_are_one() -> None:
    world = api_world()
    item = world.wallets["alice"].swap("USD", "EUR", "5", nonce=1)
    hexed = {"Swap": dict(item["Swap"])}
    for name, length in (("owner", 32), ("pub_key", 32), ("signature", 64)):
        hexed["Swap"][name] = "0x" + base58_decode(item["Swap"][name], length).hex().upper()
    assert world.post(item) == world.post(hexed)
