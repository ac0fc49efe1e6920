"""State files: a restart goes on from where the last change left it."""

import json
from pathlib import Path
from typing import Any

import pytest

from devnet.gateway.execution import Rules as GatewayRules
from devnet.gateway.operator import Operator, read_seed
from devnet.gateway.snapshot import Snapshot
from devnet.gateway.state import GatewayState
from devnet.settlement.chain import Chain, Rules
from devnet.settlement.codec import Address
from devnet.settlement.snapshot import attach, state_json
from tests.support.devnet_stage import ALICE, BOB, CHARLIE, DirectSettlement, Stage, through_json
from tests.support.devnet_world import (
    MINTS,
    NETWORK,
    NETWORK_ID,
    OPERATOR,
    SHARD,
    TOKENS,
    Debit,
    Epoch,
    Fill,
    Mint,
    b58,
    clear,
    order,
)

USD = TOKENS["USD"]


class Restarting(Stage):
    """Both sides with state files; :meth:`restart` builds them anew from these."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.attach()

    def attach(self) -> None:
        attach(self.folder / "settlement.json", self.chain)
        Snapshot(self.folder / "gateway.json", self.gateway).attach()

    def restart(self) -> None:
        self.chain = Chain(Rules(NETWORK))
        self.settlement = DirectSettlement(self.chain)
        operator = Operator(OPERATOR.seed, NETWORK_ID, SHARD)
        rules = GatewayRules(SHARD)
        self.gateway = GatewayState(operator, self.settlement, rules, self.threads)
        self.attach()
        self.gateway.refresh()


@pytest.fixture
def stage(tmp_path: Path) -> Any:
    stage = Restarting(tmp_path).open()
    yield stage
    stage.close()


def an_epoch(stage: Stage) -> Epoch:
    fill = Fill(order(ALICE, 1, "USD", "EUR", 1_000), 1_000, 900, 1)
    return clear(1, [fill], stage.books)


def everything(stage: Stage) -> Any:
    chain = stage.chain
    return through_json(
        {
            "state": state_json(chain),
            "sdls": [sdl.as_json() for sdl in chain.sdls.values()],
            "agreements": {n: [a.as_json() for a in rows] for n, rows in chain.agreements.items()},
            "shards": {n: [row.last_epoch, row.fees] for n, row in chain.shards.items()},
            "proofs": sorted(chain.proofs),
            "migrations": [[str(row.vault), row.to_shard] for row in chain.migrations],
            "gateway": [[name, sdl.state_json] for name, sdl in stage.gateway.sdls.items()],
            "pending": [len(batch.items) for batch in stage.gateway.pending],
            "nonces": [stage.gateway.next_nonce(w.owner) for w in (ALICE, BOB, OPERATOR)],
        }
    )


def test_a_restart_changes_nothing(stage: Any) -> None:
    epoch = an_epoch(stage)
    assert stage.run(epoch).status == "applied"
    stage.gateway.execute([Debit(BOB, ALICE.vault(), 1, {USD: 5}).json])
    stage.gateway.execute([Mint(MINTS["USD"], 2, ((BOB.vault(), 5),)).json])
    stage.chain.migrate(Address(*CHARLIE.vault()), 2)
    before = everything(stage)
    stage.restart()
    assert everything(stage) == before
    stage.restart()
    assert everything(stage) == before


@pytest.mark.parametrize("step", range(5))
def test_an_epoch_survives_a_restart_after_each_step(stage: Any, step: int) -> None:
    epoch = an_epoch(stage)
    name, gateway = epoch.sdl_hash, lambda: stage.gateway
    steps = [
        lambda: gateway().submit(through_json(epoch.verifiables)),
        lambda: gateway().submit_sdl(),
        lambda: gateway().start_proving(name, epoch.envelope()),
        lambda: gateway().end_proving(gateway().sdls[name], ""),
        lambda: gateway().start_submitting(name),
    ]
    for at, do in enumerate(steps):
        do()
        if at == step:
            before = everything(stage)
            stage.restart()
            assert everything(stage) == before
    sdl = stage.gateway.sdls[name]
    answer = stage.settlement.submit_proof(stage.gateway.proof_transaction(sdl))
    assert answer["status"] == "applied"


def test_mints_pending_are_restored_byte_for_byte(stage: Any) -> None:
    messages = [
        Mint(MINTS["USD"], 2, ((BOB.vault(), 5),), auxiliary=b"note"),
        Debit(ALICE, BOB.vault(), 1, dict.fromkeys(sorted((USD, TOKENS["JPY"])), 2), b"aux"),
    ]
    stage.gateway.execute([messages[0].json])
    stage.gateway.execute([messages[1].json])
    stage.restart()
    items = [item for batch in stage.gateway.pending for item in batch.items]
    assert [item.verifiable.signed.payload for item in items] == [m.payload for m in messages]
    assert [item.amounts for item in items] == [(), (2, 2)]


def test_an_applied_sdl_stays_applied_after_a_restart(stage: Any) -> None:
    epoch = an_epoch(stage)
    stage.run(epoch)
    stage.restart()
    record = stage.chain.sdls[epoch.sdl_hash]
    assert (record.status, record.public_values) == ("applied", epoch.public_values)
    with pytest.raises(Exception, match="REPLAY"):
        stage.chain.submit_sdl(epoch.transaction())


def test_a_file_of_another_network_is_refused(stage: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of another network or version"):
        attach(tmp_path / "settlement.json", Chain(Rules("mainnet")))
    other = Operator(OPERATOR.seed, bytes(32), SHARD)
    gateway = GatewayState(other, stage.settlement, GatewayRules(SHARD), stage.threads)
    with pytest.raises(ValueError, match="of another version, network or shard"):
        Snapshot(tmp_path / "gateway.json", gateway).attach()


@pytest.mark.parametrize("name", ["settlement.json", "gateway.json"])
def test_a_file_of_another_version_is_refused(stage: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 2}))
    with pytest.raises(ValueError, match="version"):
        stage.restart()


def test_files_are_replaced_as_a_whole(stage: Any, tmp_path: Path) -> None:
    """No half file is left beside them, and what stands there is JSON with one line end."""
    stage.run(an_epoch(stage))
    assert {path.name for path in tmp_path.iterdir()} == {"settlement.json", "gateway.json"}
    text = (tmp_path / "gateway.json").read_text()
    assert json.loads(text)["sdls"]
    assert text.endswith("}\n")


# Key files


@pytest.mark.parametrize("text", ["", "x", "1", '"x"', "[]", '"' + b58(b"\1" * 31) + '"'])
def test_a_key_file_holds_a_json_string_of_32_bytes(text: str, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="expected a JSON string of base58, 32 bytes"):
        read_seed(path)


def test_a_key_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(b58(OPERATOR.seed)))
    operator = Operator(read_seed(path), NETWORK_ID, SHARD)
    assert operator.pub_key == OPERATOR.public
    assert operator.pool == OPERATOR.vault()
