"""Demo traffic: alice, bob and charlie sign orders at real rates and drop them in the inbox.

The session sends one wave for each epoch. Every wave ends with a market order of each wallet. It
fills, and with it all earlier orders of that vault are consumed, filled or not. One wallet in turn
adds a limit order far from the market behind it, which is carried into the next epoch, so that
carrying over can be seen too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from random import Random
from typing import Final

from convexfx.wallet.inbox import send
from convexfx.wallet.signing import SignedVerifiable, Wallet
from tasks.ports import Inbox, Quotes

SEED: Final = 20_260_101
ORDERS_A_WAVE: Final = 4
USD_MIN: Final = 100
USD_MAX: Final = 5_000
LIVES_EPOCHS: Final = 30
LIMIT_BPS: Final = (-12, 18)
FAR_BPS: Final = -40
CENT: Final = Decimal("0.01")
RATIO: Final = Decimal("0.00000001")


@dataclass(slots=True)
class Traffic:
    """Orders of the demo's wallets.

    Attributes
    ----------
    wallets : by name.
    nonces : next nonce of each wallet.
    random : seeded, so that the same waves come in every run.
    sent : order ids of everything sent, by id in hexadecimal the name of the wallet.
    """

    wallets: dict[str, Wallet]
    nonces: dict[str, int]
    # The same play money at every start; no secret is drawn.
    random: Random = field(default_factory=lambda: Random(SEED))  # noqa: S311
    sent: dict[str, str] = field(default_factory=dict)

    def wave(self, inbox: Inbox, quotes: Quotes, epoch: int) -> int:
        """Sign and send a wave for ``epoch``; number of orders."""
        names = sorted(self.wallets)
        resting = names[epoch % len(names)]
        orders: list[SignedVerifiable] = []
        for name in names:
            mine = self._orders(name, quotes, epoch, rests=name == resting)
            self.sent |= {order.order_id.hex(): name for order in mine}
            orders += mine
        self.random.shuffle(orders)
        send(orders, inbox)
        return len(orders)

    def _orders(
        self, name: str, quotes: Quotes, epoch: int, *, rests: bool
    ) -> list[SignedVerifiable]:
        limits: Sequence[int | None] = [
            self.random.randint(*LIMIT_BPS) for _ in range(ORDERS_A_WAVE - 1)
        ]
        wanted = [*limits, None, *([FAR_BPS] if rests else [])]
        return [self._order(name, quotes, epoch, bps) for bps in wanted]

    def _order(self, name: str, quotes: Quotes, epoch: int, bps: int | None) -> SignedVerifiable:
        pay, receive = self.random.sample(sorted(quotes.prices), 2)
        usd = Decimal(self.random.randint(USD_MIN, USD_MAX))
        budget = (usd / quotes.prices[pay]).quantize(CENT, ROUND_DOWN)
        nonce = self.nonces[name]
        self.nonces[name] += 1
        mid = quotes.prices[receive] / quotes.prices[pay]
        limit = None if bps is None else (mid * (1 + Decimal(bps) / 10_000)).quantize(RATIO)
        return self.wallets[name].order(
            pay, receive, budget,
            nonce=nonce, limit_ratio=limit, valid_until_epoch=epoch + LIVES_EPOCHS,
        )  # fmt: skip
