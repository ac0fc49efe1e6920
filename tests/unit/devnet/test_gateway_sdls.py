"""SDLs of the gateway: states, hashes, failures and what they do to the local view."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from devnet.gateway.jobs import Jobs, ProverSettings, envelope_problem
from devnet.gateway.refusal import Refused
from devnet.gateway.sdl import Status
from devnet.settlement.codec import Address
from tests.support.devnet_stage import ALICE, BOB, CHARLIE, HOLDERS, Stage, through_json
from tests.support.devnet_world import (
    MINTS,
    POOL,
    TOKENS,
    Debit,
    Epoch,
    Fill,
    Mint,
    b58,
    cancel,
    clear,
    general_hash,
    order,
    terms,
)

USD = TOKENS["USD"]


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage().open()
    yield stage
    stage.close()


def alice_pays(stage: Stage, number: int = 1) -> Epoch:
    nonce = stage.books.nonces.get(ALICE.owner, 0) + 1
    fill = Fill(order(ALICE, nonce, "USD", "EUR", 1_000), 1_000, 900, 1)
    return clear(number, [fill], stage.books)


def held(stage: Stage, owner: bytes) -> int:
    stage.gateway.refresh()
    vault = stage.gateway.vault(owner)
    return 0 if vault is None else vault.holdings.get(USD, 0)


def state(stage: Stage, name: str) -> Any:
    sdl = stage.gateway.sdl(name)
    assert sdl is not None
    return sdl.state_json


# States


def test_an_sdl_goes_through_all_states(stage: Stage) -> None:
    epoch, gateway = alice_pays(stage), stage.gateway
    gateway.submit(through_json(epoch.verifiables))
    name = gateway.submit_sdl()
    assert name == epoch.sdl_hash
    assert state(stage, name) == "Submitted"
    sdl = gateway.start_proving(name, epoch.envelope())
    assert state(stage, name) == "Proving"
    gateway.end_proving(sdl, envelope_problem(sdl))
    assert state(stage, name) == "Proven"
    gateway.start_submitting(name)
    assert state(stage, name) == "ProofSubmitted"
    stage.settlement.submit_proof(gateway.proof_transaction(sdl))
    gateway.end_submitting(sdl, "")
    assert state(stage, name) == "BaseLayerApplied"
    assert held(stage, ALICE.owner) == HOLDERS[ALICE.vault()] - 1_000


def test_nothing_pending_is_no_sdl(stage: Stage) -> None:
    assert stage.gateway.submit_sdl() is None


def test_everything_pending_goes_into_one_sdl(stage: Stage) -> None:
    first = Debit(ALICE, BOB.vault(), 1, {USD: 1})
    second = Debit(CHARLIE, BOB.vault(), 1, {USD: 2})
    stage.gateway.execute([first.json])
    stage.gateway.execute([second.json])
    name = stage.gateway.submit_sdl()
    assert name == b58(general_hash([first, second]))
    assert stage.gateway.pending == []
    assert stage.gateway.submit_sdl() is None


@pytest.mark.parametrize("step", ["prove", "submit_proof"])
def test_a_step_before_its_time_is_refused(stage: Stage, step: str) -> None:
    epoch, gateway = alice_pays(stage), stage.gateway
    gateway.submit(through_json(epoch.verifiables))
    name = str(gateway.submit_sdl())
    if step == "submit_proof":
        with pytest.raises(Refused, match="STATE: expected Proven, found Submitted"):
            gateway.start_submitting(name)
    gateway.start_proving(name, epoch.envelope())
    with pytest.raises(Refused, match="STATE: expected Submitted, found Proving"):
        gateway.start_proving(name, epoch.envelope())
    with pytest.raises(Refused, match="STATE: expected Proven, found Proving"):
        gateway.start_submitting(name)


def test_an_unknown_sdl_has_no_steps(stage: Stage) -> None:
    assert stage.gateway.sdl("unknown") is None
    with pytest.raises(Refused, match="SDL_UNKNOWN"):
        stage.gateway.start_proving("unknown", b"")
    with pytest.raises(Refused, match="SDL_UNKNOWN"):
        stage.gateway.start_submitting("unknown")


def test_ends_are_ends(stage: Stage) -> None:
    epoch, gateway = alice_pays(stage), stage.gateway
    stage.run(epoch)
    sdl = gateway.sdl(epoch.sdl_hash)
    assert sdl is not None
    gateway.end_proving(sdl, "late")
    gateway.end_submitting(sdl, "late")
    assert state(stage, epoch.sdl_hash) == "BaseLayerApplied"
    with pytest.raises(Refused, match="STATE"):
        gateway.start_submitting(epoch.sdl_hash)


def test_every_status_but_three_is_in_flight() -> None:
    ended = {Status.APPLIED, Status.FAILED, Status.PROVING_FAILED}
    assert {status for status in Status if not status.in_flight} == ended


# Hashes


def test_orders_and_payouts_have_the_clearing_hash(stage: Stage) -> None:
    fills = [
        Fill(order(wallet, n, "USD", "EUR", 50 + n), 40 + n, 30, 0)
        for wallet in (ALICE, BOB, CHARLIE)
        for n in range(1, 40)
    ]
    epoch = clear(1, fills, stage.books)
    stage.gateway.submit(through_json(epoch.verifiables))
    assert stage.gateway.submit_sdl() == epoch.sdl_hash


def test_the_hash_starts_at_the_pools_next_nonce(stage: Stage) -> None:
    stage.run(alice_pays(stage))
    epoch = clear(2, [Fill(cancel(BOB, 1, "USD"))], stage.books)
    stage.gateway.submit(through_json(epoch.verifiables))
    assert stage.gateway.submit_sdl() == epoch.sdl_hash


GENERAL: dict[str, list[tuple[Debit, tuple[int, ...]]]] = {
    "plain transfer": [(Debit(ALICE, BOB.vault(), 1, {USD: 5}), (5,))],
    "order to another vault": [
        (replace(order(ALICE, 1, "USD", "EUR", 5), credited=BOB.vault()), (5,))
    ],
    "order of two tokens": [
        (replace(order(ALICE, 1, "USD", "EUR", 5), allowances={USD: 5, TOKENS["JPY"]: 1}), (0, 0))
    ],
    "unsorted orders": [
        (order(wallet, 1, "USD", "EUR", 5), (0,))
        for wallet in sorted((ALICE, BOB), key=lambda w: w.owner, reverse=True)
    ],
    "unknown kind of terms": [
        (replace(order(ALICE, 1, "USD", "EUR", 5), auxiliary=terms(4)), (5,))
    ],
    "unknown version of terms": [
        (replace(order(ALICE, 1, "USD", "EUR", 5), auxiliary=b"\2" + terms(1)[1:]), (5,))
    ],
    "payout of no order": [(replace(order(ALICE, 1, "USD", "EUR", 5), auxiliary=terms(3)), (5,))],
}


@pytest.mark.parametrize("name", GENERAL)
def test_anything_else_has_the_general_hash(stage: Stage, name: str) -> None:
    items = GENERAL[name]
    bodies = [debit.executed(*amounts) for debit, amounts in items]
    stage.gateway.submit(through_json(bodies))
    assert stage.gateway.submit_sdl() == b58(general_hash([debit for debit, _ in items]))


def test_orders_beside_a_mint_have_the_general_hash(stage: Stage) -> None:
    epoch = alice_pays(stage)
    mint = Mint(MINTS["USD"], 2, ((POOL, 1),))
    stage.gateway.execute([mint.json])
    stage.gateway.submit(through_json(epoch.verifiables))
    messages = [mint, *(debit for debit, _ in epoch.items)]
    assert stage.gateway.submit_sdl() == b58(general_hash(messages))


def test_without_an_agreement_there_is_no_registry_to_clear_with() -> None:
    stage = Stage()
    message = cancel(ALICE, 1, "USD")
    stage.gateway.execute(through_json([Mint(MINTS["USD"], 1, ((POOL, 5),), "USD").json]))
    stage.settle(b"")
    stage.gateway.execute(through_json([message.json]))
    assert stage.gateway.submit_sdl() == b58(general_hash([message]))
    stage.close()


def test_the_same_sdl_twice_in_flight_is_refused(stage: Stage) -> None:
    """Only a view that was read anew can make the same list fit again; it stays one SDL."""
    epoch = alice_pays(stage)
    stage.gateway.submit(through_json(epoch.verifiables))
    name = stage.gateway.submit_sdl()
    sdl = stage.gateway.sdls.pop(str(name))
    stage.gateway.mark_stale()
    stage.gateway.submit(through_json(epoch.verifiables))
    stage.gateway.sdls[sdl.name] = sdl
    with pytest.raises(Refused, match=r"DUPLICATE: SDL .* is already Submitted"):
        stage.gateway.submit_sdl()


# Failures and the view


def test_a_failed_proof_takes_the_diffs_back(stage: Stage) -> None:
    epoch, gateway = alice_pays(stage), stage.gateway
    gateway.submit(through_json(epoch.verifiables))
    name = str(gateway.submit_sdl())
    sdl = gateway.start_proving(name, epoch.envelope())
    gateway.end_proving(sdl, "law 9 violated")
    assert state(stage, name) == {"ProvingFailed": "law 9 violated"}
    assert held(stage, ALICE.owner) == HOLDERS[ALICE.vault()]
    assert gateway.next_nonce(ALICE.owner) == 1


def test_a_refused_proof_takes_the_diffs_back_and_says_why(stage: Stage) -> None:
    epoch = alice_pays(stage)
    record = stage.run(epoch, mode="core")
    assert (record.status, record.code) == ("failed", "MODE")
    assert state(stage, epoch.sdl_hash) == "BaseLayerFailed"
    sdl = stage.gateway.sdl(epoch.sdl_hash)
    assert sdl is not None
    assert sdl.reason == "MODE"
    assert held(stage, ALICE.owner) == HOLDERS[ALICE.vault()]


def test_a_failed_sdl_can_be_made_again_under_its_hash(stage: Stage) -> None:
    epoch = alice_pays(stage)
    stage.run(epoch, mode="core")
    assert stage.run(epoch).status == "applied"
    assert list(stage.gateway.sdls).count(epoch.sdl_hash) == 1
    assert state(stage, epoch.sdl_hash) == "BaseLayerApplied"


def test_pending_intents_outlive_a_failure_where_they_still_apply(stage: Stage) -> None:
    epoch, gateway = alice_pays(stage), stage.gateway
    gateway.submit(through_json(epoch.verifiables))
    name = str(gateway.submit_sdl())
    after_alice = Debit(ALICE, BOB.vault(), 2, {USD: 3})
    alone = Debit(CHARLIE, BOB.vault(), 1, {USD: 5})
    gateway.execute([after_alice.json])
    gateway.execute([alone.json])
    sdl = gateway.start_proving(name, b"")
    gateway.end_proving(sdl, envelope_problem(sdl))
    assert held(stage, BOB.owner) == HOLDERS[BOB.vault()] + 5
    assert [batch.items[0].verifiable.nonce for batch in gateway.pending] == [1]
    assert gateway.next_nonce(ALICE.owner) == 1


def test_an_sdl_behind_a_failed_one_falls_with_it(stage: Stage) -> None:
    first, gateway = alice_pays(stage), stage.gateway
    gateway.submit(through_json(first.verifiables))
    name = str(gateway.submit_sdl())
    second = alice_pays(stage, 2)
    gateway.submit(through_json(second.verifiables))
    behind = str(gateway.submit_sdl())
    sdl = gateway.start_proving(name, first.envelope())
    gateway.end_proving(sdl, "no")
    gateway.refresh()
    assert state(stage, behind) == "BaseLayerFailed"
    assert held(stage, ALICE.owner) == HOLDERS[ALICE.vault()]


def test_two_sdls_in_flight_settle_in_their_order(stage: Stage) -> None:
    first, gateway = alice_pays(stage), stage.gateway
    gateway.submit(through_json(first.verifiables))
    gateway.submit_sdl()
    second = alice_pays(stage, 2)
    gateway.submit(through_json(second.verifiables))
    gateway.submit_sdl()
    assert stage.settle(first.envelope(), first.sdl_hash).status == "applied"
    assert stage.settle(second.envelope(), second.sdl_hash).status == "applied"


def test_an_applied_sdl_is_not_applied_to_the_view_again(stage: Stage) -> None:
    """The settlement layer has applied it, the gateway does not know yet, and reads the view."""
    epoch, gateway = alice_pays(stage), stage.gateway
    gateway.submit(through_json(epoch.verifiables))
    name = str(gateway.submit_sdl())
    sdl = gateway.start_proving(name, epoch.envelope())
    gateway.end_proving(sdl, "")
    gateway.start_submitting(name)
    stage.settlement.submit_proof(gateway.proof_transaction(sdl))
    gateway.mark_stale()
    assert held(stage, ALICE.owner) == HOLDERS[ALICE.vault()] - 1_000
    assert state(stage, name) == "ProofSubmitted"
    gateway.end_submitting(sdl, "")
    assert state(stage, name) == "BaseLayerApplied"


# The settlement layer away


def test_nothing_is_lost_while_the_settlement_layer_is_away(stage: Stage) -> None:
    epoch, gateway = alice_pays(stage), stage.gateway
    gateway.submit(through_json(epoch.verifiables))
    stage.settlement.down = True
    with pytest.raises(Refused, match="SETTLEMENT_UNREACHABLE"):
        gateway.submit_sdl()
    assert len(gateway.pending) == 1
    stage.settlement.down = False
    assert gateway.submit_sdl() == epoch.sdl_hash


def test_a_view_that_cannot_be_read_answers_nothing(stage: Stage) -> None:
    stage.gateway.mark_stale()
    stage.settlement.down = True
    with pytest.raises(Refused, match="SETTLEMENT_UNREACHABLE"):
        stage.gateway.refresh()
    with pytest.raises(Refused, match="SETTLEMENT_UNREACHABLE"):
        stage.gateway.execute([Debit(ALICE, BOB.vault(), 1, {USD: 1}).json])
    stage.gateway.watch()
    stage.settlement.down = False
    stage.gateway.refresh()
    assert held(stage, ALICE.owner) == HOLDERS[ALICE.vault()]


def test_what_the_settlement_layer_refuses_stays_pending(stage: Stage) -> None:
    """A record of the SDL as applied stands there, so it will not take it."""
    epoch, gateway = alice_pays(stage), stage.gateway
    assert stage.run(epoch).status == "applied"
    stage.chain.ledger.accounts[_account(ALICE.vault())].nonce = 0
    gateway.mark_stale()
    gateway.sdls.clear()
    body = through_json(epoch.verifiables[:1])
    gateway.submit(body)
    name = str(gateway.submit_sdl())
    stage.chain.sdls[name].status = "applied"
    gateway.sdls.clear()
    gateway.mark_stale()
    gateway.submit(body)
    with pytest.raises(Refused, match="SETTLEMENT: REPLAY"):
        gateway.submit_sdl()
    assert len(gateway.pending) == 1


def _account(vault: Any) -> Any:
    return Address(*vault)


# Jobs


def finished(jobs: Jobs) -> None:
    for thread in jobs.threads:
        thread.join(20)
        assert not thread.is_alive()


def proven(stage: Stage, jobs: Jobs, envelope: bytes | None = None) -> str:
    epoch, gateway = alice_pays(stage), stage.gateway
    gateway.submit(through_json(epoch.verifiables))
    name = str(gateway.submit_sdl())
    jobs.prove(gateway.start_proving(name, epoch.envelope() if envelope is None else envelope))
    finished(jobs)
    return name


def test_jobs_bring_an_sdl_to_its_end(stage: Stage) -> None:
    jobs = Jobs(stage.gateway, ProverSettings(), 0)
    name = proven(stage, jobs)
    assert state(stage, name) == "Proven"
    jobs.submit(stage.gateway.start_submitting(name))
    finished(jobs)
    assert state(stage, name) == "BaseLayerApplied"
    jobs.close()


def test_an_injected_failure_is_the_provers_message(stage: Stage) -> None:
    jobs = Jobs(stage.gateway, ProverSettings(failure="out of memory"), 0)
    assert state(stage, proven(stage, jobs)) == {"ProvingFailed": "out of memory"}
    jobs.close()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"format": "other"}'])
def test_a_body_that_is_no_envelope_fails_to_prove(stage: Stage, body: bytes) -> None:
    jobs = Jobs(stage.gateway, ProverSettings(), 0)
    failed = state(stage, proven(stage, jobs, body))
    assert failed["ProvingFailed"].startswith("ENVELOPE: ")
    jobs.close()


def test_a_slow_prover_is_left_behind_at_the_end(stage: Stage) -> None:
    jobs = Jobs(stage.gateway, ProverSettings(delay_s=600), 0)
    epoch, gateway = alice_pays(stage), stage.gateway
    gateway.submit(through_json(epoch.verifiables))
    name = str(gateway.submit_sdl())
    jobs.prove(gateway.start_proving(name, epoch.envelope()))
    jobs.close()
    assert state(stage, name) == "Proving"
    again = Jobs(stage.gateway, ProverSettings(), 0)
    again.start()
    finished(again)
    assert state(stage, name) == "Proven"
    again.close()


def test_a_lost_verdict_is_asked_for_and_not_sent_again(stage: Stage) -> None:
    jobs = Jobs(stage.gateway, ProverSettings(), 0)
    name = proven(stage, jobs)
    sdl = stage.gateway.start_submitting(name)
    stage.settlement.submit_proof(stage.gateway.proof_transaction(sdl))
    jobs.start()
    finished(jobs)
    assert state(stage, name) == "BaseLayerApplied"
    jobs.close()


def test_a_proof_still_at_work_when_asked_for_is_no_failure(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first POST is lost, and applied only after the gateway has asked."""
    jobs = Jobs(stage.gateway, ProverSettings(), 0)
    name = proven(stage, jobs)
    sdl = stage.gateway.start_submitting(name)
    ask, late = stage.settlement.sdl, [stage.gateway.proof_transaction(sdl)]

    def answer(asked: str) -> Any:
        found = ask(asked)
        if late:
            stage.settlement.submit_proof(late.pop())
        return found

    monkeypatch.setattr(stage.settlement, "sdl", answer)
    jobs.submit(sdl)
    finished(jobs)
    assert state(stage, name) == "BaseLayerApplied"
    jobs.close()


def test_a_settlement_layer_that_forgot_the_sdl_fails_it(stage: Stage) -> None:
    jobs = Jobs(stage.gateway, ProverSettings(), 0)
    name = proven(stage, jobs)
    stage.chain.sdls.clear()
    jobs.submit(stage.gateway.start_submitting(name))
    finished(jobs)
    sdl = stage.gateway.sdl(name)
    assert sdl is not None
    assert (sdl.state_json, sdl.reason[:11]) == ("BaseLayerFailed", "SDL_UNKNOWN")
    jobs.close()


def test_the_reason_of_a_failure_is_kept(stage: Stage) -> None:
    jobs = Jobs(stage.gateway, ProverSettings(), 0)
    epoch, gateway = alice_pays(stage), stage.gateway
    gateway.submit(through_json(epoch.verifiables))
    name = str(gateway.submit_sdl())
    jobs.prove(gateway.start_proving(name, epoch.claiming(epoch=bytes(8)).envelope()))
    finished(jobs)
    jobs.submit(gateway.start_submitting(name))
    finished(jobs)
    sdl = gateway.sdl(name)
    assert sdl is not None
    assert sdl.reason.startswith("PV_MISMATCH:epoch: derived 1")
    jobs.close()


def test_a_refused_transaction_ends_the_sdl(stage: Stage) -> None:
    jobs = Jobs(stage.gateway, ProverSettings(), 0)
    name = proven(stage, jobs)
    stage.chain.sdls[name].transaction = None
    jobs.submit(stage.gateway.start_submitting(name))
    finished(jobs)
    sdl = stage.gateway.sdl(name)
    assert sdl is not None
    assert sdl.reason.startswith("REPLAY")
    jobs.close()
