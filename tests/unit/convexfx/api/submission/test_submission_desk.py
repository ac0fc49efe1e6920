"""The desk by itself: what it asks, what it sends, what it refuses for which vault."""

import json
from collections.abc import Sequence

import pytest

from convexfx.api.submission.items import BODY_BYTES_MAX, Nonces, read_item, sign_with
from convexfx.api.submission.submission_desk import MESSAGE_ITEMS, messages_of
from convexfx_core.errors import RejectCode, RejectedOrder
from convexfx_core.limits import MESSAGE_ITEMS_MAX
from convexfx_core.orders.signed import SignedOrder
from convexfx_core.wire.inbox import InlineMessage, parse_message
from convexfx_core.wire.swap import Swap, parse_swap
from tests.support.api_world import DOMAIN, ApiWorld, api_world


def plain_swap(world: ApiWorld, nonce: int, budget: str = "5") -> Swap:
    """A Swap that does not name the nonce it was signed with."""
    item = world.wallets["alice"].swap("USD", "EUR", budget, nonce=nonce)
    del item["Swap"]["nonce"]
    return parse_swap(item)


def test_every_vault_of_a_request_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = api_world()
    asked: list[list[str]] = []
    answer = world.gateway.vaults

    def vaults(owners: Sequence[str]) -> object:
        asked.append(list(owners))
        return answer(owners)

    monkeypatch.setattr(world.gateway, "vaults", vaults)
    wallets = list(world.wallets.values())
    items = [w.swap("USD", "EUR", "1", nonce=n) for n in (1, 2) for w in wallets]
    world.post(*items)
    assert [sorted(owners) for owners in asked] == [sorted(w.owner for w in wallets)]


def test_a_request_without_a_readable_item_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    world = api_world()

    def never(_owners: Sequence[str]) -> object:
        raise AssertionError("nobody to ask about")

    monkeypatch.setattr(world.gateway, "vaults", never)
    assert {one["status"] for one in world.post(1, None, {"Swap": {}})} == {"rejected"}
    assert world.inbox.depth().visible == 0


def test_a_stale_nonce_of_one_vault_says_nothing_of_another() -> None:
    world = api_world()
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    world.gateway.nonces[alice.owner] = 4
    answers = world.post(
        alice.swap("USD", "EUR", "1", nonce=3),
        bob.swap("USD", "EUR", "1", nonce=3),
        alice.swap("USD", "EUR", "1", nonce=4),
    )
    assert [one.get("code") for one in answers] == ["NONCE_STALE", None, None]


def test_nonces_of_swaps_that_name_none_follow_each_other_by_vault() -> None:
    world = api_world()
    names = ("alice", "bob", "alice", "bob", "alice")
    counts = dict.fromkeys(names, 0)
    items = []
    for name in names:
        counts[name] += 1
        item = world.wallets[name].swap("USD", "EUR", "5", nonce=counts[name])
        del item["Swap"]["nonce"]
        items.append(item)
    assert {one["status"] for one in world.post(*items)} == {"queued"}
    for name, count in counts.items():
        vault = world.get(f"/vaults/{world.wallets[name].owner}")
        assert [order["nonce"] for order in vault["open_orders"]] == list(range(1, count + 1))


def test_a_rejected_item_takes_no_nonce() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    broken = alice.swap("USD", "EUR", "5", nonce=1)
    broken["Swap"]["budget"] = "6"
    good = alice.swap("USD", "EUR", "5", nonce=1)
    for item in (broken, good):
        del item["Swap"]["nonce"]
    answers = world.post(broken, good)
    assert [one["status"] for one in answers] == ["rejected", "queued"]


@pytest.mark.parametrize(("signed", "tried"), [(5, (5,)), (3, (5, 3)), (9, (5, 6, 9))])
def test_the_signature_says_which_nonce_it_was(signed: int, tried: tuple[int, ...]) -> None:
    swap = plain_swap(api_world(), signed)
    found = sign_with(swap, DOMAIN, Nonces(tried[0], tried[1:]))
    assert isinstance(found, SignedOrder)
    assert found.nonce == signed
    missed = sign_with(swap, DOMAIN, Nonces(signed + 1, (signed - 1,)))
    assert isinstance(missed, RejectedOrder)
    assert missed.code == RejectCode.SIGNATURE
    assert str(signed + 1) in missed.line()


def test_another_fault_than_the_signature_is_told_at_once() -> None:
    swap = plain_swap(api_world(), 1).model_copy(update={"receive_asset": "USD"})
    found = sign_with(swap, DOMAIN, Nonces(1, (2, 3)))
    assert isinstance(found, RejectedOrder)
    assert found.code == RejectCode.SELF_PAIR


def test_an_item_is_an_order_a_swap_or_a_refusal() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    named = alice.swap("USD", "EUR", "5", nonce=1)
    assert isinstance(read_item(json.dumps(named).encode(), DOMAIN), SignedOrder)
    del named["Swap"]["nonce"]
    assert isinstance(read_item(json.dumps(named).encode(), DOMAIN), Swap)
    assert isinstance(read_item(b"{}", DOMAIN), RejectedOrder)


@pytest.mark.parametrize("count", [1, MESSAGE_ITEMS, MESSAGE_ITEMS + 1])
def test_messages_carry_so_many_orders_and_no_more(count: int) -> None:
    alice = api_world().wallets["alice"]
    read = [
        read_item(_text(alice.order("USD", "EUR", "1", nonce=n).verifiable), DOMAIN)
        for n in range(1, count + 1)
    ]
    orders = [order for order in read if isinstance(order, SignedOrder)]
    assert len(orders) == count
    parsed = [parse_message(body.encode()) for body in messages_of(orders)]
    sizes = [len(message.items) for message in parsed if isinstance(message, InlineMessage)]
    assert sum(sizes) == count
    assert max(sizes) <= MESSAGE_ITEMS <= MESSAGE_ITEMS_MAX
    assert len(sizes) == -(-count // MESSAGE_ITEMS)


def test_the_largest_request_fits_the_body_limit() -> None:
    """A thousand VERIFIABLEs, each printed over many lines."""
    alice = api_world().wallets["alice"]
    item = alice.order("USD", "EUR", "1", nonce=1, limit_ratio="1.1").verifiable
    assert len(json.dumps([item] * MESSAGE_ITEMS_MAX, indent=1)) < BODY_BYTES_MAX


def _text(item: object) -> bytes:
    return json.dumps(item).encode()
