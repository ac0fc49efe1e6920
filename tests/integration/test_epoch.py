"""Epochs end to end on a real devnet, store and queue in memory."""

from pathlib import Path

from tests.epoch_world import open_world


def test_orders_settle_exactly(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        alice, bob = world.wallets["alice"], world.wallets["bob"]
        world.send(
            [
                alice.order("USD", "EUR", "1000", nonce=1),
                bob.order("EUR", "USD", "500", nonce=1),
                bob.order("USD", "JPY", "250.5", nonce=2, limit_ratio="0.0000001"),
            ]
        )
        before = world.balances()
        outcome = world.run()
        assert outcome is not None
        assert outcome["status"] == "settled", outcome["reason"]
        assert outcome["fills"] == 2
        after = world.balances()
        assert after["alice"]["USD"] == before["alice"]["USD"] - 1_000_000_000
        assert after["bob"]["EUR"] == before["bob"]["EUR"] - 500_000_000
        assert world.sums() == {world.minted}
