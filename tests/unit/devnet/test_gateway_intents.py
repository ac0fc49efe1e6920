"""Every rule of ``/intents/*``: the smallest step that breaks it, and that nothing changes then."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from devnet.gateway.refusal import Refused
from tests.support.devnet_stage import ALICE, BOB, CHARLIE, HOLDERS, Stage, through_json
from tests.support.devnet_world import (
    MINTS,
    OPERATOR,
    POOL,
    TOKENS,
    Debit,
    Fill,
    Mint,
    Wallet,
    b58,
    clear,
    diff,
    order,
    payout,
    text,
)
from tests.support.json_edits import at

USD, EUR = TOKENS["USD"], TOKENS["EUR"]
STRANGER = Wallet("stranger")
ALICE_MINT = Wallet("mint of alice")
PAYMENT = Debit(ALICE, BOB.vault(), 1, {USD: 70, EUR: 30})
GROWTH = Mint(MINTS["USD"], 2, ((ALICE.vault(), 5), (BOB.vault(), 6)))
CREATION = Mint(STRANGER, 1, ((ALICE.vault(), 5),), "NEW")


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage().open()
    yield stage
    stage.close()


def view(stage: Stage) -> Any:
    return {
        name: (stage.gateway.next_nonce(wallet.owner), stage.gateway.vault(wallet.owner))
        for name, wallet in {"a": ALICE, "b": BOB, "c": CHARLIE, "o": OPERATOR, **MINTS}.items()
    }


def copy_of(stage: Stage) -> Any:
    found = view(stage)
    return {
        name: (nonce, None if vault is None else vault.copy())
        for name, (nonce, vault) in found.items()
    }


def refused(stage: Stage, call: Callable[[Any], Any], body: Any, rule: str) -> str:
    before = copy_of(stage)
    with pytest.raises(Refused) as caught:
        call(through_json(body))
    assert caught.value.rule == rule, str(caught.value)
    assert copy_of(stage) == before
    assert stage.gateway.pending == []
    return str(caught.value)


def held(stage: Stage, wallet: Wallet, token: Any) -> int:
    vault = stage.gateway.vault(wallet.owner)
    assert vault is not None
    return vault.holdings.get(token, 0)


# What is accepted


def test_execute_debits_every_allowance_in_full(stage: Stage) -> None:
    assert stage.gateway.execute([through_json(PAYMENT.json)]) == 1
    assert (held(stage, ALICE, USD), held(stage, BOB, USD)) == (99_999_930, 100_000_070)
    assert (held(stage, ALICE, EUR), held(stage, BOB, EUR)) == (99_999_970, 100_000_030)
    assert stage.gateway.next_nonce(ALICE.owner) == 2
    assert stage.gateway.next_nonce(BOB.owner) == 1


def test_submit_debits_what_the_diffs_say(stage: Stage) -> None:
    assert stage.gateway.submit([through_json(PAYMENT.executed(7, 0))]) == 1
    assert (held(stage, ALICE, USD), held(stage, BOB, USD)) == (99_999_993, 100_000_007)
    assert held(stage, ALICE, EUR) == 100_000_000


def test_a_zero_debit_moves_the_nonce_only(stage: Stage) -> None:
    stage.gateway.submit([through_json(PAYMENT.executed(0, 0))])
    assert held(stage, ALICE, USD) == 100_000_000
    assert stage.gateway.next_nonce(ALICE.owner) == 2


def test_a_vault_is_made_by_its_first_credit(stage: Stage) -> None:
    assert stage.gateway.vault(STRANGER.owner) is None
    assert stage.gateway.next_nonce(STRANGER.owner) == 1
    stage.gateway.execute([Debit(ALICE, STRANGER.vault(), 1, {USD: 70}).json])
    assert held(stage, STRANGER, USD) == 70
    assert stage.gateway.next_nonce(STRANGER.owner) == 1


def test_what_was_credited_can_be_spent_in_the_same_array(stage: Stage) -> None:
    first = Debit(ALICE, STRANGER.vault(), 1, {USD: 70})
    second = Debit(STRANGER, CHARLIE.vault(), 1, {USD: 70})
    assert stage.gateway.execute([first.json, second.json]) == 2
    assert held(stage, CHARLIE, USD) == 100_000_070


def test_a_credit_may_go_to_another_shard(stage: Stage) -> None:
    stage.gateway.execute([Debit(ALICE, (BOB.owner, 2), 1, {USD: 70}).json])
    assert held(stage, ALICE, USD) == 99_999_930
    assert held(stage, BOB, USD) == 100_000_000


def test_mints_create_and_grow(stage: Stage) -> None:
    stage.gateway.execute([GROWTH.json, CREATION.json])
    assert held(stage, BOB, USD) == 100_000_006
    assert held(stage, ALICE, STRANGER.vault()) == 5
    minted = stage.gateway.vault(STRANGER.owner)
    assert minted is not None
    assert minted.mint is not None
    assert (minted.mint.name, minted.mint.symbol, minted.mint.supply) == ("NEW", "NEW", 5)


def test_mints_can_be_submitted_with_their_diffs(stage: Stage) -> None:
    assert stage.gateway.submit([GROWTH.executed(), CREATION.executed()]) == 2
    assert held(stage, ALICE, USD) == 100_000_005


def test_a_debit_of_no_token_and_a_mint_for_nobody_move_nonces_only(stage: Stage) -> None:
    stage.gateway.execute([replace(PAYMENT, allowances={}).json, replace(GROWTH, credits=()).json])
    assert stage.gateway.next_nonce(ALICE.owner) == 2
    assert stage.gateway.next_nonce(MINTS["USD"].owner) == 3


def test_an_empty_array_changes_nothing(stage: Stage) -> None:
    assert stage.gateway.execute([]) == 0
    assert stage.gateway.submit([]) == 0
    assert stage.gateway.pending == []


# delta's rules


RULES: dict[str, tuple[list[Any], str]] = {
    "nonce used": ([replace(PAYMENT, nonce=0)], "NONCE"),
    "nonce skipped": ([replace(PAYMENT, nonce=2)], "NONCE"),
    "nonce twice": ([PAYMENT, replace(PAYMENT, allowances={USD: 1})], "NONCE"),
    "the same again": ([PAYMENT, PAYMENT], "DUPLICATE"),
    "foreign shard": ([replace(PAYMENT, shard=2)], "SHARD"),
    "to itself": ([replace(PAYMENT, credited=ALICE.vault())], "CREDITED"),
    "unknown token": ([replace(PAYMENT, allowances={BOB.vault(): 1})], "TOKEN"),
    "unknown token, nothing of it": ([replace(PAYMENT, allowances={BOB.vault(): 0})], "TOKEN"),
    "a unit too much": ([replace(PAYMENT, allowances={USD: 100_000_001})], "BALANCE"),
    "spent twice": (
        [replace(PAYMENT, allowances={USD: 100_000_000}),
         replace(PAYMENT, nonce=2, allowances={USD: 1})],
        "BALANCE",
    ),
    "from a mint": ([Debit(MINTS["USD"], BOB.vault(), 2, {USD: 1})], "VAULT_KIND"),
    "to a mint": ([replace(PAYMENT, credited=EUR)], "VAULT_KIND"),
    "mint nonce": ([replace(GROWTH, nonce=1)], "NONCE"),
    "mint shard": ([replace(CREATION, shard=2)], "SHARD"),
    "created twice": ([replace(GROWTH, name="USD")], "VAULT_KIND"),
    "created where tokens are": ([replace(CREATION, signer=ALICE)], "VAULT_KIND"),
    "grown before created": ([replace(CREATION, name="")], "TOKEN"),
    "minted into a mint": ([replace(CREATION, credits=((USD, 1),))], "VAULT_KIND"),
    "supply": (
        [replace(CREATION, credits=((POOL, (1 << 63) - 1), (ALICE.vault(), (1 << 63) - 1),
                                    (BOB.vault(), 2)))],
        "SUPPLY",
    ),
    "balance": (
        [replace(GROWTH, credits=((POOL, (1 << 63) - 1),)),
         replace(GROWTH, nonce=3, credits=((POOL, (1 << 63) - 1),))],
        "SUPPLY",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_a_broken_rule_refuses_the_whole_array(stage: Stage, name: str) -> None:
    messages, rule = RULES[name]
    good = Debit(CHARLIE, BOB.vault(), 1, {USD: 1})
    body = [good.json, *(message.json for message in messages)]
    said = refused(stage, stage.gateway.execute, body, rule)
    assert said.startswith(f"{rule}: verifiable {len(messages)}: ")


def test_an_executed_amount_may_not_exceed_the_allowance(stage: Stage) -> None:
    refused(stage, stage.gateway.submit, [PAYMENT.executed(71, 0)], "ALLOWANCE")


def test_a_difference_has_64_bits_with_its_sign(stage: Stage) -> None:
    """Supply and balance may reach 2^64 - 1, a single difference only 2^63 - 1."""
    credits = ((CHARLIE.vault(2), 5), (STRANGER.vault(), (1 << 63) - 1), (STRANGER.vault(), 1))
    mint = Mint(ALICE_MINT, 1, credits, "NEW")
    token = ALICE_MINT.vault()
    pays = [Debit(STRANGER, BOB.vault(), 1, {token: amount}) for amount in (1 << 63, (1 << 63) - 1)]
    refused(stage, stage.gateway.execute, [mint.json, pays[0].json], "RANGE")
    assert stage.gateway.execute([mint.json, pays[1].json]) == 2


def test_a_negative_debit_is_no_debit(stage: Stage) -> None:
    refused(stage, stage.gateway.submit, [PAYMENT.executed(-1, 0)], "ALLOWANCE")


def test_larger_nonces_are_an_option() -> None:
    stage = Stage(strict_nonces=False).open()
    stage.gateway.execute([replace(PAYMENT, nonce=9).json])
    assert stage.gateway.next_nonce(ALICE.owner) == 10
    with pytest.raises(Refused, match="NONCE"):
        stage.gateway.execute([replace(PAYMENT, nonce=9, allowances={USD: 1}).json])
    stage.close()


def test_a_repeated_post_is_refused_and_harmless(stage: Stage) -> None:
    stage.gateway.execute([PAYMENT.json])
    before = copy_of(stage)
    with pytest.raises(Refused, match="DUPLICATE"):
        stage.gateway.execute([PAYMENT.json])
    assert copy_of(stage) == before
    assert sum(len(batch.items) for batch in stage.gateway.pending) == 1


def test_a_repeated_post_after_settlement_is_refused_by_its_nonce(stage: Stage) -> None:
    epoch = clear(1, [Fill(order(ALICE, 1, "USD", "EUR", 5), 5, 4)], stage.books)
    assert stage.run(epoch).status == "applied"
    with pytest.raises(Refused, match="NONCE: verifiable 0: expected 2, found 1"):
        stage.gateway.submit(epoch.verifiables)


# Signatures


def signature_of(body: Any) -> Any:
    return next(iter(body.values()))["signature"]


@pytest.mark.parametrize("message", [PAYMENT, GROWTH])
@pytest.mark.parametrize("field", ["signature", "pub_key"])
def test_a_signature_of_another_key_is_refused(stage: Stage, message: Any, field: str) -> None:
    body = through_json(message.json)
    other = BOB.sign(message.payload) if field == "signature" else BOB.public
    signature_of(body)["Ed25519"][field] = b58(other)
    rule = "SIGNATURE"
    said = refused(stage, stage.gateway.execute, [body], rule)
    assert "verifiable 0" in said


@pytest.mark.parametrize(
    "field", ["credited", "debited_shard", "new_nonce", "allowances", "auxiliary"]
)
def test_every_field_is_signed(stage: Stage, field: str) -> None:
    other = replace(PAYMENT, credited=CHARLIE.vault(), shard=3, nonce=5, allowances={USD: 70},
                    auxiliary=b"x")  # fmt: skip
    body, donor = through_json(PAYMENT.json), through_json(other.json)
    payload, given = body["DebitAllowance"]["payload"], donor["DebitAllowance"]["payload"]
    if field == "auxiliary":
        payload[field] = given[field]
    else:
        payload["content"][field] = given["content"][field]
    refused(stage, stage.gateway.execute, [body], "SIGNATURE")


def test_a_message_of_another_network_is_not_signed_here(stage: Stage) -> None:
    refused(stage, stage.gateway.execute, [replace(PAYMENT, network=bytes(32)).json], "SIGNATURE")


def test_the_first_bad_signature_of_many_is_named(stage: Stage) -> None:
    wallets = [Wallet(f"many {at}") for at in range(5)]
    bodies = [Debit(wallet, POOL, 1, {USD: 0}).json for wallet in wallets]
    for place in (4, 2):
        signature_of(bodies[place])["Ed25519"]["signature"] = b58(bytes(64))
    assert "verifiable 2" in refused(stage, stage.gateway.execute, bodies, "SIGNATURE")


# Schema


D, P, C = "DebitAllowance", "payload", "content"
SIGNATURE = (D, "signature")
SCHEMA: dict[str, tuple[Callable[[Any], Any], str]] = {
    "not an object": (lambda body: 1, "SCHEMA"),
    "two tags": (lambda body: body | {"X": 1}, "SCHEMA"),
    "no tag": (lambda body: {}, "SCHEMA"),
    "swap": (lambda body: {"Swap": body[D]}, "VERIFIABLE_KIND"),
    "nft": (lambda body: {"NftMint": body[D]}, "VERIFIABLE_KIND"),
    "no payload": (at(D, P), "SCHEMA"),
    "more": (at(D, "more", value=1), "SCHEMA"),
    "no auxiliary": (at(D, P, "auxiliary"), "SCHEMA"),
    "auxiliary text": (at(D, P, "auxiliary", value="AA"), "SCHEMA"),
    "auxiliary 256": (at(D, P, "auxiliary", value=[256]), "SCHEMA"),
    "auxiliary negative": (at(D, P, "auxiliary", value=[-1]), "SCHEMA"),
    "auxiliary true": (at(D, P, "auxiliary", value=[True]), "SCHEMA"),
    "auxiliary float": (at(D, P, "auxiliary", value=[1.0]), "SCHEMA"),
    "auxiliary long": (at(D, P, "auxiliary", value=[0] * 1_025), "SCHEMA"),
    "no nonce": (at(D, P, C, "new_nonce"), "SCHEMA"),
    "nonce text": (at(D, P, C, "new_nonce", value="1"), "SCHEMA"),
    "nonce float": (at(D, P, C, "new_nonce", value=1.0), "SCHEMA"),
    "nonce true": (at(D, P, C, "new_nonce", value=True), "SCHEMA"),
    "nonce 2^64": (at(D, P, C, "new_nonce", value=1 << 64), "SCHEMA"),
    "nonce negative": (at(D, P, C, "new_nonce", value=-1), "SCHEMA"),
    "shard 0": (at(D, P, C, "debited_shard", value=0), "SHARD"),
    "credited number": (at(D, P, C, "credited", value=1), "SCHEMA"),
    "credited without shard": (at(D, P, C, "credited", value=b58(BOB.owner)), "SCHEMA"),
    "credited shard 0": (at(D, P, C, "credited", value=text((BOB.owner, 0))), "SCHEMA"),
    "credited shard 01": (at(D, P, C, "credited", value=b58(BOB.owner) + ",01"), "SCHEMA"),
    "credited shard 2^64": (at(D, P, C, "credited", value=text((BOB.owner, 1 << 64))), "SCHEMA"),
    "credited shard of other digits": (
        at(D, P, C, "credited", value=b58(BOB.owner) + ",\u0661"), "SCHEMA",
    ),
    "credited short": (at(D, P, C, "credited", value=text((b"\1" * 31, 1))), "SCHEMA"),
    "credited zero digit": (at(D, P, C, "credited", value="0" * 44 + ",1"), "SCHEMA"),
    "credited padded": (at(D, P, C, "credited", value="1" + text(BOB.vault())), "SCHEMA"),
    "allowances list": (at(D, P, C, "allowances", value=[]), "SCHEMA"),
    "too many": (
        at(D, P, C, "allowances", value={text((bytes([n] * 32), 1)): {"Fungible": 1}
                                         for n in range(17)}),
        "SCHEMA",
    ),
    "amount bare": (at(D, P, C, "allowances", text(USD), value=70), "SCHEMA"),
    "amount float": (at(D, P, C, "allowances", text(USD), value={"Fungible": 70.0}), "SCHEMA"),
    "amount text": (at(D, P, C, "allowances", text(USD), value={"Fungible": "70"}), "SCHEMA"),
    "amount negative": (at(D, P, C, "allowances", text(USD), value={"Fungible": -1}), "SCHEMA"),
    "amount 2^64": (at(D, P, C, "allowances", text(USD), value={"Fungible": 1 << 64}), "SCHEMA"),
    "nft allowance": (
        at(D, P, C, "allowances", text(USD), value={"NonFungible": [1]}), "ALLOWANCE_KIND",
    ),
    "native": (at(D, P, C, "allowances", value={"Native": {"Fungible": 1}}), "SCHEMA"),
    "passkey": (at(*SIGNATURE, value={"Passkey": {}}), "SIGNATURE_KIND"),
    "multisig": (at(*SIGNATURE, value={"Multisig": {}}), "SIGNATURE_KIND"),
    "old name": (at(*SIGNATURE, value={"Ed25519": {"pubkey": "", "signature": ""}}), "SCHEMA"),
    "short key": (at(*SIGNATURE, "Ed25519", "pub_key", value=b58(b"\1" * 31)), "SCHEMA"),
    "long signature": (at(*SIGNATURE, "Ed25519", "signature", value=b58(b"\1" * 65)), "SCHEMA"),
    "signature with a space": (
        at(*SIGNATURE, "Ed25519", "signature", value=b58(b"\1" * 64) + " "), "SCHEMA",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEMA)
def test_another_shape_is_refused(stage: Stage, name: str) -> None:
    change, rule = SCHEMA[name]
    body = change(through_json(PAYMENT.json))
    assert "verifiable 1" in refused(stage, stage.gateway.execute, [PAYMENT.json, body], rule)


M = "FungibleTokenMint"
MINT_SCHEMA: dict[str, Callable[[Any], Any]] = {
    "no shard": at(M, P, C, "shard"),
    "operation": at(M, P, C, "operation", value={"Burn": {}}),
    "two operations": at(M, P, C, "operation", "IncreaseSupply", value={"credited": []}),
    "no metadata": at(M, P, C, "operation", "Create", "metadata"),
    "no name": at(M, P, C, "operation", "Create", "metadata", "name"),
    "long name": at(M, P, C, "operation", "Create", "metadata", "name", value="N" * 257),
    "name without bytes": at(M, P, C, "operation", "Create", "metadata", "name", value="\ud800"),
    "symbol number": at(M, P, C, "operation", "Create", "metadata", "symbol", value=1),
    "decimals": at(M, P, C, "operation", "Create", "metadata", "decimals", value=6),
    "credited map": at(M, P, C, "operation", "Create", "credited", value={}),
    "credit without amount": at(M, P, C, "operation", "Create", "credited", 0, "amount"),
    "credit 2^63": at(M, P, C, "operation", "Create", "credited", 0, "amount", value=1 << 63),
    "credit negative": at(M, P, C, "operation", "Create", "credited", 0, "amount", value=-1),
}


@pytest.mark.parametrize("name", MINT_SCHEMA)
def test_another_shape_of_a_mint_is_refused(stage: Stage, name: str) -> None:
    body = MINT_SCHEMA[name](through_json(CREATION.json))
    refused(stage, stage.gateway.execute, [body], "SCHEMA")


@pytest.mark.parametrize("body", [None, {}, "x", 1])
def test_the_body_is_an_array(stage: Stage, body: Any) -> None:
    refused(stage, stage.gateway.execute, body, "SCHEMA")
    refused(stage, stage.gateway.submit, body, "SCHEMA")


# Diffs


DIFFS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no diffs": (at("state_diffs", value=[]), "DIFFS"),
    "credited only": (at("state_diffs", 0), "DIFFS"),
    "debited only": (at("state_diffs", 1), "DIFFS"),
    "third vault": (at("state_diffs", 1, "address", value=text(CHARLIE.vault())), "DIFFS"),
    "third vault unmoved": (
        lambda body: body | {
            "state_diffs": [
                *body["state_diffs"],
                diff(text(CHARLIE.vault()), {text(USD): {"Fungible": 0}}),
            ]
        },
        "DIFFS",
    ),
    "same vault twice": (at("state_diffs", 1, "address", value=text(ALICE.vault())), "DIFFS"),
    "a unit from nowhere": (
        at("state_diffs", 1, "operation", "TokenDiffs", text(USD), "Fungible", value=8), "DIFFS",
    ),
    "token without allowance": (
        at("state_diffs", 0, "operation", "TokenDiffs", text(TOKENS["JPY"]),
           value={"Fungible": 0}),
        "DIFFS",
    ),
    "gain without allowance": (
        at("state_diffs", 1, "operation", "TokenDiffs", text(TOKENS["JPY"]),
           value={"Fungible": 0}),
        "DIFFS",
    ),
    "mint operation": (
        at("state_diffs", 0, "operation", value={"FungibleTokenMint": {"IncreaseSupply": 1}}),
        "DIFFS",
    ),
    "empty": (at("state_diffs", 0, "operation", "TokenDiffs", value={}), "SCHEMA"),
    "number": (at("state_diffs", 0, "operation", "TokenDiffs", text(USD), value=-7), "SCHEMA"),
    "float": (
        at("state_diffs", 0, "operation", "TokenDiffs", text(USD), "Fungible", value=-7.0),
        "SCHEMA",
    ),
    "below i64": (
        at("state_diffs", 0, "operation", "TokenDiffs", text(USD), "Fungible", value=-(1 << 63)),
        "SCHEMA",
    ),
    "nft": (
        at("state_diffs", 0, "operation", "TokenDiffs", text(USD),
           value={"NonFungible": {"changes": {}}}),
        "SCHEMA",
    ),
    "vault id": (at("state_diffs", 0, "vault_id", value="x"), "SCHEMA"),
    "no list": (at("state_diffs", value={}), "SCHEMA"),
    "no verifiable": (at("verifiable"), "SCHEMA"),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFS)
def test_diffs_that_the_verifiable_does_not_permit_are_refused(stage: Stage, name: str) -> None:
    change, rule = DIFFS[name]
    body = change(through_json(PAYMENT.executed(7, 3)))
    refused(stage, stage.gateway.submit, [body], rule)


CREATE = ("state_diffs", 0, "operation", "FungibleTokenMint", "Create")
MINT_DIFFS: dict[str, Callable[[Any], Any]] = {
    "no token": at("state_diffs", 0),
    "no credit": at("state_diffs", 1),
    "other vault": at("state_diffs", 1, "address", value=text(BOB.vault())),
    "other mint": at("state_diffs", 0, "address", value=text(USD)),
    "a unit more": at("state_diffs", 1, "operation", "TokenDiffs", text(STRANGER.vault()),
                      value={"Fungible": 6}),
    "supply": at(*CREATE, "supply", value=6),
    "name": at(*CREATE, "metadata", "name", value="OLD"),
    "other operation": at("state_diffs", 0, "operation", "FungibleTokenMint",
                          value={"IncreaseSupply": 5}),
}  # fmt: skip


@pytest.mark.parametrize("name", MINT_DIFFS)
def test_diffs_of_a_mint_are_what_it_does(stage: Stage, name: str) -> None:
    body = MINT_DIFFS[name](through_json(CREATION.executed()))
    refused(stage, stage.gateway.submit, [body], "DIFFS")


def test_growth_has_its_own_operation(stage: Stage) -> None:
    body = through_json(GROWTH.executed())
    metadata = {"name": "USD", "symbol": "USD"}
    operation = {"FungibleTokenMint": {"Create": {"metadata": metadata, "supply": 11}}}
    body["state_diffs"][0]["operation"] = operation
    refused(stage, stage.gateway.submit, [body], "DIFFS")


def test_orders_and_payouts_are_applied_in_their_order(stage: Stage) -> None:
    """The pool may pay out what an earlier order of the same array has paid in, and no more."""
    first = Debit(OPERATOR, CHARLIE.vault(), 1, {USD: HOLDERS[POOL]})
    paid = order(ALICE, 1, "USD", "EUR", 10)
    back = replace(payout(paid, 2, 10), allowances={USD: 10})
    bodies = [first.executed(HOLDERS[POOL]), paid.executed(10), back.executed(10)]
    refused(stage, stage.gateway.submit, [bodies[0], bodies[2], bodies[1]], "BALANCE")
    assert stage.gateway.submit(through_json(bodies)) == 3
