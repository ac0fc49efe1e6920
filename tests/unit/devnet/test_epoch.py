"""An epoch through both sides of the devnet, and everything that the settlement side refuses."""

from collections.abc import Iterator

import pytest

from tests.support.devnet_stage import ALICE, BOB, CHARLIE, HOLDERS, Stage
from tests.support.devnet_world import ASSETS, OPERATOR, POOL, Fill, cancel, clear, order


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage().open()
    yield stage
    stage.close()


def three_fills() -> list[Fill]:
    return [
        Fill(order(ALICE, 1, "USD", "EUR", 5_000_000), 5_000_000, 4_500_000, 1_350),
        Fill(order(BOB, 1, "EUR", "USD", 2_000_000), 1_000_000, 1_100_000, 330),
        Fill(order(BOB, 2, "USD", "JPY", 7_000)),
        Fill(cancel(CHARLIE, 1, "GBP")),
    ]


def test_genesis_mints_six_currencies_without_an_agreement(stage: Stage) -> None:
    supplies = stage.chain.ledger.supplies()
    assert len(supplies) == len(ASSETS)
    assert set(supplies.values()) == {(sum(HOLDERS.values()),) * 2}


def test_an_epoch_settles_with_equal_hashes_on_all_three_sides(stage: Stage) -> None:
    epoch = clear(1, three_fills(), stage.books, left=2)
    record = stage.run(epoch)
    assert (record.status, record.message) == ("applied", "")
    assert record.name == epoch.sdl_hash
    assert (record.mode, record.epoch) == ("attested", 1)
    for wallet in (ALICE, BOB, CHARLIE, OPERATOR):
        account = stage.chain.ledger.accounts[wallet.vault()]
        assert account.nonce == stage.books.nonces[wallet.owner]
        held = stage.books.balances[wallet.owner]
        assert sorted(account.tokens.values()) == sorted(held.values())


def test_two_epochs_follow_each_other(stage: Stage) -> None:
    assert stage.run(clear(1, three_fills(), stage.books)).status == "applied"
    fills = [Fill(order(ALICE, 2, "EUR", "CHF", 900), 900, 850, 1)]
    assert stage.run(clear(2, fills, stage.books)).status == "applied"
    assert stage.chain.shards[1].last_epoch == 2
    assert stage.chain.ledger.accounts[POOL].nonce == 3


def test_an_epoch_of_cancels_only_settles(stage: Stage) -> None:
    record = stage.run(clear(1, [Fill(cancel(ALICE, 1, "USD"))], stage.books))
    assert record.status == "applied"
    assert POOL not in stage.chain.ledger.accounts or stage.chain.ledger.accounts[POOL].nonce == 0
