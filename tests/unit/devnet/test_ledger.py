"""Final vaults, drafts, and the parts of a proof's statement, one by one."""

from dataclasses import replace
from typing import Any

import pytest

from devnet.settlement.agreement import read_agreement
from devnet.settlement.clearing import general_hash, read_clearing
from devnet.settlement.codec import Address
from devnet.settlement.global_laws import execute
from devnet.settlement.invalid import Invalid
from devnet.settlement.ledger import (
    BALANCE_MAX,
    DIFFERENCE_MAX,
    Account,
    Draft,
    Ledger,
    MintRecord,
    balances,
    net_by_token,
)
from devnet.settlement.local_laws import state_root
from devnet.settlement.public_values import compare
from devnet.settlement.signatures import check_signers
from devnet.settlement.transactions import Item, read_sdl
from tests.support.devnet_stage import ALICE, BOB, CHARLIE, HOLDERS, through_json
from tests.support.devnet_world import (
    ASSETS,
    MINTS,
    NETWORK,
    NETWORK_ID,
    POOL,
    TOKENS,
    Books,
    Debit,
    Fill,
    Mint,
    Wallet,
    agreement,
    cancel,
    clear,
    clearing_hash,
    genesis_books,
    order,
    sdl_transaction,
)
from tests.support.devnet_world import general_hash as expected_general_hash

A, B = Address(*ALICE.vault()), Address(*BOB.vault())
USD, EUR = Address(*TOKENS["USD"]), Address(*TOKENS["EUR"])


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.accounts[A] = Account(nonce=4, tokens={USD: 10})
    ledger.accounts[USD] = Account(mint=MintRecord("US dollar", "USD", 10))
    return ledger


# Drafts


def test_a_draft_is_nothing_until_it_is_kept(ledger: Ledger) -> None:
    draft = ledger.draft()
    draft.take(A, USD, 3)
    draft.give(B, USD, 3)
    assert ledger.accounts[A].tokens == {USD: 10}
    assert B not in ledger.accounts
    assert (draft.read(A).tokens[USD], draft.read(B).tokens[USD]) == (7, 3)
    draft.keep()
    assert (ledger.accounts[A].tokens, ledger.accounts[B].tokens) == ({USD: 7}, {USD: 3})


def test_a_kept_draft_holds_no_zeros(ledger: Ledger) -> None:
    draft = ledger.draft()
    draft.take(A, USD, 10)
    draft.give(B, USD, 10)
    draft.keep()
    assert ledger.accounts[A].tokens == {}


@pytest.mark.parametrize(("vault", "token", "amount"), [(A, USD, 11), (A, EUR, 1), (B, USD, 1)])
def test_nobody_pays_more_than_is_there(
    ledger: Ledger, vault: Address, token: Address, amount: int
) -> None:
    with pytest.raises(Invalid, match="BALANCE"):
        ledger.draft().take(vault, token, amount)


def test_a_mint_holds_no_tokens(ledger: Ledger) -> None:
    with pytest.raises(Invalid, match="VAULT_KIND"):
        ledger.draft().give(USD, USD, 1)


def test_differences_and_balances_stay_in_64_bits(ledger: Ledger) -> None:
    draft = ledger.draft()
    draft.give(B, USD, DIFFERENCE_MAX)
    draft.give(B, USD, DIFFERENCE_MAX)
    draft.give(B, USD, 1)
    assert draft.read(B).tokens[USD] == BALANCE_MAX
    with pytest.raises(Invalid, match="RANGE"):
        draft.give(B, USD, 1)
    with pytest.raises(Invalid, match="RANGE"):
        draft.give(A, USD, DIFFERENCE_MAX + 1)


def test_a_credit_brings_a_moved_vault_back(ledger: Ledger) -> None:
    ledger.accounts[A].moved_to = 2
    draft = ledger.draft()
    draft.give(A, USD, 1)
    assert (draft.read(A).moved_to, ledger.accounts[A].moved_to) == (0, 2)


def test_reading_an_absent_vault_makes_none(ledger: Ledger) -> None:
    draft = ledger.draft()
    assert draft.read(B) == Account()
    assert list(draft.differences()) == []
    draft.keep()
    assert B not in ledger.accounts


def test_differences_name_before_and_after_in_order(ledger: Ledger) -> None:
    draft = ledger.draft()
    draft.take(A, USD, 3)
    draft.give(B, USD, 3)
    rows = list(draft.differences())
    assert [key for key, _, _ in rows] == sorted([A, B])
    changes = {key: (old.tokens.get(USD, 0), new.tokens[USD]) for key, old, new in rows}
    assert changes == {A: (10, 7), B: (0, 3)}


def test_the_net_of_a_transfer_is_nothing_and_of_a_mint_is_the_mint(ledger: Ledger) -> None:
    draft = ledger.draft()
    draft.take(A, USD, 3)
    draft.give(B, USD, 3)
    assert net_by_token(draft) == {}
    draft.give(B, EUR, 5)
    assert net_by_token(draft) == {EUR: 5}


def test_a_clone_shares_nothing(ledger: Ledger) -> None:
    original = ledger.accounts[USD]
    clone = original.clone()
    assert clone == original
    assert clone.mint is not None
    clone.mint.supply = 99
    clone.tokens[EUR] = 1
    assert original == Account(mint=MintRecord("US dollar", "USD", 10))


def test_supplies_are_what_was_issued_and_what_is_held(ledger: Ledger) -> None:
    assert ledger.supplies() == {USD: (10, 10)}
    ledger.accounts[B] = Account(tokens={EUR: 2})
    assert ledger.supplies() == dict(sorted({USD: (10, 10), EUR: (0, 2)}.items()))


def test_balances_follow_the_registry() -> None:
    account = Account(tokens={USD: 1, EUR: 2})
    assert balances(account, [EUR, A, USD]) == [2, 0, 1]


# Statement


def terms() -> Any:
    return read_agreement(agreement(), NETWORK, NETWORK_ID, 0, 1)


def items_of(epoch: Any) -> tuple[Item, ...]:
    return read_sdl(through_json(epoch.transaction()), NETWORK_ID).items


def test_the_state_root_is_that_of_the_page() -> None:
    books = genesis_books(HOLDERS)
    books.fees[1] = 5
    books.nonces[BOB.owner] = 3
    ledger = Ledger()
    for vault, held in HOLDERS.items():
        tokens = {Address(*TOKENS[asset]): held for asset in ASSETS}
        ledger.accounts[Address(*vault)] = Account(books.nonces.get(vault[0], 0), 0, tokens)
    owners = sorted((ALICE.owner, BOB.owner, Wallet("nobody").owner))
    root = state_root(terms(), Draft(ledger), owners, books.fees)
    assert root == books.root(owners)
    assert root != books.root(owners[1:])
    assert root != state_root(terms(), Draft(ledger), owners, [0] * len(ASSETS))


def test_a_clearing_is_read_from_the_signed_bytes() -> None:
    fills = [
        Fill(order(ALICE, 1, "USD", "EUR", 50), 50, 40),
        Fill(order(BOB, 1, "USD", "EUR", 50)),
        Fill(order(BOB, 2, "EUR", "USD", 50), 20, 30),
        Fill(cancel(CHARLIE, 1, "USD")),
    ]
    epoch = clear(1, fills, genesis_books(HOLDERS))
    found = read_clearing(items_of(epoch), terms())
    assert found.owners == tuple(sorted((ALICE.owner, BOB.owner, CHARLIE.owner)))
    assert (len(found.consumed), found.fills) == (4, 2)
    digest = found.sdl_hash(NETWORK_ID, Address(*POOL), 1)
    assert digest == clearing_hash(epoch.items, 1) == epoch.values["sdl_hash"]
    assert digest != found.sdl_hash(NETWORK_ID, Address(*POOL), 2)
    assert digest != found.sdl_hash(bytes(32), Address(*POOL), 1)
    assert digest != found.sdl_hash(NETWORK_ID, Address(POOL[0], 2), 1)


def test_the_general_hash_covers_the_payloads_in_their_order() -> None:
    mints = [Mint(ALICE, 1, ((POOL, 5),), "A"), Mint(BOB, 1, ((POOL, 5),), "B")]
    forth = sdl_transaction([(mint, ()) for mint in mints], bytes(32))
    back = sdl_transaction([(mint, ()) for mint in mints[::-1]], bytes(32))
    found = general_hash(NETWORK_ID, read_sdl(forth, NETWORK_ID))
    assert found == expected_general_hash(list(mints))
    assert found != general_hash(NETWORK_ID, read_sdl(back, NETWORK_ID))


def test_signatures_are_checked_wherever_they_stand() -> None:
    wallets = sorted((Wallet(f"signer {at}") for at in range(9)), key=lambda w: w.owner)
    epoch = clear(1, [Fill(cancel(w, 1, "USD")) for w in wallets], Books())
    body = through_json(epoch.transaction())
    check_signers(read_sdl(body, NETWORK_ID).items)
    for place in range(9):
        forged = through_json(body)
        forged["items"][place]["signature"] = body["items"][place - 1]["signature"]
        with pytest.raises(Invalid, match=f"SIGNATURE: verifiable {place}:"):
            check_signers(read_sdl(forged, NETWORK_ID).items)


def test_the_first_of_two_forgeries_is_named() -> None:
    wallets = sorted((Wallet(f"signer {at}") for at in range(6)), key=lambda w: w.owner)
    epoch = clear(1, [Fill(cancel(w, 1, "USD")) for w in wallets], Books())
    body = through_json(epoch.transaction())
    for place in (5, 2):
        body["items"][place]["signature"] = "00" * 64
    with pytest.raises(Invalid, match="verifiable 2:"):
        check_signers(read_sdl(body, NETWORK_ID).items)


def test_the_first_difference_is_named_with_both_sides() -> None:
    values: Any = {"epoch": 5, "params_hash": b"\1", "shard": 3}
    compare(values, [("epoch", 5), ("params_hash", b"\1")])
    with pytest.raises(Invalid) as caught:
        compare(values, [("shard", 3), ("params_hash", b"\2"), ("epoch", 6)])
    assert caught.value.code == "PV_MISMATCH:params_hash"
    assert caught.value.message == "derived 02, the proof says 01"
    with pytest.raises(Invalid, match="PV_MISMATCH:epoch: derived 6, the proof says 5"):
        compare(values, [("epoch", 6)])


# delta's own laws, on transfers that no clearing would hold


def executed(ledger: Ledger, *items: Any) -> Draft:
    sdl = read_sdl(sdl_transaction(list(items), bytes(32)), NETWORK_ID)
    draft = ledger.draft()
    execute(draft, sdl)
    return draft


def transfer(**changes: Any) -> Debit:
    return replace(Debit(ALICE, BOB.vault(), 5, {TOKENS["USD"]: 10}), **changes)


def test_a_transfer_is_executed(ledger: Ledger) -> None:
    draft = executed(ledger, (transfer(), (4,)), (transfer(nonce=6), (6,)))
    assert (draft.read(A).nonce, draft.read(A).tokens[USD]) == (6, 0)
    assert draft.read(B).tokens[USD] == 10


@pytest.mark.parametrize(
    ("debit", "amount", "code"),
    [
        (transfer(nonce=4), 4, "NONCE"),
        (transfer(nonce=6), 4, "NONCE"),
        (transfer(shard=2), 4, "SHARD"),
        (transfer(credited=ALICE.vault()), 4, "CREDITED"),
        (transfer(credited=(BOB.owner, 0)), 4, "CREDITED"),
        (transfer(credited=TOKENS["USD"]), 4, "VAULT_KIND"),
        (transfer(allowances={TOKENS["EUR"]: 4}), 0, "TOKEN"),
        (transfer(allowances={ALICE.vault(): 4}), 0, "TOKEN"),
        (transfer(), 11, "ALLOWANCE"),
        (transfer(allowances={TOKENS["USD"]: 11}), 11, "BALANCE"),
        (transfer(signer=MINTS["USD"], nonce=1), 0, "VAULT_KIND"),
    ],
)
def test_a_transfer_one_step_off_is_not(
    ledger: Ledger, debit: Debit, amount: int, code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        executed(ledger, (debit, (amount,)))
    assert caught.value.code == code
    assert caught.value.message.startswith("verifiable 0: ")


def test_a_ledger_that_lost_count_is_caught(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were crediting itself wrong by a unit, the sum over all vaults would still say so."""
    give = Draft.give
    monkeypatch.setattr(Draft, "give", lambda d, key, token, n: give(d, key, token, n + 1))
    with pytest.raises(Invalid, match="SUPPLY: expected balances to change by what was minted"):
        executed(ledger, (transfer(), (4,)))
