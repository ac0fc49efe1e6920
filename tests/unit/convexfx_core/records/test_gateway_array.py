"""The array for the gateway against the one made object by object; what is never sent."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from convexfx_core.admission.book import Batch
from convexfx_core.errors import ExecutionError
from convexfx_core.identity import Address, OwnerId
from convexfx_core.ledger.diff_checks import check_diffs
from convexfx_core.orders.payload import Allowance, DebitAllowance
from convexfx_core.orders.signed import Domain, UnsignedOrder, order_payload
from convexfx_core.orders.terms import Terms, payout_terms
from convexfx_core.records.gateway_array import payout_payloads, verifiables_with_diffs
from convexfx_core.transition import EpochResult
from convexfx_core.wire.orders import verifiable_json
from convexfx_core.wire.vaults import VERIFIABLES_WITH_DIFFS
from tests.support.witnesses.epochs import (
    Epoch,
    nothing_consumed,
    only_cancels,
    plain_epoch,
    rationed_epoch,
)
from tests.support.witnesses.forge import edited

POOL_KEY = bytes(range(32))
EPOCHS = (plain_epoch, rationed_epoch, only_cancels, nothing_consumed)


def token_diffs(vault: Address, amounts: dict[Address, int]) -> dict[str, Any]:
    diffs = {str(token): {"Fungible": amount} for token, amount in amounts.items()}
    return {"address": str(vault), "operation": {"TokenDiffs": diffs}}


@cache
def signed(make: object) -> tuple[Epoch, EpochResult]:
    """An epoch whose orders have payloads, and keys and signatures that nobody looks at."""
    assert callable(make)
    epoch: Epoch = make()
    domain = domain_of(epoch)
    payloads = [order_payload(domain, unsigned(row)) for row in epoch.batch.orders.rows]
    rng = np.random.default_rng(1)
    count = len(payloads)
    orders = replace(
        epoch.batch.orders,
        payloads=np.frombuffer(b"".join(payloads), np.uint8).reshape(count, 272),
        pub_keys=rng.integers(0, 256, (count, 32), dtype=np.uint8),
        signatures=rng.integers(0, 256, (count, 64), dtype=np.uint8),
    )
    epoch = replace(epoch, batch=replace(epoch.batch, orders=orders))
    return epoch, epoch.apply()


def domain_of(epoch: Epoch) -> Domain:
    opening = epoch.opening
    pool = Address(opening.pool.owner, opening.shard)
    return Domain(opening.network_id, pool, opening.registry)


def unsigned(row: np.void) -> UnsignedOrder:
    kind, receive = int(row["kind"]), int(row["receive"])
    limit = int(row["limit_kind"]), int(row["limit_e"]), int(row["limit_m"])
    terms = Terms(kind, receive, *limit, int(row["min_fill"]), int(row["valid_until"]))
    owner = OwnerId(row["owner"].tobytes())
    return UnsignedOrder(owner, int(row["nonce"]), int(row["pay"]), int(row["budget"]), terms)


def payouts_one_by_one(epoch: Epoch, result: EpochResult) -> list[DebitAllowance]:
    domain, payouts = domain_of(epoch), result.payouts
    return [
        DebitAllowance(
            network_id=domain.network_id,
            debited=domain.pool,
            credited=Address(OwnerId(payouts.owners[k].tobytes()), domain.pool.shard),
            new_nonce=epoch.opening.pool.nonce + 1 + k,
            allowances=(
                Allowance(domain.registry[int(payouts.asset[k])].token, int(payouts.amount[k])),
            ),
            auxiliary=payout_terms(payouts.order_ids[k].tobytes()).to_bytes(),
        )
        for k in range(len(payouts))
    ]


def signatures_for(result: EpochResult) -> list[bytes]:
    return [bytes([k % 256]) * 64 for k in range(len(result.payouts))]


def sent(batch: Batch, epoch: Epoch, result: EpochResult) -> list[dict[str, object]]:
    return verifiables_with_diffs(epoch.opening, batch, result, POOL_KEY, signatures_for(result))


def one_by_one(epoch: Epoch, result: EpochResult) -> list[dict[str, object]]:
    pool, found = domain_of(epoch).pool, []
    orders = epoch.batch.orders.take(result.consumed)
    for k in range(len(orders)):
        allowance = DebitAllowance.from_bytes(orders.payloads[k].tobytes())
        key, signature = orders.pub_keys[k].tobytes(), orders.signatures[k].tobytes()
        token, paid = allowance.allowances[0].token, int(result.fills.paid[k])
        diffs = [token_diffs(allowance.debited, {token: -paid})]
        if paid:
            diffs.append(token_diffs(pool, {token: paid}))
        verifiable = verifiable_json(allowance, key, signature)
        found.append({"verifiable": verifiable, "state_diffs": diffs})
    for payout, signature in zip(
        payouts_one_by_one(epoch, result), signatures_for(result), strict=True
    ):
        (token, amount), user = payout.allowances[0], payout.credited
        diffs = [token_diffs(pool, {token: -amount}), token_diffs(user, {token: amount})]
        verifiable = verifiable_json(payout, POOL_KEY, signature)
        found.append({"verifiable": verifiable, "state_diffs": diffs})
    return found


@pytest.mark.parametrize("make", EPOCHS)
def test_payout_payloads_are_the_bytes_of_their_allowances(make: object) -> None:
    epoch, result = signed(make)
    expected = [payout.to_bytes() for payout in payouts_one_by_one(epoch, result)]
    assert payout_payloads(epoch.opening, result) == expected
    assert len(expected) == result.public_values.n_fills


@pytest.mark.parametrize("make", EPOCHS)
def test_the_array_equals_the_one_made_object_by_object(make: object) -> None:
    epoch, result = signed(make)
    array = sent(epoch.batch, epoch, result)
    assert array == one_by_one(epoch, result)
    assert len(VERIFIABLES_WITH_DIFFS.validate_python(array)) == len(array)


def test_diffs_of_every_verifiable_sum_to_zero_by_token() -> None:
    epoch, result = signed(plain_epoch)
    for item in sent(epoch.batch, epoch, result):
        totals: dict[str, int] = {}
        for diff in list(item["state_diffs"]):
            for token, amount in diff["operation"]["TokenDiffs"].items():
                totals[token] = totals.get(token, 0) + amount["Fungible"]
        assert set(totals.values()) == {0}


@pytest.mark.parametrize("wrong", ["one fewer", "one more", "short"])
def test_payout_signatures_must_be_one_each(wrong: str) -> None:
    epoch, result = signed(plain_epoch)
    good = signatures_for(result)
    bad = {"one fewer": good[:-1], "one more": [*good, good[0]], "short": [*good[:-1], b"\0" * 63]}
    with pytest.raises(ExecutionError) as error:
        verifiables_with_diffs(epoch.opening, epoch.batch, result, POOL_KEY, bad[wrong])
    assert error.value.code == "MESSAGE_FORMAT"


def refused(result: EpochResult, **changes: object) -> str:
    made = {
        "diffs": result.diffs,
        "verifiables": len(result.fills.rows) + len(result.payouts),
        "pool": result.pool_before,
        "vaults": result.touched_before,
    } | changes
    with pytest.raises(ExecutionError) as error:
        check_diffs(**made)
    return error.value.line()


@pytest.mark.parametrize("make", EPOCHS)
def test_diffs_of_an_epoch_may_be_sent(make: object) -> None:
    _, result = signed(make)
    count = len(result.fills.rows) + len(result.payouts)
    check_diffs(result.diffs, count, result.pool_before, result.touched_before)


def test_a_vault_that_is_not_there() -> None:
    _, result = signed(plain_epoch)
    rows = edited(result.diffs, 3, vault=len(result.touched_before) + 1)
    line = "Execution failed: VAULT_MISSING: diff row 3: expected a known vault"
    assert refused(result, diffs=rows) == line


def test_an_asset_that_is_not_there() -> None:
    _, result = signed(plain_epoch)
    line = "Execution failed: ASSET_UNKNOWN: diff row 5: expected below 4"
    assert refused(result, diffs=edited(result.diffs, 5, asset=4)) == line


def test_a_verifiable_without_diffs() -> None:
    _, result = signed(plain_epoch)
    count = len(result.fills.rows) + len(result.payouts)
    message = f"TOKENS_EMPTY: verifiables: expected diffs for each of {count + 1}, in order"
    assert message in refused(result, verifiables=count + 1)
    assert "TOKENS_EMPTY: verifiables" in refused(result, diffs=result.diffs[2:])
    assert "TOKENS_EMPTY: verifiables" in refused(result, diffs=result.diffs[::-1])


@pytest.mark.parametrize(
    ("field", "value"), [("amount", -1), ("asset", 1), ("kind", 2), ("amount", 1)]
)
def test_a_verifiable_that_does_not_balance(field: str, value: int) -> None:
    _, result = signed(plain_epoch)
    idle = int(np.flatnonzero(result.diffs["amount"] == 0)[0])
    row = idle if field in ("amount", "kind") else 1
    rows = edited(result.diffs, row, **{field: value})
    place = int(result.diffs["position"][row])
    assert f"TOKENS_EMPTY: verifiable {place}" in refused(result, diffs=rows)


def test_a_credit_may_not_stand_first() -> None:
    _, result = signed(plain_epoch)
    rows = result.diffs.copy()
    rows["amount"][:2] = rows["amount"][1::-1]
    assert "TOKENS_EMPTY: verifiable 0" in refused(result, diffs=rows)


def test_a_nonce_that_is_not_the_next_one() -> None:
    _, result = signed(plain_epoch)
    rows = edited(result.diffs, 0, new_nonce=2)
    assert "NONCE_NOT_NEXT: verifiable 0: expected 1, found 2" in refused(result, diffs=rows)
    pool = replace(result.pool_before, nonce=result.pool_before.nonce + 1)
    first = len(result.fills.rows)
    assert f"NONCE_NOT_NEXT: verifiable {first}" in refused(result, pool=pool)


def test_a_vault_that_cannot_pay() -> None:
    _, result = signed(plain_epoch)
    vaults = result.touched_before
    poor = vaults.balances.copy()
    asset = int(result.diffs["asset"][0])
    poor[0, asset] = 0
    expected = f"BALANCE: asset {asset} of vault 0: expected enough balance"
    assert expected in refused(result, vaults=replace(vaults, balances=poor))


def test_a_pool_that_cannot_pay_and_one_that_just_can() -> None:
    _, result = signed(plain_epoch)
    before, after = result.pool_before.balances, result.pool_after.balances
    asset = next(i for i, (b, a) in enumerate(zip(before, after, strict=True)) if a < b)
    count = len(result.fills.rows) + len(result.payouts)

    def pool(change: int) -> object:
        held = before[asset] - after[asset] + change
        return replace(result.pool_before, balances=(*before[:asset], held, *before[asset + 1 :]))

    check_diffs(result.diffs, count, pool(0), result.touched_before)
    assert f"BALANCE: asset {asset} of the pool" in refused(result, pool=pool(-1))
