"""Many wallets at once against a served exchange whose epochs go on meanwhile."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from convexfx.wallet import ExchangeClient, Wallet
from tests.support.api_live import LiveApi, live_api

ROUNDS, WAIT_S = 6, 60


@pytest.fixture(scope="module")
def live() -> Iterator[LiveApi]:
    with live_api() as served:
        yield served


@dataclass
class Trader:
    """One wallet in a thread of its own; what it was told about each order."""

    name: str
    wallet: Wallet
    url: str
    told: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)

    def trade(self) -> None:
        chance = random.Random(self.name)
        with ExchangeClient(self.url, timeout_s=WAIT_S) as exchange:
            for _ in range(ROUNDS):
                nonce = exchange.next_nonce(self.wallet.owner)
                count = chance.randint(1, 3)
                items = [
                    self.wallet.swap("USD", "EUR", str(chance.randint(1, 50)), nonce=nonce + place)
                    for place in range(count)
                ]
                answers = exchange.submit([*items, *items])
                assert answers[:count] == answers[count:]
                for answer in answers[:count]:
                    assert answer["status"] == "queued", answer
                    self.follow(exchange, answer["order_id"])

    def follow(self, exchange: ExchangeClient, order_id: str) -> None:
        """Ask at once and again until the order is over."""
        seen = self.told.setdefault(order_id, [])
        seen.append(exchange.status(order_id))
        while not seen[-1]["final"]:
            seen.append(exchange.status(order_id, wait_s=WAIT_S))


def test_every_order_of_a_crowd_has_one_outcome_and_no_answer_goes_back(live: LiveApi) -> None:
    world = live.world
    traders = [Trader(name, wallet, live.url) for name, wallet in world.wallets.items()]
    with ThreadPoolExecutor(len(traders)) as pool:
        list(pool.map(Trader.trade, traders))
    ends: Counter[str] = Counter()
    for trader in traders:
        assert len(trader.told) >= ROUNDS
        for answers in trader.told.values():
            epochs = [answer["epoch"] or 0 for answer in answers]
            assert epochs == sorted(epochs)
            assert [answer["final"] for answer in answers[:-1]].count(True) == 0
            ends[answers[-1]["state"]] += 1
    assert set(ends) == {"filled"}
    counted = sum(
        one["orders"].get("filled", 0)
        for one in httpx.get(f"{live.url}/epochs?limit=1000", timeout=30).json()["epochs"]
    )
    assert counted == sum(ends.values())


def test_a_hundred_long_polls_are_answered_together(live: LiveApi) -> None:
    wallet = live.world.wallets["alice"]
    with ExchangeClient(live.url, timeout_s=WAIT_S) as exchange:
        order = wallet.order("USD", "EUR", "3", nonce=exchange.next_nonce(wallet.owner))
        url = f"{live.url}/orders/{order.order_id.hex()}?wait_s={WAIT_S}"
        with ThreadPoolExecutor(100) as pool:
            waiting = [pool.submit(httpx.get, url, timeout=WAIT_S + 10) for _ in range(100)]
            exchange.submit([order.verifiable])
            answers = [future.result() for future in waiting]
    assert Counter(answer.status_code for answer in answers) == {200: 100}
    assert {answer.json()["state"] for answer in answers} == {"filled"}


def test_balances_of_the_crowd_add_up(live: LiveApi) -> None:
    """What the users lost in one currency the pool has, fees included, to the last unit."""
    world = live.world
    pool = str(world.ctx.domain.pool).split(",")[0]
    owners = [wallet.owner for wallet in world.wallets.values()]
    for asset in world.ctx.domain.registry.ids:
        held = [
            int(
                httpx.get(f"{live.url}/vaults/{owner}", timeout=30).json()["balances_base_units"][
                    asset
                ]
            )
            for owner in (*owners, pool)
        ]
        assert sum(held) == 3 * 100_000 * 10**6 + 366_666 * 10**6


def test_ready_is_true_when_everything_is(live: LiveApi) -> None:
    answer = httpx.get(f"{live.url}/api/ready", timeout=30)
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert {one["missing"] for one in answer.json()["dependencies"].values()} == {None}
