"""Gateway and settlement layer in one process, without sockets or threads of their own."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from devnet.gateway.execution import Rules as GatewayRules
from devnet.gateway.jobs import envelope_problem
from devnet.gateway.operator import Operator
from devnet.gateway.state import GatewayState
from devnet.gateway.upstream import Declined, Settlement, Unreachable
from devnet.settlement.chain import Chain, Rules, SdlRecord
from devnet.settlement.invalid import Invalid
from devnet.settlement.snapshot import state_json
from tests.support.devnet_world import (
    NETWORK,
    NETWORK_ID,
    OPERATOR,
    SHARD,
    Books,
    Epoch,
    Vault,
    Wallet,
    agreement,
    genesis_books,
    six_mints,
)

ALICE, BOB, CHARLIE = Wallet("alice"), Wallet("bob"), Wallet("charlie")
HOLDERS: dict[Vault, int] = {
    OPERATOR.vault(): 1_000_000_000,
    ALICE.vault(): 100_000_000,
    BOB.vault(): 100_000_000,
    CHARLIE.vault(): 100_000_000,
}


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


class DirectSettlement(Settlement):
    """The chain as the gateway sees it, without HTTP; can be switched off."""

    def __init__(self, chain: Chain) -> None:
        super().__init__("http://127.0.0.1:1")
        self.chain = chain
        self.down = False

    def _answered(self, call: Any) -> Any:
        if self.down:
            raise Unreachable("switched off")
        try:
            return through_json(call())
        except Invalid as problem:
            raise Declined(problem.code, problem.message) from None

    def state(self) -> dict[str, object]:
        return self._answered(lambda: state_json(self.chain))

    def shard(self, shard: int) -> dict[str, object]:
        return self._answered(lambda: {"outside_changes": self.chain.outside_changes})

    def agreement(self, shard: int) -> dict[str, object] | None:
        found = self.chain.agreement(shard)
        return self._answered(lambda: None if found is None else found.as_json())

    def sdl(self, name: str) -> dict[str, object] | None:
        found = self.chain.sdls.get(name)
        return self._answered(lambda: None if found is None else found.as_json())

    def submit_sdl(self, transaction: dict[str, object]) -> dict[str, object]:
        body = through_json(transaction)
        return self._answered(lambda: self.chain.submit_sdl(body).as_json())

    def submit_proof(self, transaction: dict[str, object]) -> dict[str, object]:
        body = through_json(transaction)
        return self._answered(lambda: self.chain.submit_proof(body).as_json())


class Stage:
    """Both sides; after :meth:`open` the six currencies exist and the agreement is active."""

    def __init__(self, rules: Rules | None = None, strict_nonces: bool = True) -> None:
        self.chain = Chain(rules or Rules(NETWORK))
        self.settlement = DirectSettlement(self.chain)
        self.threads = ThreadPoolExecutor(1)
        operator = Operator(OPERATOR.seed, NETWORK_ID, SHARD)
        gateway_rules = GatewayRules(SHARD, strict_nonces)
        self.gateway = GatewayState(operator, self.settlement, gateway_rules, self.threads)
        self.books = Books()

    def open(self) -> "Stage":
        self.gateway.execute(six_mints(HOLDERS))
        assert self.settle(b"").status == "applied"
        self.chain.register(agreement())
        self.chain.advance()
        self.books = genesis_books(HOLDERS)
        return self

    def settle(self, envelope: bytes, name: str | None = None) -> SdlRecord:
        """Bring the pending intents to an end; the settlement layer's record of the SDL."""
        name = name or self.gateway.submit_sdl()
        assert name is not None
        sdl = self.gateway.start_proving(name, envelope)
        self.gateway.end_proving(sdl, envelope_problem(sdl))
        self.gateway.start_submitting(name)
        answer = self.settlement.submit_proof(self.gateway.proof_transaction(sdl))
        self.gateway.end_submitting(sdl, f"{answer['code']}" if answer["code"] else "")
        return self.chain.sdls[name]

    def run(self, epoch: Epoch, **envelope: Any) -> SdlRecord:
        """Submit an epoch as the executor would."""
        self.gateway.submit(through_json(epoch.verifiables))
        return self.settle(epoch.envelope(**envelope))

    def close(self) -> None:
        self.threads.shutdown()
