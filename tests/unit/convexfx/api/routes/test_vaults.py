"""``GET /domain`` and ``GET /vaults/{owner}``."""

from decimal import Decimal

import pytest

from convexfx.wallet import Wallet, domain_from_json
from convexfx_core.errors import GatewayError
from convexfx_core.identity import base58_encode
from tests.support.api_world import DOMAIN, FUNDS, NETWORK, api_world, signer, unreachable

NEVER = "0.0000001"


def test_the_domain_is_what_a_wallet_signs_for() -> None:
    found = api_world().get("/domain")
    assert found["network"] == NETWORK
    assert domain_from_json(found) == DOMAIN


def test_a_funded_vault() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    vault = world.get(f"/vaults/{alice.owner}")
    assert vault == {
        "owner": alice.owner,
        "address": alice.address,
        "exists": True,
        "balances": dict.fromkeys(DOMAIN.registry.ids, "100000.000000"),
        "balances_base_units": dict.fromkeys(DOMAIN.registry.ids, str(FUNDS)),
        "nonce": 0,
        "next_nonce": 1,
        "next_order_nonce": 1,
        "open_orders": [],
        "open_orders_count": 0,
    }


def test_owner_in_hex_and_base58() -> None:
    world = api_world()
    raw = world.wallets["alice"].owner_id
    texts = (raw.hex(), f"0x{raw.hex()}", f"0x{raw.hex().upper()}", base58_encode(raw))
    assert len({world.client.get(f"/vaults/{text}").text for text in texts}) == 1


@pytest.mark.parametrize("text", ["x", "0x1234", "11" * 33, "l" * 44, "1" * 44, "%20"])
def test_what_is_no_owner(text: str) -> None:
    answer = api_world().client.get(f"/vaults/{text}")
    assert (answer.status_code, answer.json()["code"]) == (422, "OWNER_ID")
    assert "owner" in answer.json()["detail"]


def test_an_owner_without_a_vault_has_nothing_and_begins_with_nonce_one() -> None:
    world = api_world()
    nobody = Wallet(signer("nobody"), DOMAIN)
    vault = world.get(f"/vaults/{nobody.owner}")
    assert vault["exists"] is False
    assert set(vault["balances"].values()) == {"0.000000"}
    assert (vault["nonce"], vault["next_nonce"], vault["next_order_nonce"]) == (0, 1, 1)


def test_open_orders_take_their_nonces_in_every_state() -> None:
    world = api_world()
    alice = world.wallets["alice"]

    def next_nonces() -> tuple[int, int, list[str]]:
        vault = world.get(f"/vaults/{alice.owner}")
        states = [order["state"] for order in vault["open_orders"]]
        return vault["next_nonce"], vault["next_order_nonce"], states

    first = alice.order("USD", "EUR", "10", nonce=1)
    second = alice.order("USD", "EUR", "10", nonce=2, limit_ratio=NEVER, valid_until_epoch=9)
    world.post(first.verifiable, second.verifiable)
    assert next_nonces() == (1, 3, ["queued", "queued"])
    sealed = world.seal()
    assert sealed is not None
    world.poll()
    assert next_nonces() == (1, 3, ["sealed", "sealed"])
    world.finish(sealed)
    assert next_nonces() == (2, 3, ["sealed", "sealed"])
    world.poll()
    assert next_nonces() == (2, 3, ["carried"])
    world.post(alice.order("USD", "EUR", "10", nonce=5, valid_until_epoch=9).verifiable)
    assert next_nonces() == (2, 3, ["carried", "queued"])
    world.epoch()
    assert next_nonces() == (2, 3, ["carried", "parked"])
    world.post(*(alice.order("USD", "EUR", "10", nonce=n).verifiable for n in (3, 4)))
    assert next_nonces() == (2, 6, ["carried", "queued", "queued", "parked"])
    world.epoch()
    assert next_nonces() == (6, 6, [])


def test_orders_of_others_are_not_shown() -> None:
    world = api_world()
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    for wallet in (alice, bob):
        world.post(
            wallet.order(
                "USD", "EUR", "10", nonce=1, limit_ratio=NEVER, valid_until_epoch=9
            ).verifiable
        )
    for look in (lambda: None, world.epoch):
        look()
        [shown] = world.get(f"/vaults/{alice.owner}")["open_orders"]
        assert shown["owner"] == alice.owner


def test_a_parked_order_outside_an_epoch_is_open() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    world.post(alice.order("USD", "EUR", "10", nonce=2, valid_until_epoch=9).verifiable)
    assert world.seal() is None
    world.poll()
    vault = world.get(f"/vaults/{alice.owner}")
    assert [order["state"] for order in vault["open_orders"]] == ["parked"]
    assert vault["next_order_nonce"] == 1


def test_what_was_paid_and_received_is_in_the_balances() -> None:
    world = api_world()
    alice = world.wallets["alice"]
    order = alice.order("USD", "EUR", "250.25", nonce=1)
    world.post(order.verifiable)
    world.epoch()
    fill, vault = world.order(order)["fill"], world.get(f"/vaults/{alice.owner}")
    assert Decimal(vault["balances"]["USD"]) == Decimal(100_000) - Decimal(fill["paid"])
    assert Decimal(vault["balances"]["EUR"]) == Decimal(100_000) + Decimal(fill["received"])
    assert (vault["nonce"], vault["next_nonce"], vault["next_order_nonce"]) == (1, 2, 2)


@pytest.mark.parametrize("error", [unreachable(), GatewayError("vaultsGet", "status 200", "500 x")])
def test_a_gateway_that_does_not_answer_is_a_problem(error: GatewayError) -> None:
    world = api_world()
    world.gateway.down = error
    answer = world.client.get(f"/vaults/{world.wallets['alice'].owner}")
    assert (answer.status_code, answer.json()["code"]) == (503, "PEER_UNREACHABLE")
    assert answer.json()["detail"] == error.line()
