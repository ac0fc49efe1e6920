"""``convexfx_core.execute`` on signed orders: the answer, and each way to be refused."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import nacl.signing
import pytest

import convexfx_core
from convexfx_core.errors import ExecutionError
from convexfx_core.execution import ExecutionState
from convexfx_core.identity import Address, OwnerId, owner_id, verify_signature
from convexfx_core.ledger.vaults import Opening, PoolState, VaultTable
from convexfx_core.orders.payload import DebitAllowance
from convexfx_core.orders.signed import Domain, UnsignedOrder, order_payload
from convexfx_core.orders.terms import Terms, cancel_terms, limit_from_ratio, order_terms
from convexfx_core.wire.orders import debit_allowance, ed25519_parts, verifiable_json
from convexfx_core.wire.vaults import VerifiableWithDiffs
from tests.support.epoch_cases import params_of_three, reference_of_three, registry_of_three

UNIT = 10**6
USD, EUR, JPY = range(3)


@dataclass(frozen=True)
class Wallet:
    key: nacl.signing.SigningKey

    @property
    def public(self) -> bytes:
        return bytes(self.key.verify_key)

    @property
    def owner(self) -> OwnerId:
        return owner_id(self.public)

    def sign(self, payload: bytes) -> bytes:
        return self.key.sign(payload).signature


OPERATOR, ALICE, BOB = (Wallet(nacl.signing.SigningKey(bytes([k]) * 32)) for k in (1, 2, 3))


def opening() -> Opening:
    params = params_of_three()
    held = (1_000 * UNIT, 1_000 * UNIT, 1_000 * UNIT)
    return Opening(
        b"\x07" * 32,
        1,
        5,
        params,
        registry_of_three(),
        reference_of_three(params),
        PoolState(OPERATOR.owner, 3, params.target, (0, 0, 0)),
        VaultTable.from_rows([(w.owner, n, held) for w, n in ((ALICE, 0), (BOB, 6))], 3),
    )


def domain(**changes: Any) -> Domain:
    start = opening()
    parts = {
        "network_id": start.network_id,
        "pool": Address(start.pool.owner, start.shard),
        "registry": start.registry,
    }
    return Domain(**(parts | changes))


def verifiable(
    wallet: Wallet, nonce: int, pay: int, budget: int, terms: Terms, at: Domain | None = None
) -> dict[str, Any]:
    order = UnsignedOrder(wallet.owner, nonce, pay, budget * UNIT, terms)
    payload = order_payload(at or domain(), order)
    allowance = DebitAllowance.from_bytes(payload)
    return verifiable_json(allowance, wallet.public, wallet.sign(payload))


def market(receive: int) -> Terms:
    return order_terms(receive=receive, limit=None, min_fill=0, valid_until=0)


def limit(receive: int, ratio: str) -> Terms:
    terms = limit_from_ratio(Decimal(ratio), 6, 6)
    return order_terms(receive=receive, limit=terms, min_fill=0, valid_until=0)


def state() -> ExecutionState:
    return ExecutionState(opening(), OPERATOR.public, OPERATOR.sign)


def executed(*verifiables: dict[str, Any]) -> tuple[VerifiableWithDiffs, ...]:
    found: tuple[VerifiableWithDiffs, ...] = convexfx_core.execute(verifiables, state())
    return found


def moved(found: VerifiableWithDiffs) -> list[tuple[OwnerId, int]]:
    """(owner, amount) of each diff."""
    return [
        (diff.address.owner, amount.Fungible)
        for diff in found.state_diffs
        for amount in diff.operation.TokenDiffs.values()
    ]


def test_a_fill_is_an_allowance_and_a_payout() -> None:
    allowance, payout = executed(verifiable(ALICE, 1, USD, 110, market(EUR)))
    assert moved(allowance) == [(ALICE.owner, -110 * UNIT), (OPERATOR.owner, 110 * UNIT)]
    (pool, sent), (user, received) = moved(payout)
    assert (pool, user, sent) == (OPERATOR.owner, ALICE.owner, -received)
    assert 99 * UNIT < received < 100 * UNIT
    assert payout.verifiable.DebitAllowance.payload.content.new_nonce == 4


def test_the_answer_does_not_depend_on_the_sequence_and_payouts_come_last() -> None:
    orders = [
        verifiable(ALICE, 1, USD, 110, market(EUR)),
        verifiable(BOB, 7, EUR, 5, market(JPY)),
        verifiable(ALICE, 2, JPY, 500, market(USD)),
        verifiable(BOB, 8, USD, 0, cancel_terms()),
    ]
    found = executed(*orders)
    assert found == executed(*orders[::-1])
    amounts = [moved(item)[0][1] for item in found]
    assert sorted(amounts[:4]) == [-500 * UNIT, -110 * UNIT, -5 * UNIT, 0]
    owners = [moved(item)[0][0] for item in found]
    assert owners[4:] == [OPERATOR.owner] * 3
    assert owners[:4] == sorted(owners[:4])


def test_payouts_carry_the_operators_signature() -> None:
    *_, payout = executed(verifiable(ALICE, 1, USD, 110, market(EUR)))
    key, signature = ed25519_parts(payout.verifiable.DebitAllowance.signature)
    payload = debit_allowance(payout.verifiable, key, opening().network_id).to_bytes()
    assert key == OPERATOR.public
    assert verify_signature(key, payload, signature)


def test_an_order_that_is_left_is_not_in_the_answer() -> None:
    assert executed(verifiable(ALICE, 1, USD, 110, limit(EUR, "0.5"))) == ()
    unfilled = verifiable(ALICE, 1, USD, 110, limit(EUR, "0.5"))
    found = executed(unfilled, verifiable(ALICE, 2, USD, 110, market(EUR)))
    assert [moved(item)[0][1] for item in found[:2]] == [0, -110 * UNIT]


def test_nothing_in_nothing_out() -> None:
    assert executed() == ()


def stranger() -> dict[str, Any]:
    return verifiable(Wallet(nacl.signing.SigningKey(b"\x09" * 32)), 1, USD, 1, market(EUR))


def forged() -> dict[str, Any]:
    good = verifiable(ALICE, 1, USD, 1, market(EUR))
    good["DebitAllowance"]["payload"]["content"]["new_nonce"] = 2
    return good


def unknown_asset() -> dict[str, Any]:
    good = verifiable(ALICE, 1, USD, 1, market(EUR))
    content = good["DebitAllowance"]["payload"]["content"]
    (amount,) = content["allowances"].values()
    content["allowances"] = {str(Address(OwnerId(b"\x44" * 32), 1)): amount}
    return good


REFUSED: dict[str, Callable[[], list[Any]]] = {
    "MESSAGE_FORMAT": lambda: [forged()],
    "ASSET_UNKNOWN": lambda: [unknown_asset()],
    "VAULT_MISSING": lambda: [stranger()],
    "BALANCE": lambda: [verifiable(ALICE, 1, USD, 1_001, market(EUR))],
    "NONCE_NOT_NEXT": lambda: [verifiable(ALICE, 2, USD, 1, market(EUR))],
}


@pytest.mark.parametrize("code", REFUSED)
def test_refusals_have_codes(code: str) -> None:
    with pytest.raises(ExecutionError) as error:
        executed(*REFUSED[code]())
    assert error.value.code == code
    assert error.value.line().startswith(f"Execution failed: {code}: ")


def test_neighbours_of_the_refusals_are_executed() -> None:
    assert len(executed(verifiable(ALICE, 1, USD, 1_000, market(EUR)))) == 2
    assert len(executed(verifiable(BOB, 7, USD, 1, market(EUR)))) == 2


def test_a_used_nonce_and_a_taken_one() -> None:
    for bad in (
        [verifiable(BOB, 6, USD, 1, market(EUR))],
        [verifiable(ALICE, 1, USD, budget, market(EUR)) for budget in (1, 2)],
    ):
        with pytest.raises(ExecutionError) as error:
            executed(*bad)
        assert error.value.code == "NONCE_NOT_NEXT"


def test_another_network_or_pool_is_not_a_message_of_ours() -> None:
    for at in (domain(network_id=b"\x08" * 32), domain(pool=Address(ALICE.owner, 1))):
        with pytest.raises(ExecutionError) as error:
            executed(verifiable(ALICE, 1, USD, 1, market(EUR), at))
        assert error.value.code == "MESSAGE_FORMAT"


def test_one_bad_verifiable_names_its_place_and_stops_all() -> None:
    with pytest.raises(ExecutionError, match="verifiable 1: signature"):
        executed(verifiable(BOB, 7, USD, 1, market(EUR)), forged())


def test_the_core_loads_no_solver_until_it_executes() -> None:
    code = (
        "import sys, convexfx_core.laws, convexfx_core.transition; "
        "print(any(m.startswith('convexfx_core.clearing') or m == 'cvxpy' for m in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
    with pytest.raises(AttributeError):
        _ = convexfx_core.no_such_name
