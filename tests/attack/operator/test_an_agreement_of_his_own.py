"""Whatever modes and attestor an operator agrees on, an owner's limit holds at settlement.

With an agreement of his own the operator is his own attestor, and no law stands between him and a
trader. He settled an order of 40 M USD with a limit for 0.000001 EUR, and agreed on proofs again.
The settlement side compares what the owner signed with what he gets, whatever the mode.
"""

from collections.abc import Callable

import pytest

from devnet.settlement import local_laws
from devnet.settlement.chain import SdlRecord
from tests.support.devnet_stage import ALICE, BOB
from tests.support.devnet_world import Debit, Epoch, Fill, clear, order
from tests.unit.devnet.test_settlement_sdl import World

BUDGET = 40_000_000
RATE = (7 << 60, 63)
"""7/8 of a unit for each unit paid."""
LEAST = BUDGET * 7 // 8


@pytest.fixture
def world() -> World:
    return World()


def brought(world: World, signed: Debit, paid: int, received: int, number: int = 1) -> SdlRecord:
    """The operator's SDL with a true statement of the attestor, who is himself."""
    forged: Epoch = clear(number, [Fill(signed, paid, received)], world.books)
    return world.bring(forged)


def asks(**terms: object) -> Debit:
    return order(ALICE, 1, "USD", "EUR", BUDGET, **terms)  # type: ignore[arg-type]


CASES: dict[str, tuple[Callable[[], Debit], int, int, int]] = {
    "nothing for everything": (lambda: asks(limit=RATE), BUDGET, 1, 1),
    "a unit below the limit": (lambda: asks(limit=RATE), BUDGET, LEAST - 1, 1),
    "a unit below the limit, in part": (lambda: asks(limit=RATE), 1_000_001, 875_000 - 1, 1),
    "a limit above one": (lambda: asks(limit=(5 << 60, 61)), 4_000, 9_999, 1),
    "a limit of whole units": (lambda: asks(limit=(1 << 62, 61)), 4_000, 7_999, 1),
    "a unit below the minimum": (lambda: asks(min_fill=BUDGET), BUDGET - 1, BUDGET, 1),
    "an epoch after its last": (lambda: asks(valid_until=1), BUDGET, BUDGET, 2),
}


@pytest.mark.parametrize("name", CASES)
def test_what_was_not_signed_is_not_settled(world: World, name: str) -> None:
    signed, paid, received, number = CASES[name]
    record = brought(world, signed(), paid, received, number)
    assert (record.status, record.code) == ("failed", "SIGNED_TERMS"), record.message
    assert record.message.startswith("verifiable 0: ")


@pytest.mark.parametrize("name", CASES)
def test_without_the_cure_it_is_settled(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_laws, "check_signed_terms", lambda *_: None)
    signed, paid, received, number = CASES[name]
    assert brought(world, signed(), paid, received, number).status == "applied"


@pytest.mark.parametrize(
    ("signed", "paid", "received", "number"),
    [
        (asks(limit=RATE), BUDGET, LEAST, 1),
        (asks(limit=RATE), 1_000_001, 875_000, 1),
        (asks(limit=(5 << 60, 61)), 4_000, 10_000, 1),
        (asks(limit=(1 << 62, 61)), 4_000, 8_000, 1),
        (asks(limit=(1 << 62, -1)), 0, 0, 1),
        (asks(min_fill=BUDGET), BUDGET, BUDGET, 1),
        (asks(min_fill=BUDGET), 0, 0, 1),
        (asks(valid_until=2), BUDGET, BUDGET, 2),
        (asks(), BUDGET, 1, 1),
    ],
)
def test_the_valid_neighbours_settle(
    world: World, signed: Debit, paid: int, received: int, number: int
) -> None:
    assert brought(world, signed, paid, received, number).status == "applied"


def test_the_first_that_is_wronged_is_named(world: World) -> None:
    fills = [Fill(order(who, 1, "USD", "EUR", 100, limit=RATE), 100, 86) for who in (ALICE, BOB)]
    fills.sort(key=lambda fill: fill.order.signer.owner)
    record = world.bring(clear(1, fills, world.books))
    assert record.message == "verifiable 0: expected at least 87 for 100, found 86"
