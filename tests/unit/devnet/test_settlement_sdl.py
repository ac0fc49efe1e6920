"""Every reason for which the settlement layer fails an SDL, one step away from one that holds.

Transactions are forged here, past the gateway, so that a check of one side never hides that of
the other.
"""

import base64
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from devnet.settlement.chain import Chain, Rules, SdlRecord
from devnet.settlement.invalid import Invalid
from tests.support.devnet_stage import ALICE, BOB, CHARLIE, HOLDERS, through_json
from tests.support.devnet_world import (
    ASSETS,
    ATTESTOR,
    MINTS,
    NETWORK,
    OPERATOR,
    POOL,
    PV_FIELDS,
    SHARD,
    TOKENS,
    Debit,
    Epoch,
    Fill,
    Item,
    Mint,
    Wallet,
    agreement,
    b58,
    cancel,
    clear,
    clearing_hash,
    general_hash,
    genesis_books,
    le,
    order,
    proof_transaction,
    reference_section,
    sdl_transaction,
    terms,
)
from tests.support.json_edits import at

STRANGER = Wallet("stranger")


class World:
    """A chain with six currencies, funded vaults and an active agreement."""

    def __init__(self, **rules: Any) -> None:
        self.chain = Chain(Rules(NETWORK, **rules))
        mints = [
            (Mint(wallet, 1, tuple(HOLDERS.items()), asset), ()) for asset, wallet in MINTS.items()
        ]
        self.issue(mints)
        self.chain.register(agreement())
        self.chain.advance()
        self.books = genesis_books(HOLDERS)

    def issue(self, items: list[Any], **options: Any) -> SdlRecord:
        digest = general_hash([message for message, _ in items])
        transaction = sdl_transaction(items, digest, **options)
        name = self.chain.submit_sdl(through_json(transaction)).name
        self.chain.submit_proof(proof_transaction(digest, b""))
        return self.chain.sdls[name]

    def bring(self, epoch: Epoch, transaction: Any = None, **envelope: Any) -> SdlRecord:
        record = self.chain.submit_sdl(through_json(transaction or epoch.transaction()))
        self.chain.submit_proof(epoch.proof(**envelope))
        return self.chain.sdls[record.name]

    def snapshot(self) -> Any:
        accounts = self.chain.ledger.accounts
        return {key: (acc.nonce, dict(acc.tokens)) for key, acc in accounts.items()}


@pytest.fixture
def world() -> Iterator[World]:
    return World()


def fills() -> list[Fill]:
    return [
        Fill(order(ALICE, 1, "USD", "EUR", 5_000_000), 5_000_000, 4_500_000, 1_350),
        Fill(order(BOB, 1, "EUR", "USD", 2_000_000), 1_000_000, 1_100_000, 330),
        Fill(order(BOB, 2, "USD", "JPY", 7_000)),
        Fill(cancel(CHARLIE, 1, "GBP")),
    ]


def valid(world: World) -> Epoch:
    return clear(1, fills(), world.books, left=1)


def assert_fails(world: World, record: SdlRecord, before: Any, code: str) -> None:
    assert (record.status, record.code) == ("failed", code)
    assert record.message.encode()
    assert world.snapshot() == before
    assert world.chain.shards.get(SHARD) is None


def test_the_untouched_epoch_is_applied(world: World) -> None:
    record = world.bring(valid(world))
    assert (record.status, record.code, record.message) == ("applied", "", "")
    assert world.chain.shards[SHARD].last_epoch == 1
    assert world.chain.shards[SHARD].fees == [330, 1_350, 0, 0, 0, 0]


# Public values


def changed(name: str, value: bytes) -> bytes:
    return value[:-1] + bytes((value[-1] ^ 1,)) if name != "epoch" else le(1_500)


DERIVED = (
    "version", "domain_tag", "network_id", "shard", "epoch", "params_hash", "reference_hash",
    "pre_state_root", "sdl_hash", "n_fills", "total", "post_state_root",
)  # fmt: skip


@pytest.mark.parametrize("name", DERIVED)
def test_each_derived_public_value_is_compared(world: World, name: str) -> None:
    epoch, before = valid(world), world.snapshot()
    lying = epoch.claiming(**{name: changed(name, epoch.values[name])})
    world.chain.submit_sdl(epoch.transaction())
    proof = proof_transaction(epoch.values["sdl_hash"], lying.envelope())
    record = world.chain.submit_proof(proof)
    assert_fails(world, record, before, f"PV_MISMATCH:{name}")


@pytest.mark.parametrize("name", ["prices_hash", "batch_root", "gap"])
def test_what_only_the_proof_can_say_is_left_to_it(world: World, name: str) -> None:
    epoch = valid(world)
    other = epoch.claiming(**{name: changed(name, epoch.values[name])})
    assert world.bring(other).status == "applied"


def test_a_changed_public_value_without_a_new_attestation_is_no_proof(world: World) -> None:
    epoch, before = valid(world), world.snapshot()
    other = epoch.claiming(prices_hash=bytes(31) + b"\1")
    record = world.bring(epoch, public_values=other.public_values.hex())
    assert_fails(world, record, before, "ATTESTATION")


def test_more_orders_than_consumed_are_possible_but_not_fewer(world: World) -> None:
    epoch, before = valid(world), world.snapshot()
    record = world.bring(epoch.claiming(n_orders=le(3)))
    assert_fails(world, record, before, "PV_MISMATCH:n_orders")
    assert world.bring(epoch.claiming(n_orders=le(4))).status == "applied"


@pytest.mark.parametrize("size", [391, 393, 0])
def test_public_values_have_one_size(world: World, size: int) -> None:
    epoch, before = valid(world), world.snapshot()
    values = (epoch.public_values + b"\0")[:size]
    assert_fails(world, world.bring(epoch, public_values=values.hex()), before, "ENVELOPE")


def test_every_public_value_has_a_test() -> None:
    left = {"prices_hash", "batch_root", "gap", "n_orders"}
    terms_of_total = {"inventory_risk", "price_tracking", "fill_incentive"}
    assert {name for name, _ in PV_FIELDS} == set(DERIVED) | left | terms_of_total


@pytest.mark.parametrize("name", ["inventory_risk", "price_tracking", "fill_incentive"])
def test_a_term_that_the_total_does_not_hold_is_found(world: World, name: str) -> None:
    epoch, before = valid(world), world.snapshot()
    value = int.from_bytes(epoch.values[name], "little", signed=True) + 1
    record = world.bring(epoch.claiming(**{name: le(value, 16, True)}))
    assert_fails(world, record, before, "PV_MISMATCH:total")


# Epochs


@pytest.mark.parametrize(
    ("gap", "number", "status"),
    [(0, 1, "applied"), (0, 2, "failed"), (0, 0, "failed"), (5, 6, "applied"), (5, 7, "failed")],
)
def test_the_epoch_number_may_jump_as_far_as_the_option_says(
    gap: int, number: int, status: str
) -> None:
    world = World(epoch_gap=gap)
    record = world.bring(clear(number, fills(), world.books))
    assert record.status == status
    assert record.code == ("" if status == "applied" else "PV_MISMATCH:epoch")


def test_an_epoch_never_repeats(world: World) -> None:
    assert world.bring(valid(world)).status == "applied"
    again = clear(1, [Fill(order(ALICE, 2, "EUR", "CHF", 900), 900, 850, 1)], world.books)
    assert world.bring(again).code == "PV_MISMATCH:epoch"


# Replay


def test_an_applied_sdl_is_not_taken_again(world: World) -> None:
    epoch = valid(world)
    world.bring(epoch)
    with pytest.raises(Invalid, match=r"REPLAY: SDL .* was applied before"):
        world.chain.submit_sdl(epoch.transaction())
    with pytest.raises(Invalid, match=r"REPLAY: SDL .* is already applied"):
        world.chain.submit_proof(epoch.proof())


def test_a_failed_sdl_may_come_again_and_be_applied(world: World) -> None:
    epoch = valid(world)
    assert world.bring(epoch, mode="core").status == "failed"
    with pytest.raises(Invalid, match=r"REPLAY: SDL .* is already failed"):
        world.chain.submit_proof(epoch.proof())
    assert world.bring(epoch).status == "applied"


def test_public_values_are_applied_once(world: World) -> None:
    epoch = valid(world)
    world.bring(epoch)
    later = clear(2, [Fill(cancel(ALICE, 2, "USD"))], world.books)
    record = world.bring(later, public_values=epoch.public_values.hex())
    assert record.code == "REPLAY"


def test_a_proof_needs_its_sdl_first(world: World) -> None:
    with pytest.raises(Invalid, match="SDL_UNKNOWN"):
        world.chain.submit_proof(valid(world).proof())


# Operator


def test_only_the_operator_of_the_agreement_submits(world: World) -> None:
    epoch = valid(world)
    with pytest.raises(Invalid, match="OPERATOR: shard 1 belongs"):
        world.chain.submit_sdl(epoch.transaction(signer=STRANGER))
    world.chain.submit_sdl(epoch.transaction())
    with pytest.raises(Invalid, match="OPERATOR: expected the operator and shard of the SDL"):
        world.chain.submit_proof(epoch.proof(signer=STRANGER))
    with pytest.raises(Invalid, match="OPERATOR: expected the operator and shard of the SDL"):
        world.chain.submit_proof(epoch.proof(shard=2))
    assert world.chain.sdls[epoch.sdl_hash].status == "submitted"


@pytest.mark.parametrize("kind", ["sdl", "proof"])
def test_a_forged_operator_signature_changes_nothing(world: World, kind: str) -> None:
    epoch = valid(world)
    world.chain.submit_sdl(epoch.transaction())
    body = epoch.transaction() if kind == "sdl" else epoch.proof()
    body["signature"] = STRANGER.sign(b"x").hex()
    take = world.chain.submit_sdl if kind == "sdl" else world.chain.submit_proof
    with pytest.raises(Invalid, match="OPERATOR_SIGNATURE"):
        take(body)
    assert world.chain.sdls[epoch.sdl_hash].status == "submitted"


def test_an_sdl_of_another_shard_needs_an_agreement_there(world: World) -> None:
    epoch = valid(world)
    digest = epoch.values["sdl_hash"]
    world.chain.submit_sdl(sdl_transaction(epoch.items, digest, shard=2))
    record = world.chain.submit_proof(epoch.proof(shard=2))
    assert record.code == "AGREEMENT"


def test_an_agreement_counts_from_its_delta_epoch_only() -> None:
    chain = Chain(Rules(NETWORK))
    chain.register(agreement())
    epoch = clear(1, fills(), genesis_books(HOLDERS))
    chain.submit_sdl(epoch.transaction())
    assert chain.submit_proof(epoch.proof()).code == "AGREEMENT"


# Envelope and modes


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"format": "devnet-v2-proof"}, "ENVELOPE"),
        ({"extra": 1}, "ENVELOPE"),
        ({"program_hash": "00"}, "ENVELOPE"),
        ({"program_hash": "00" * 32}, "PROGRAM_HASH"),
        ({"mode": "core"}, "MODE"),
        ({"mode": "mock"}, "MODE"),
        ({"mode": "\ud800"}, "MODE"),
        ({"mode": {"core": 1}}, "MODE"),
        ({"mode": "executed"}, "PROOF"),
        ({"mode": "executed", "proof": ""}, "ATTESTATION"),
        ({"proof": ""}, "ATTESTATION"),
        ({"proof": "?"}, "ENVELOPE"),
        ({"reference": ""}, "ENVELOPE"),
        ({"reference": base64.b64encode(reference_section() + bytes(48)).decode()}, "ENVELOPE"),
        ({"fees_accrued_after": ["1", "2"]}, "ENVELOPE"),
        ({"fees_accrued_after": [0] * len(ASSETS)}, "ENVELOPE"),
        ({"fees_accrued_after": ["-1"] * len(ASSETS)}, "ENVELOPE"),
        ({"fees_accrued_after": ["99999999999"] * len(ASSETS)}, "FEES"),
        ({"fees_accrued_after": ["0"] * len(ASSETS)}, "PV_MISMATCH:post_state_root"),
    ],
)
def test_an_envelope_that_differs_fails(world: World, changes: Any, code: str) -> None:
    epoch, before = valid(world), world.snapshot()
    assert_fails(world, world.bring(epoch, **changes), before, code)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff"])
def test_an_envelope_that_is_none_fails(world: World, raw: bytes) -> None:
    epoch, before = valid(world), world.snapshot()
    world.chain.submit_sdl(epoch.transaction())
    record = world.chain.submit_proof(proof_transaction(epoch.values["sdl_hash"], raw))
    assert_fails(world, record, before, "ENVELOPE")


def test_another_reference_is_found_by_its_hash(world: World) -> None:
    epoch, before = valid(world), world.snapshot()
    reference = reference_section()[:-1] + b"\1"
    record = world.bring(epoch, reference=base64.b64encode(reference).decode())
    assert_fails(world, record, before, "PV_MISMATCH:reference_hash")


def test_fees_never_shrink(world: World) -> None:
    assert world.bring(valid(world)).status == "applied"
    lower = deepcopy(world.books)
    lower.fees[0] -= 1
    later = clear(2, [Fill(cancel(ALICE, 2, "USD"))], lower)
    honest = clear(2, [Fill(cancel(ALICE, 2, "USD"))], world.books)
    pre = honest.values["pre_state_root"]
    assert world.bring(later.claiming(pre_state_root=pre)).code == "FEES"


def test_mode_executed_wants_an_attestation_and_no_proof(world: World) -> None:
    epoch = valid(world)
    signature = ATTESTOR.sign(b"cfx.attest.v1\0\0\0" + epoch.public_values)
    attestation = base64.b64encode(signature).decode()
    record = world.bring(epoch, mode="executed", proof="", attestation=attestation)
    assert (record.status, record.mode) == ("applied", "executed")


# Shape


Forge = Callable[[list[Item]], list[Item]]


def swapped(items: list[Item], left: int, right: int) -> list[Item]:
    items[left], items[right] = items[right], items[left]
    return items


def edited(items: list[Item], place: int, amount: int | None = None, **fields: Any) -> list[Item]:
    debit, amounts = items[place]
    executed = amounts if amount is None else (amount,)
    items[place] = replace(debit, **fields), executed
    return items


def place_of(items: list[Item], wallet: Wallet, nonce: int) -> int:
    keys = [(debit.signer, debit.nonce) for debit, _ in items]
    return keys.index((wallet, nonce))


SHAPES: dict[str, tuple[Forge, str]] = {
    "orders unsorted": (lambda items: swapped(items, 0, 1), "SDL_SHAPE"),
    "order twice": (lambda items: items[:1] + items, "SDL_SHAPE"),
    "payouts unsorted": (lambda items: swapped(items, -1, -2), "SDL_SHAPE"),
    "payout missing": (lambda items: items[:-1], "SDL_SHAPE"),
    "payout twice": (lambda items: [*items, items[-1]], "SDL_SHAPE"),
    "payout before an order": (lambda items: items[-1:] + items[:-1], "SDL_SHAPE"),
    "no order": (lambda items: items[-2:], "SDL_SHAPE"),
    "credited to somebody": (
        lambda items: edited(items, 0, credited=STRANGER.vault()), "SDL_SHAPE",
    ),
    "two allowances": (
        lambda items: [
            (replace(items[0][0], allowances={TOKENS["AUD"]: 1, TOKENS["CHF"]: 1}), (0, 0)),
            *items[1:],
        ],
        "SDL_SHAPE",
    ),
    "no terms": (lambda items: edited(items, 0, auxiliary=bytes(80)), "SDL_SHAPE"),
    "terms version": (
        lambda items: edited(items, 0, auxiliary=b"\2" + items[0][0].auxiliary[1:]), "SDL_SHAPE",
    ),
    "unknown kind": (lambda items: edited(items, 0, auxiliary=terms(4, 0)), "SDL_SHAPE"),
    "reserved bytes": (
        lambda items: edited(
            items, 0, auxiliary=items[0][0].auxiliary[:12] + b"\1" + items[0][0].auxiliary[13:]
        ),
        "SDL_SHAPE",
    ),
    "receive outside the registry": (
        lambda items: edited(items, 0, auxiliary=terms(1, len(ASSETS))), "SDL_SHAPE",
    ),
    "order that names a paid order": (
        lambda items: edited(items, 0, auxiliary=terms(1, 1, pays=b"\1" * 32)), "SDL_SHAPE",
    ),
    "pay outside the registry": (
        lambda items: edited(items, 0, allowances={(bytes(32), 1): 5}), "TOKEN",
    ),
    "payout of less than signed": (lambda items: edited(items, -1, 1), "SDL_SHAPE"),
    "payout to another": (
        lambda items: edited(items, -1, credited=STRANGER.vault()), "SDL_SHAPE",
    ),
    "payout of another token": (
        lambda items: edited(
            items, -1, allowances={TOKENS["AUD"]: next(iter(items[-1][0].allowances.values()))}
        ),
        "SDL_SHAPE",
    ),
    "payout for another order": (
        lambda items: edited(items, -1, auxiliary=terms(3, pays=b"\1" * 32)), "SDL_SHAPE",
    ),
    "payout with a receive asset": (
        lambda items: edited(
            items, -1, auxiliary=terms(3, 0, pays=items[-1][0].auxiliary[40:])
        ),
        "SDL_SHAPE",
    ),
}  # fmt: skip


def hash_or_any(items: list[Item]) -> bytes:
    try:
        return clearing_hash(items, 1)
    except (StopIteration, IndexError):
        return b"\7" * 32


@pytest.mark.parametrize("name", SHAPES)
def test_another_shape_fails(world: World, name: str) -> None:
    forge, code = SHAPES[name]
    epoch, before = valid(world), world.snapshot()
    items = forge(list(epoch.items))
    forged = replace(epoch, items=items).claiming(sdl_hash=hash_or_any(items))
    assert_fails(world, world.bring(forged), before, code)


def test_a_cancel_with_an_amount_is_no_cancel(world: World) -> None:
    epoch, before = valid(world), world.snapshot()
    place = place_of(epoch.items, CHARLIE, 1)
    items = edited(list(epoch.items), place, allowances={TOKENS["GBP"]: 1})
    assert_fails(world, world.bring(epoch.with_items(items)), before, "SDL_SHAPE")


def cancels(world: World, *wallets: Wallet) -> Epoch:
    return clear(1, [Fill(cancel(wallet, 1, "USD")) for wallet in wallets], world.books)


def test_orders_that_move_nothing_are_sorted_too(world: World) -> None:
    epoch, before = cancels(world, ALICE, BOB), world.snapshot()
    forged = epoch.with_items(epoch.items[::-1])
    assert_fails(world, world.bring(forged), before, "SDL_SHAPE")


def test_a_cancel_credits_the_pool_as_well(world: World) -> None:
    epoch, before = cancels(world, ALICE), world.snapshot()
    forged = epoch.with_items(edited(list(epoch.items), 0, credited=STRANGER.vault()))
    assert_fails(world, world.bring(forged), before, "SDL_SHAPE")


def test_the_pool_itself_gives_no_orders(world: World) -> None:
    before = world.snapshot()
    assert_fails(world, world.bring(cancels(world, OPERATOR)), before, "SDL_SHAPE")


def test_a_mint_vault_gives_no_orders(world: World) -> None:
    mint, before = MINTS["USD"], world.snapshot()
    world.books.nonces[mint.owner] = 1
    epoch = clear(1, [Fill(cancel(mint, 2, "USD"))], world.books)
    assert_fails(world, world.bring(epoch), before, "VAULT_KIND")


def test_a_debit_without_terms_needs_other_laws(world: World) -> None:
    plain = Debit(ALICE, BOB.vault(), 1, {TOKENS["USD"]: 5})
    before = world.snapshot()
    record = world.issue([(plain, (5,))])
    assert_fails(world, record, before, "ENVELOPE")


def test_a_mint_among_orders_fails(world: World) -> None:
    epoch, before = valid(world), world.snapshot()
    mint = Mint(MINTS["USD"], 2, ((POOL, 5),))
    world.chain.submit_sdl(sdl_transaction([*epoch.items, (mint, ())], b"\1" * 32))
    record = world.chain.submit_proof(proof_transaction(b"\1" * 32, epoch.envelope()))
    assert_fails(world, record, before, "SDL_SHAPE")


# Hash and signatures


def test_the_hash_is_recomputed(world: World) -> None:
    epoch, before = valid(world), world.snapshot()
    lying = epoch.claiming(sdl_hash=bytes(31) + b"\1")
    assert_fails(world, world.bring(lying), before, "SDL_HASH")


def test_the_hash_binds_the_first_payout_nonce(world: World) -> None:
    epoch, before = valid(world), world.snapshot()
    forged = epoch.with_items(epoch.items, first_nonce=2)
    assert_fails(world, world.bring(forged), before, "SDL_HASH")


def test_the_hash_binds_what_was_executed(world: World) -> None:
    epoch, before = valid(world), world.snapshot()
    place = place_of(epoch.items, ALICE, 1)
    items = edited(list(epoch.items), place, amount=4_999_999)
    record = world.bring(epoch, sdl_transaction(items, epoch.values["sdl_hash"]))
    assert_fails(world, record, before, "SDL_HASH")


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4, 5])
def test_every_signature_counts_payouts_too(world: World, place: int) -> None:
    epoch, before = valid(world), world.snapshot()
    transaction = epoch.transaction()
    signature = transaction["items"][place]["signature"]
    transaction["items"][place]["signature"] = ("1" if signature[0] == "0" else "0") + signature[1:]
    record = world.bring(epoch, transaction)
    assert_fails(world, record, before, "SIGNATURE")
    assert f"verifiable {place}" in record.message


def test_a_key_of_another_owner_does_not_sign(world: World) -> None:
    epoch, before = valid(world), world.snapshot()
    transaction = epoch.transaction()
    item = transaction["items"][0]
    item["pub_key"] = STRANGER.public.hex()
    item["signature"] = STRANGER.sign(bytes.fromhex(item["payload"])).hex()
    assert_fails(world, world.bring(epoch, transaction), before, "OWNER")


# delta's own laws


def rebuilt(epoch: Epoch, forge: Forge) -> Epoch:
    """Items changed by ``forge`` under a hash that fits, every payout naming its order anew."""
    items = forge(list(epoch.items))
    orders = [item for item in items if item[0].auxiliary[4] != 3]
    paid = [debit for debit, amounts in orders if amounts[0]]
    payouts = [item for item in items if item[0].auxiliary[4] == 3]
    renamed = [
        (replace(debit, auxiliary=terms(3, pays=target.order_id)), amounts)
        for (debit, amounts), target in zip(payouts, paid, strict=True)
    ]
    return epoch.with_items(orders + renamed)


def at_alice(**fields: Any) -> Forge:
    return lambda items: edited(items, place_of(items, ALICE, 1), **fields)


LAWS: dict[str, tuple[Forge, str]] = {
    "nonce skipped": (at_alice(nonce=2), "NONCE"),
    "nonce used": (at_alice(nonce=0), "NONCE"),
    "more than allowed": (at_alice(allowances={TOKENS["USD"]: 4_999_999}), "ALLOWANCE"),
    "payout nonce skipped": (lambda items: edited(items, -1, nonce=3), "NONCE"),
    "payout nonce twice": (lambda items: edited(items, -1, nonce=1), "NONCE"),
    "more than held": (
        at_alice(allowances={TOKENS["USD"]: 1 << 40}, amount=100_000_001), "BALANCE",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_a_global_law_is_broken(world: World, name: str) -> None:
    forge, code = LAWS[name]
    epoch, before = valid(world), world.snapshot()
    assert_fails(world, world.bring(rebuilt(epoch, forge)), before, code)


def test_an_order_debits_the_own_shard_only(world: World) -> None:
    epoch, before = valid(world), world.snapshot()
    forge = at_alice(shard=2)
    forged = rebuilt(epoch, forge)
    items = [
        (replace(d, credited=(ALICE.owner, 2)) if d.credited == ALICE.vault() else d, a)
        for d, a in forged.items
    ]
    assert_fails(world, world.bring(replace(forged, items=items)), before, "SHARD")


def test_the_pool_cannot_pay_more_than_it_holds(world: World) -> None:
    epoch, before = valid(world), world.snapshot()
    huge = HOLDERS[POOL] + 10_000_000
    last = epoch.items[-1][0]
    token = next(iter(last.allowances))
    forged = rebuilt(epoch, lambda items: edited(items, -1, huge, allowances={token: huge}))
    assert_fails(world, world.bring(forged), before, "BALANCE")


@pytest.mark.parametrize(
    "change",
    [
        lambda diffs: diffs[1:],
        lambda diffs: [*diffs, diffs[0]],
        lambda diffs: [{**diffs[0], "new_nonce": 9}, *diffs[1:]],
        lambda diffs: [{**diffs[0], "new_nonce": None}, *diffs[1:]],
        lambda diffs: [{**diffs[0], "tokens": {}}, *diffs[1:]],
        lambda diffs: [{**diffs[0], "tokens": 1}, *diffs[1:]],
        lambda diffs: [{"vault": diffs[0]["vault"]}, *diffs[1:]],
        lambda diffs: {},
        lambda diffs: None,
        lambda diffs: [None],
    ],
)
def test_aggregated_differences_are_recomputed(world: World, change: Any) -> None:
    epoch, before = valid(world), world.snapshot()
    # Bob's row first: it has a nonce and two tokens.
    diffs = sorted(epoch.transaction()["diffs"], key=lambda row: -len(row["tokens"]))
    record = world.bring(epoch, epoch.transaction(diffs=change(diffs)))
    assert_fails(world, record, before, "AGGREGATION")


# Mints


def test_supply_grows_by_what_is_minted(world: World) -> None:
    record = world.issue([(Mint(MINTS["USD"], 2, ((BOB.vault(), 5), (BOB.vault(), 6))), ())])
    assert record.status == "applied"
    assert world.chain.ledger.supplies()[TOKENS["USD"]] == (sum(HOLDERS.values()) + 11,) * 2


MINT_ERRORS: dict[str, tuple[Mint, str]] = {
    "nonce": (Mint(MINTS["USD"], 3, ((POOL, 1),)), "NONCE"),
    "created twice": (Mint(MINTS["USD"], 2, ((POOL, 1),), "USD"), "VAULT_KIND"),
    "created in a vault that holds tokens": (Mint(ALICE, 1, ((POOL, 1),), "A"), "VAULT_KIND"),
    "grown before created": (Mint(STRANGER, 1, ((POOL, 1),)), "TOKEN"),
    "credited to a mint": (Mint(STRANGER, 1, ((TOKENS["USD"], 1),), "S"), "VAULT_KIND"),
    "other shard": (Mint(STRANGER, 1, ((POOL, 1),), "S", shard=2), "SHARD"),
    "one credit too large": (Mint(STRANGER, 1, ((POOL, 1 << 63),), "S"), "RANGE"),
    "supply too large": (
        Mint(STRANGER, 1, ((POOL, (1 << 63) - 1), (BOB.vault(), (1 << 63) - 1), (POOL, 2)), "S"),
        "SUPPLY",
    ),
}


@pytest.mark.parametrize("name", MINT_ERRORS)
def test_a_mint_is_refused(world: World, name: str) -> None:
    mint, code = MINT_ERRORS[name]
    before = world.snapshot()
    assert_fails(world, world.issue([(mint, ())]), before, code)


def test_a_mint_with_the_largest_supply_is_applied(world: World) -> None:
    credits = ((POOL, (1 << 63) - 1), (BOB.vault(), (1 << 63) - 1), (ALICE.vault(), 1))
    assert world.issue([(Mint(STRANGER, 1, credits, "S"), ())]).status == "applied"


def test_a_difference_beyond_64_bits_cannot_be_aggregated(world: World) -> None:
    before = world.snapshot()
    mint = Mint(STRANGER, 1, ((POOL, (1 << 63) - 1), (POOL, 1)), "S")
    assert_fails(world, world.issue([(mint, ())]), before, "AGGREGATION")


def test_a_mint_with_a_wrong_hash_or_difference_fails(world: World) -> None:
    before = world.snapshot()
    mint = Mint(MINTS["USD"], 2, ((POOL, 1),))
    transaction = sdl_transaction([(mint, ())], bytes(32))
    world.chain.submit_sdl(transaction)
    record = world.chain.submit_proof(proof_transaction(bytes(32), b""))
    assert_fails(world, record, before, "SDL_HASH")
    assert_fails(world, world.issue([(mint, ())], diffs=[]), before, "AGGREGATION")


def test_a_vault_of_no_token_may_cancel(world: World) -> None:
    record = world.bring(clear(1, [Fill(cancel(STRANGER, 1, "USD"))], world.books))
    assert record.status == "applied"
    assert world.chain.ledger.accounts[STRANGER.vault()].nonce == 1


# Transactions that are no transactions


def broken(path: tuple[Any, ...], value: Any) -> Callable[[Any], Any]:
    return at(*path, value=value)


MALFORMED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no object": (lambda body: [body], "SCHEMA"),
    "key missing": (broken(("diffs",), ...), "SCHEMA"),
    "key too many": (broken(("more",), 1), "SCHEMA"),
    "hash": (broken(("sdl_hash",), "0"), "SCHEMA"),
    "shard 0": (broken(("shard",), 0), "SCHEMA"),
    "shard true": (broken(("shard",), True), "SCHEMA"),
    "key": (broken(("operator_key",), "00"), "SCHEMA"),
    "upper case": (broken(("operator_key",), OPERATOR.public.hex().upper()), "SCHEMA"),
    "no items": (broken(("items",), []), "SCHEMA"),
    "item": (broken(("items", 0), 1), "SCHEMA"),
    "kind": (broken(("items", 0, "kind"), "nft"), "SCHEMA"),
    "debit as mint": (broken(("items", 0, "kind"), "mint"), "CODEC"),
    "no amount": (broken(("items", 0, "executed"), []), "SCHEMA"),
    "amounts": (broken(("items", 0, "executed"), {}), "SCHEMA"),
    "amounts null": (broken(("items", 0, "executed"), None), "SCHEMA"),
    "negative": (broken(("items", 0, "executed"), [-1]), "SCHEMA"),
    "float": (broken(("items", 0, "executed"), [1.0]), "SCHEMA"),
    "payload": (broken(("items", 0, "payload"), "zz"), "SCHEMA"),
    "payload cut": (broken(("items", 0, "payload"), "00" * 40), "CODEC"),
    "signature": (broken(("items", 0, "signature"), "00"), "SCHEMA"),
    "operator's signature": (broken(("signature",), None), "SCHEMA"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_transaction_is_not_taken(world: World, name: str) -> None:
    change, code = MALFORMED[name]
    body = change(through_json(valid(world).transaction()))
    with pytest.raises(Invalid) as caught:
        world.chain.submit_sdl(body)
    assert caught.value.code == code
    assert b58(bytes(32)) not in world.chain.sdls
