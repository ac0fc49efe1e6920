"""Domain agreements, delta epochs, and what happens to vaults from outside the domain."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from devnet.settlement.chain import Chain, Rules
from devnet.settlement.codec import Address
from devnet.settlement.invalid import Invalid
from devnet.settlement.snapshot import state_json
from tests.support.devnet_stage import ALICE, BOB, CHARLIE, HOLDERS, Stage, through_json
from tests.support.devnet_world import (
    MINTS,
    NETWORK,
    PARAMS_HASH,
    POOL,
    SHARD,
    TOKENS,
    Fill,
    Mint,
    Wallet,
    agreement,
    b58,
    cancel,
    clear,
    le,
    order,
    params_section,
    registry_section,
    tagged,
    text,
)

OTHER = Wallet("other operator")
USD = Address(*TOKENS["USD"])
ABROAD = Address(CHARLIE.owner, 2)


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def params_hash(params: bytes, registry: bytes) -> str:
    return tagged("cfx.params.v1", params + registry).hex()


@pytest.fixture
def chain() -> Chain:
    return Chain(Rules(NETWORK, minimum_fee=1_000))


# Registration


def test_an_agreement_is_active_from_the_next_delta_epoch(chain: Chain) -> None:
    body = agreement()
    registered = chain.register(through_json(body))
    assert registered.as_json() == body | {"active_from": 1}
    assert chain.active_agreement(SHARD) is None
    assert chain.agreement(SHARD) == registered
    chain.advance()
    assert chain.active_agreement(SHARD) == registered
    assert registered.pool == POOL


def test_an_agreement_sent_twice_is_entered_once(chain: Chain) -> None:
    first = chain.register(agreement())
    chain.advance()
    assert chain.register(agreement()) == first
    assert chain.agreements[SHARD] == [first]


def test_a_new_agreement_takes_over_at_the_boundary(chain: Chain) -> None:
    old = chain.register(agreement())
    chain.advance()
    new = chain.register(agreement(fee=2_000))
    assert chain.active_agreement(SHARD) == old
    newer = chain.register(agreement(fee=3_000))
    assert chain.agreements[SHARD] == [old, newer]
    chain.advance()
    assert chain.active_agreement(SHARD) == newer
    assert new not in chain.agreements[SHARD]


def test_a_shard_belongs_to_one_operator(chain: Chain) -> None:
    chain.register(agreement())
    with pytest.raises(Invalid, match="SHARD_TAKEN"):
        chain.register(agreement(OTHER))
    assert chain.register(agreement(OTHER, shard=2)).pool == (OTHER.owner, 2)


def test_an_unknown_shard_has_no_agreement(chain: Chain) -> None:
    assert chain.agreement(7) is None
    assert chain.active_agreement(7) is None


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "fee": ({"fee": 999}, "FEE"),
    "fee as text": ({"fee": "1000"}, "SCHEMA"),
    "network": ({"network": "mainnet"}, "NETWORK"),
    "owner": ({"operator": b58(OTHER.owner)}, "OWNER"),
    "shard 0": ({"shard": 0}, "SCHEMA"),
    "no mode": ({"allowed_modes": []}, "SCHEMA"),
    "unknown mode": ({"allowed_modes": ["attested", "mock"]}, "SCHEMA"),
    "mode twice": ({"allowed_modes": ["attested", "attested"]}, "SCHEMA"),
    "modes as text": ({"allowed_modes": "attested"}, "SCHEMA"),
    "params hash": ({"params_hash": "00" * 32}, "PARAMS_HASH"),
    "params cut": ({"params": b64(params_section()[:-8])}, "PARAMS_HASH"),
    "params for fewer assets": (
        {"params": b64(le(1) + le(5) + params_section()[16:])}, "PARAMS_HASH",
    ),
    "params version": ({"params": b64(le(2) + params_section()[8:])}, "PARAMS_HASH"),
    "params changed": ({"params": b64(params_section()[:-1] + b"\1")}, "PARAMS_HASH"),
    "registry changed": ({"registry": b64(registry_section()[:-1] + b"\1")}, "PARAMS_HASH"),
    "registry cut": ({"registry": b64(registry_section()[:-1])}, "REGISTRY"),
    "registry of one": ({"registry": b64(registry_section()[:64])}, "REGISTRY"),
    "token twice": (
        {"registry": b64(registry_section()[:64] + registry_section()[:-64])}, "REGISTRY",
    ),
    "token of shard 0": (
        {"registry": b64(registry_section()[:32] + le(0) + registry_section()[40:])}, "REGISTRY",
    ),
    "params not base64": ({"params": "?"}, "SCHEMA"),
    "attestor key": ({"attestor_key": b58(b"\1" * 31)}, "SCHEMA"),
    "program hash": ({"program_hash": "AA" * 32}, "SCHEMA"),
    "extra": ({"expires": 5}, "SCHEMA"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_agreement_one_step_off_is_refused(chain: Chain, name: str) -> None:
    changes, code = REFUSED[name]
    with pytest.raises(Invalid) as caught:
        chain.register(through_json(agreement(**changes)))
    assert caught.value.code == code, str(caught.value)
    assert chain.agreements.get(SHARD, []) == []


@pytest.mark.parametrize(
    "params",
    [
        params_section()[:-8],
        params_section() + bytes(8),
        le(1) + le(5) + params_section()[16:],
        le(2) + params_section()[8:],
    ],
)
def test_params_have_one_form_even_under_their_own_hash(chain: Chain, params: bytes) -> None:
    digest = params_hash(params, registry_section())
    with pytest.raises(Invalid, match="PARAMS_HASH: params: expected version 1 for 6 assets"):
        chain.register(agreement(params=b64(params), params_hash=digest))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fee", 1_001),
        ("shard", 2),
        ("program_hash", "11" * 32),
        ("allowed_modes", ["attested"]),
        ("attestor_key", b58(OTHER.public)),
        ("signature", b58(bytes(64))),
    ],
)
def test_the_operator_signs_every_field(chain: Chain, field: str, value: Any) -> None:
    with pytest.raises(Invalid, match="OPERATOR_SIGNATURE"):
        chain.register(agreement() | {field: value})


def test_the_order_of_modes_is_not_signed(chain: Chain) -> None:
    body = agreement() | {"allowed_modes": ["executed", "attested"]}
    assert chain.register(body).allowed_modes == ("executed", "attested")


@pytest.mark.parametrize("body", [None, [], "x", {}])
def test_what_is_no_agreement_is_refused(chain: Chain, body: Any) -> None:
    with pytest.raises(Invalid, match="SCHEMA"):
        chain.register(body)


def extended_registry() -> tuple[str, str, str]:
    """A seventh asset behind the six: registry, params and their hash."""
    row = OTHER.owner + le(1) + le(6) + b"NOK".ljust(16, b"\0")
    registry = registry_section() + row
    params = le(1) + le(7) + bytes(72 * 7 + 40 * 49)
    return b64(registry), b64(params), params_hash(params, registry)


def test_the_registry_is_append_only(chain: Chain) -> None:
    registry, params, digest = extended_registry()
    chain.register(agreement(registry=registry, params=params, params_hash=digest))
    chain.advance()
    with pytest.raises(Invalid, match="REGISTRY: registry: expected the former rows"):
        chain.register(agreement())


def test_a_longer_registry_keeps_the_fees() -> None:
    stage = Stage().open()
    fill = Fill(order(ALICE, 1, "USD", "EUR", 1_000), 1_000, 900, 7)
    assert stage.run(clear(1, [fill], stage.books)).status == "applied"
    registry, params, digest = extended_registry()
    stage.chain.register(agreement(registry=registry, params=params, params_hash=digest))
    stage.chain.advance()
    new = stage.chain.active_agreement(SHARD)
    assert new is not None
    assert len(new.tokens) == 7
    assert stage.chain.shard_record(new).fees == [0, 7, 0, 0, 0, 0, 0]
    stage.close()


def test_the_agreements_params_are_what_a_proof_is_held_to() -> None:
    stage = Stage().open()
    params = params_section()[:-1] + b"\1"
    digest = params_hash(params, registry_section())
    stage.chain.register(agreement(params=b64(params), params_hash=digest))
    old = clear(1, [Fill(cancel(ALICE, 1, "USD"))], stage.books)
    stage.gateway.submit(through_json(old.verifiables))
    name = str(stage.gateway.submit_sdl())
    stage.chain.advance()
    assert stage.settle(old.envelope(), name).code == "PV_MISMATCH:params_hash"
    stage.gateway.submit(through_json(old.verifiables))
    new = old.claiming(params_hash=bytes.fromhex(digest))
    assert stage.settle(new.envelope()).status == "applied"
    assert bytes.fromhex(digest) != PARAMS_HASH
    stage.close()


# Delta epochs, migrations, foreign credits


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Charlie's vault on shard 2 holds 50 USD as well."""
    stage = Stage().open()
    stage.gateway.execute([Mint(MINTS["USD"], 2, ((ABROAD, 50),)).json])
    assert stage.settle(b"").status == "applied"
    yield stage
    supplies = stage.chain.ledger.supplies()
    assert all(issued == held for issued, held in supplies.values())
    stage.close()


def held(stage: Stage, vault: Any) -> int:
    account = stage.chain.ledger.accounts.get(Address(*vault))
    return 0 if account is None else account.tokens.get(USD, 0)


def test_epochs_count_from_zero() -> None:
    chain = Chain(Rules(NETWORK))
    assert (chain.epoch, chain.advance(), chain.advance()) == (0, 1, 2)


def test_a_foreign_credit_arrives_and_is_noticed(stage: Stage) -> None:
    stage.chain.foreign_credit(ABROAD, Address(*BOB.vault()), USD, 40)
    assert (held(stage, ABROAD), held(stage, BOB.vault())) == (10, 100_000_040)
    stage.gateway.watch()
    stage.gateway.refresh()
    vault = stage.gateway.vault(BOB.owner)
    assert vault is not None
    assert vault.holdings[USD] == 100_000_040


@pytest.mark.parametrize(
    ("source", "amount", "code"),
    [(ABROAD, 51, "BALANCE"), (ABROAD, 0, "FOREIGN_CREDIT"), (ALICE.vault(), 1, "FOREIGN_CREDIT")],
)
def test_a_foreign_credit_is_a_payment_of_another_shard(
    stage: Stage, source: Any, amount: int, code: str
) -> None:
    with pytest.raises(Invalid, match=code):
        stage.chain.foreign_credit(Address(*source), Address(*BOB.vault()), USD, amount)
    assert stage.chain.outside_changes == 0


def test_a_foreign_credit_to_a_vault_of_the_batch_breaks_its_pre_state(stage: Stage) -> None:
    fill = Fill(order(BOB, 1, "USD", "EUR", 1_000), 1_000, 900, 1)
    epoch = clear(1, [fill], stage.books)
    stage.chain.foreign_credit(ABROAD, Address(*BOB.vault()), USD, 1)
    assert stage.run(epoch).code == "PV_MISMATCH:pre_state_root"


def test_a_migration_waits_for_the_end_of_the_epoch(stage: Stage) -> None:
    stage.chain.migrate(Address(*ALICE.vault()), 2)
    assert held(stage, ALICE.vault()) == HOLDERS[ALICE.vault()]
    stage.chain.advance()
    assert held(stage, ALICE.vault()) == 0
    assert held(stage, (ALICE.owner, 2)) == HOLDERS[ALICE.vault()]
    stage.gateway.watch()
    stage.gateway.refresh()
    vault = stage.gateway.vault(ALICE.owner)
    assert vault is not None
    assert vault.holdings == {}


def test_a_migrating_vault_joins_what_stands_there(stage: Stage) -> None:
    stage.chain.migrate(Address(*CHARLIE.vault()), 2)
    stage.chain.advance()
    assert held(stage, ABROAD) == HOLDERS[CHARLIE.vault()] + 50


@pytest.mark.parametrize(
    ("vault", "to_shard"),
    [(ALICE.vault(), SHARD), (OTHER.vault(), 2), (TOKENS["USD"], 2)],
)
def test_only_a_holdings_vault_migrates_and_to_another_shard(
    stage: Stage, vault: Any, to_shard: int
) -> None:
    with pytest.raises(Invalid, match="MIGRATION"):
        stage.chain.migrate(Address(*vault), to_shard)


def test_an_sdl_that_debits_a_migrated_vault_fails(stage: Stage) -> None:
    """Even a cancel, which moves nothing, and whose vault's rows are as the proof says."""
    epoch = clear(1, [Fill(cancel(ALICE, 1, "USD"))], stage.books)
    stage.gateway.submit(through_json(epoch.verifiables))
    name = str(stage.gateway.submit_sdl())
    stage.chain.migrate(Address(*ALICE.vault()), 2)
    stage.chain.advance()
    assert stage.settle(epoch.envelope(), name).code == "PV_MISMATCH:pre_state_root"
    for asset in stage.books.balances[ALICE.owner]:
        stage.books.balances[ALICE.owner][asset] = 0
    stage.books.nonces[ALICE.owner] = 0
    empty = clear(1, [Fill(cancel(ALICE, 1, "USD"))], stage.books)
    stage.gateway.submit(through_json(empty.verifiables))
    assert stage.settle(empty.envelope()).code == "VAULT_MIGRATED"


def test_a_migrated_vault_that_is_credited_again_keeps_its_nonce(stage: Stage) -> None:
    first = clear(1, [Fill(cancel(ALICE, 1, "USD"))], stage.books)
    assert stage.run(first).status == "applied"
    home = Address(*ALICE.vault())
    stage.chain.migrate(home, 2)
    stage.chain.advance()
    assert stage.chain.ledger.accounts[home].moved_to == 2
    assert stage.chain.ledger.accounts[Address(ALICE.owner, 2)].nonce == 1
    stage.chain.foreign_credit(ABROAD, home, USD, 9)
    account = stage.chain.ledger.accounts[home]
    assert (account.nonce, account.moved_to, account.tokens) == (1, 0, {USD: 9})


def test_the_state_says_everything_final_at_one_moment(stage: Stage) -> None:
    stage.chain.foreign_credit(ABROAD, Address(*BOB.vault()), USD, 40)
    state = through_json(state_json(stage.chain))
    assert (state["epoch"], state["outside_changes"], len(state["applied"])) == (1, 1, 2)
    rows = {row["address"]: row for row in state["vaults"]}
    assert rows[text(BOB.vault())]["holdings"][text(TOKENS["USD"])] == 100_000_040
    mint = rows[text(TOKENS["USD"])]
    assert mint["mint"] == {"name": "USD", "symbol": "USD", "supply": sum(HOLDERS.values()) + 50}
    assert (mint["nonce"], mint["holdings"], mint["moved_to"]) == (2, {}, 0)
