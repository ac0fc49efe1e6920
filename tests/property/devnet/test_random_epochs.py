"""Random epochs and random damage: both sides agree, and nothing damaged is ever applied."""

import base64
import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devnet.gateway.refusal import Refused
from devnet.settlement.invalid import Invalid
from devnet.settlement.snapshot import state_json
from tests.support.devnet_stage import ALICE, BOB, CHARLIE, Stage, through_json
from tests.support.devnet_world import (
    ASSETS,
    ATTESTOR,
    OPERATOR,
    TOKENS,
    Books,
    Debit,
    Epoch,
    Fill,
    Wallet,
    cancel,
    clear,
    order,
    proof_transaction,
)

TRADERS = (ALICE, BOB, CHARLIE)
SETTINGS = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def opened() -> Any:
    stage = Stage().open()
    yield stage
    stage.close()


def fresh(opened: Stage) -> Stage:
    """A copy of an opened stage, cheaper than another genesis."""
    stage = Stage()
    stage.chain.ledger = copy.deepcopy(opened.chain.ledger)
    stage.chain.agreements = dict(opened.chain.agreements)
    stage.chain.epoch = opened.chain.epoch
    stage.books = copy.deepcopy(opened.books)
    return stage


@st.composite
def traded(draw: st.DrawFn) -> list[tuple[Wallet, str, str, int, int, int, int]]:
    """(wallet, pay, receive, budget, paid, received, fee); a cancel where the two are equal."""
    rows = []
    for _ in range(draw(st.integers(1, 9))):
        wallet = draw(st.sampled_from(TRADERS))
        pay, receive = draw(st.sampled_from(ASSETS)), draw(st.sampled_from(ASSETS))
        budget = draw(st.integers(1, 10_000))
        paid = draw(st.one_of(st.just(0), st.just(budget), st.integers(0, budget)))
        received = draw(st.integers(1, 10_000)) if paid else 0
        fee = draw(st.integers(0, 50)) if paid else 0
        rows.append((wallet, pay, receive, budget, paid, received, fee))
    return rows


def epoch_of(number: int, rows: list[Any], books: Books) -> Epoch:
    nonces = {w: books.nonces.get(w.owner, 0) for w in TRADERS}
    fills = []
    for wallet, pay, receive, budget, paid, received, fee in rows:
        nonces[wallet] += 1
        if pay == receive:
            fills.append(Fill(cancel(wallet, nonces[wallet], pay)))
        else:
            made = order(wallet, nonces[wallet], pay, receive, budget)
            fills.append(Fill(made, paid, received, fee))
    return clear(number, fills, books)


@SETTINGS
@given(st.lists(traded(), min_size=1, max_size=3))
def test_random_epochs_settle_and_both_sides_agree(opened: Stage, epochs: list[Any]) -> None:
    stage = fresh(opened)
    for number, rows in enumerate(epochs, 1):
        epoch = epoch_of(number, rows, stage.books)
        record = stage.run(epoch)
        assert (record.status, record.name) == ("applied", epoch.sdl_hash), record.message
    for wallet in (*TRADERS, OPERATOR):
        final = stage.chain.ledger.accounts[wallet.vault()]
        local = stage.gateway.vault(wallet.owner)
        assert local is not None
        expected = {
            TOKENS[asset]: held
            for asset, held in stage.books.balances[wallet.owner].items()
            if held
        }
        assert local.holdings == final.tokens == expected
        assert local.nonce == final.nonce == stage.books.nonces.get(wallet.owner, 0)
    assert all(issued == held for issued, held in stage.chain.ledger.supplies().values())
    stage.close()


def flipped(raw: bytes, bit: int) -> bytes:
    place, bit = divmod(bit % (8 * len(raw)), 8)
    return raw[:place] + bytes((raw[place] ^ (1 << bit),)) + raw[place + 1 :]


ROWS = [
    (ALICE, "USD", "EUR", 900, 900, 800, 3),
    (BOB, "EUR", "JPY", 50, 20, 30, 0),
    (BOB, "USD", "AUD", 50, 0, 0, 0),
    (CHARLIE, "GBP", "GBP", 5, 0, 0, 0),
]


@settings(SETTINGS, max_examples=250)
@given(st.data())
def test_a_flipped_bit_of_an_sdl_is_never_applied(opened: Stage, data: st.DataObject) -> None:
    """Any bit of any payload, key, signature, and any executed amount."""
    stage = fresh(opened)
    epoch = epoch_of(1, ROWS, stage.books)
    body = through_json(epoch.transaction())
    item = data.draw(st.sampled_from(body["items"]))
    field = data.draw(st.sampled_from(["payload", "pub_key", "signature", "executed"]))
    if field == "executed":
        item[field][0] ^= 1 << data.draw(st.integers(0, 20))
    else:
        bit = data.draw(st.integers(0, 8 * 272 - 1))
        item[field] = flipped(bytes.fromhex(item[field]), bit).hex()
    before = state_json(stage.chain)["vaults"]
    try:
        stage.chain.submit_sdl(body)
        ended = stage.chain.submit_proof(epoch.proof()).status
    except Invalid as refused:
        ended = refused.code
    assert ended in {"failed", "CODEC", "NETWORK", "OPERATOR_SIGNATURE"}
    assert state_json(stage.chain)["vaults"] == before
    stage.close()


BOUND = {
    "version", "domain_tag", "network_id", "shard", "params_hash", "reference_hash",
    "pre_state_root", "sdl_hash", "n_fills", "total", "post_state_root", "inventory_risk",
    "price_tracking", "fill_incentive",
}  # fmt: skip


@settings(SETTINGS, max_examples=150)
@given(st.sampled_from(sorted(BOUND)), st.integers(0, 255))
def test_a_flipped_bit_of_a_bound_public_value_is_a_mismatch(
    opened: Stage, name: str, bit: int
) -> None:
    """Even when the attestor signs the lie."""
    stage = fresh(opened)
    epoch = epoch_of(1, ROWS, stage.books)
    lying = epoch.claiming(**{name: flipped(epoch.values[name], bit)})
    stage.chain.submit_sdl(epoch.transaction())
    record = stage.chain.submit_proof(proof_transaction(epoch.values["sdl_hash"], lying.envelope()))
    objective = name in {"inventory_risk", "price_tracking", "fill_incentive"}
    assert record.code == f"PV_MISMATCH:{'total' if objective else name}"
    stage.close()


@settings(SETTINGS, max_examples=150)
@given(st.data())
def test_a_damaged_envelope_is_never_applied(opened: Stage, data: st.DataObject) -> None:
    """One character of the JSON text replaced: unreadable, refused, or the same in meaning."""
    stage = fresh(opened)
    epoch = epoch_of(1, ROWS, stage.books)
    raw = epoch.envelope()
    place = data.draw(st.integers(0, len(raw) - 1))
    damaged = raw[:place] + bytes((data.draw(st.integers(0, 255)),)) + raw[place + 1 :]
    stage.chain.submit_sdl(epoch.transaction())
    record = stage.chain.submit_proof(proof_transaction(epoch.values["sdl_hash"], damaged))
    if record.status == "applied":
        assert meaning(damaged) == meaning(raw)
    stage.close()


def meaning(raw: bytes) -> Any:
    """What an envelope says, whatever its spelling (white space, unused bits of base64)."""
    body = json.loads(raw)
    for field in ("proof", "reference"):
        body[field] = base64.b64decode(body[field])
    return body


@settings(SETTINGS, max_examples=150)
@given(st.data())
def test_a_flipped_bit_of_an_intent_is_refused(opened: Stage, data: st.DataObject) -> None:
    """The gateway rebuilds the signed bytes from JSON; whatever differs has no signature."""
    stage = fresh(opened)
    token = TOKENS["USD"]
    message = Debit(ALICE, BOB.vault(), 1, {token: 70}, b"\5" * 16)
    changed = data.draw(
        st.sampled_from(
            [
                Debit(ALICE, BOB.vault(), 1, {token: 70 ^ (1 << data.draw(st.integers(0, 20)))}),
                Debit(ALICE, BOB.vault(), 2, {token: 70}, b"\5" * 16),
                Debit(ALICE, CHARLIE.vault(), 1, {token: 70}, b"\5" * 16),
                Debit(ALICE, BOB.vault(), 1, {token: 70}, flipped(b"\5" * 16, 77)),
            ]
        )
    )
    body = through_json(changed.json)
    body["DebitAllowance"]["signature"] = through_json(message.json)["DebitAllowance"]["signature"]
    with pytest.raises(Refused, match="SIGNATURE"):
        stage.gateway.execute([body])
    assert ATTESTOR.owner != ALICE.owner
    stage.close()


TEXTS = st.text(max_size=5) | st.just("\ud800")
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner),
    max_leaves=10,
)


@settings(SETTINGS, max_examples=300)
@given(st.data())
def test_no_json_makes_the_devnet_stumble(opened: Stage, data: st.DataObject) -> None:
    """Any part of any body replaced by any JSON value: a refusal with a rule, never a traceback."""
    stage = opened
    value = data.draw(JSON_VALUES)
    epoch = epoch_of(1, ROWS, copy.deepcopy(stage.books))
    kind = data.draw(st.sampled_from(["execute", "submit", "sdl", "proof"]))
    body: Any = {
        "execute": [debit.json for debit, _ in epoch.items],
        "submit": epoch.verifiables,
        "sdl": epoch.transaction(),
        "proof": epoch.proof(),
    }[kind]
    body = through_json(body)
    target, steps = body, data.draw(st.integers(0, 6))
    parent: Any = None
    key: Any = None
    for _ in range(steps):
        if not isinstance(target, dict | list) or not target:
            break
        keys = sorted(target) if isinstance(target, dict) else list(range(len(target)))
        parent, key = target, data.draw(st.sampled_from(keys))
        target = target[key]
    if parent is None:
        body = value
    else:
        parent[key] = value
    takers = {
        "execute": stage.gateway.execute,
        "submit": stage.gateway.submit,
        "sdl": stage.chain.submit_sdl,
        "proof": stage.chain.submit_proof,
    }
    with suppress(Refused, Invalid):
        takers[kind](body)
    stage.chain.sdls.clear()
    stage.gateway.pending.clear()
    stage.gateway.mark_stale()
