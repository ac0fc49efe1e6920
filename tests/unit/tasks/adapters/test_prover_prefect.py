"""Proofs asked for as flow runs: when another run is started, when the failure is final."""

from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Completed, Crashed, Failed, Pending, Running, State

from convexfx_core.errors import CommitUnknown, ExecutionError, LawViolated, PeerUnreachable
from tasks.adapters import prover_prefect
from tasks.adapters.clock import ManualClock
from tasks.adapters.memory import MemoryStore
from tasks.adapters.prover_local import raise_failure, store_failure, stored_proof
from tasks.adapters.prover_prefect import ATTEMPTS_MAX, PrefectProver, proving_here
from tasks.objects import Ref, proof_prefix
from tasks.ports import Json, Progress, ProofJob, ProofResult, no_progress
from tasks.proof_job import claim_job
from tasks.prove import await_result

WITNESS = Ref(key="epochs/00000001/witness.bin", sha256="11" * 32)


@dataclass
class Runs:
    """What the server answers: a state for each attempt; runs by idempotency key."""

    states: list[State[Any]]
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, name: str, **options: Any) -> FlowRun:
        assert name == "prove/prove"
        key = options["idempotency_key"]
        self.asked[key] = options
        place = int(key.rsplit("-", 1)[1])
        state = self.states[min(place, len(self.states) - 1)]
        return FlowRun(flow_id="00000000-0000-0000-0000-000000000001", state=state)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def job(store: MemoryStore, epoch: int = 1, mode: str = "core") -> ProofJob:
    return claim_job(store, b"\1" * 32, b"\2" * 32, mode, epoch, WITNESS)


def asked(monkeypatch: pytest.MonkeyPatch, *states: State[Any]) -> Runs:
    runs = Runs(list(states))
    monkeypatch.setattr(prover_prefect, "run_deployment", runs)
    return runs


@pytest.mark.parametrize("state", [Pending(), Running(), Completed()])
def test_a_run_under_way_or_done_is_not_followed_by_another(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, state: State[Any]
) -> None:
    runs, wanted = asked(monkeypatch, state), job(store)
    for _ in range(3):
        PrefectProver(store).request(wanted)
    assert list(runs.asked) == [f"{wanted.job_id}-core-0"]
    assert runs.asked[f"{wanted.job_id}-core-0"]["parameters"] == {"job": asdict(wanted)}


@pytest.mark.parametrize("ended", [Failed(), Crashed()])
def test_a_run_that_ended_without_a_proof_is_followed_by_another(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, ended: State[Any]
) -> None:
    runs, wanted = asked(monkeypatch, ended, ended, Running()), job(store)
    PrefectProver(store).request(wanted)
    assert list(runs.asked) == [f"{wanted.job_id}-core-{n}" for n in range(3)]


def test_runs_that_all_end_are_a_prover_that_cannot_be_reached(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = asked(monkeypatch, Failed())
    with pytest.raises(PeerUnreachable, match="a proof within 20 runs"):
        PrefectProver(store).request(job(store))
    assert len(runs.asked) == ATTEMPTS_MAX


def test_a_server_that_does_not_answer_is_named(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> FlowRun:
        raise httpx.ConnectError("connection refused")

    monkeypatch.setattr(prover_prefect, "run_deployment", down)
    with pytest.raises(PeerUnreachable, match="a server with the deployment prove/prove"):
        PrefectProver(store).request(job(store))


def test_a_server_that_is_overloaded_is_not_reached(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = httpx.Response(503, request=httpx.Request("POST", "http://127.0.0.1/api/x"))

    def busy(*_: Any, **__: Any) -> FlowRun:
        raise PrefectHTTPStatusError("Server error '503'\nmore", request=answer.request,
                                     response=answer)  # fmt: skip

    monkeypatch.setattr(prover_prefect, "run_deployment", busy)
    with pytest.raises(PeerUnreachable, match=r"found Server error '503'$"):
        PrefectProver(store).request(job(store))


class Flaky:
    """A prover that cannot be reached at some of its requests; the proof comes at a moment."""

    def __init__(self, clock: ManualClock, fails: set[int], there_after_s: float) -> None:
        self.clock, self.fails = clock, fails
        self.end = clock.now().timestamp() + there_after_s
        self.requests = 0

    def request(self, job: ProofJob, progress: Progress = no_progress) -> None:
        self.requests += 1
        if self.requests in self.fails:
            raise PeerUnreachable("Prefect", "an answer", "503")

    def result(self, job: ProofJob) -> ProofResult | None:
        there = self.clock.now().timestamp() >= self.end
        return ProofResult("proof.bin", "proof.json", {}) if there else None


def test_a_proof_that_is_awaited_outlives_a_server_that_does_not_answer(
    store: MemoryStore,
) -> None:
    clock = ManualClock()
    prover = Flaky(clock, {2, 3, 4}, there_after_s=65)
    assert await_result(prover, clock, job(store)).proof_key == "proof.bin"
    assert prover.requests == 7, "one at once, one every ten seconds"


@pytest.mark.parametrize(("there_after_s", "seen_after_s"), [(0, 0), (0.04, 0.05), (3, 3.25)])
def test_a_proof_is_seen_soon_after_it_is_there(
    store: MemoryStore, there_after_s: float, seen_after_s: float
) -> None:
    """Pauses grow from a twentieth of a second to half a one."""
    clock = ManualClock()
    start, prover = clock.now(), Flaky(clock, set(), there_after_s)
    await_result(prover, clock, job(store))
    assert (clock.now() - start).total_seconds() <= seen_after_s
    assert prover.requests == (1 if there_after_s else 0), "a stored proof is not asked for"


def test_a_first_request_that_fails_is_a_failure(store: MemoryStore) -> None:
    clock = ManualClock()
    with pytest.raises(PeerUnreachable):
        await_result(Flaky(clock, {1}, there_after_s=65), clock, job(store))


class Slow(Flaky):
    """A prover whose every answer takes its time."""

    def __init__(self, clock: ManualClock, request_s: float, result_s: float) -> None:
        super().__init__(clock, set(), 1e9)
        self.request_s, self.result_s, self.results = request_s, result_s, 0

    def request(self, job: ProofJob, progress: Progress = no_progress) -> None:
        super().request(job, progress)
        self.clock.advance(self.request_s)

    def result(self, job: ProofJob) -> ProofResult | None:
        self.results += 1
        self.clock.advance(self.result_s)
        return super().result(job)


@pytest.mark.parametrize(("request_s", "result_s"), [(60.0, 0.0), (0.0, 60.0), (45.0, 15.0)])
def test_time_in_slow_calls_counts(store: MemoryStore, request_s: float, result_s: float) -> None:
    clock = ManualClock()
    prover = Slow(clock, request_s, result_s)
    with pytest.raises(CommitUnknown, match="expected a proof within 600 s"):
        await_result(prover, clock, job(store, mode="executed"))
    assert clock.monotonic() <= 600 + 2 * (request_s + result_s)
    assert prover.requests <= 11


def test_a_proof_that_is_made_while_it_is_asked_for_is_there(store: MemoryStore) -> None:
    """A prover in the same process answers when it is done, however long that takes."""

    class Thorough(Slow):
        def request(self, job: ProofJob, progress: Progress = no_progress) -> None:
            super().request(job, progress)
            self.end = 0.0

    clock = ManualClock()
    made = await_result(Thorough(clock, 5_000.0, 0.0), clock, job(store, mode="executed"))
    assert made.proof_key == "proof.bin"


def test_a_first_request_that_is_slow_and_fails_is_a_failure(store: MemoryStore) -> None:
    class Refusing(Slow):
        def request(self, job: ProofJob, progress: Progress = no_progress) -> None:
            super().request(job, progress)
            raise PeerUnreachable("Prefect", "an answer", "503")

    clock = ManualClock()
    prover = Refusing(clock, 30.0, 30.0)
    with pytest.raises(PeerUnreachable):
        await_result(prover, clock, job(store))
    assert prover.requests == 1


def test_a_proof_that_does_not_come_is_unknown(store: MemoryStore) -> None:
    clock = ManualClock()
    with pytest.raises(CommitUnknown, match="expected a proof within 600 s"):
        await_result(Flaky(clock, set(), 1e9), clock, job(store, mode="executed"))


def test_a_stored_failure_is_final(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, wanted = asked(monkeypatch, Failed()), job(store)
    store_failure(store, wanted, LawViolated(14, 3, 7, 8))
    store_failure(store, wanted, LawViolated(15, 0, 1, 2))
    for operation in (PrefectProver(store).request, PrefectProver(store).result):
        with pytest.raises(LawViolated) as caught:
            operation(wanted)
        assert (caught.value.law, caught.value.index) == (14, 3)
        assert caught.value.line() == "L14: index 3: expected 8, found 7"
    assert runs.asked == {}
    raise_failure(store, job(store, mode="compressed"))


def test_a_trapped_guest_is_final_too(store: MemoryStore) -> None:
    wanted = job(store)
    failure = ExecutionError("GUEST_TRAPPED", "guest", "exit code 0", "exit code 1")
    store_failure(store, wanted, failure)
    with pytest.raises(ExecutionError, match=r"GUEST_TRAPPED: guest: .* found exit code 1"):
        PrefectProver(store).result(wanted)


def test_a_proof_outweighs_a_failure(store: MemoryStore) -> None:
    """Two workers, one of them broken: the proof is there and is verified before it is used."""
    wanted = job(store)
    prefix = proof_prefix(wanted.job_id, "core")
    store_failure(store, wanted, LawViolated(14, 3, 7, 8))
    store.put_new(prefix + "proof.bin", b"proof")
    store.put_new(prefix + "proof.json", b'{"mode":"core"}\n')
    found = stored_proof(store, wanted)
    assert found is not None
    assert found.description == {"mode": "core"}


# Proofs made in the process that asks for them


@pytest.mark.parametrize("mode", ["attested", "executed"])
def test_a_mode_without_a_proof_is_made_here(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    runs, wanted, made = asked(monkeypatch, Running()), job(store, mode=mode), list[Json]()
    with proving_here(made.append):
        PrefectProver(store).request(wanted)
    assert (made, runs.asked) == ([asdict(wanted)], {})
    PrefectProver(store).request(wanted)
    assert (len(made), list(runs.asked)) == (1, [f"{wanted.job_id}-{mode}-0"])


@pytest.mark.parametrize("mode", ["core", "compressed", "gpu"])
def test_a_real_proof_goes_to_the_pool_even_so(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    runs, wanted, made = asked(monkeypatch, Running()), job(store, mode=mode), list[Json]()
    with proving_here(made.append):
        PrefectProver(store).request(wanted)
    assert (made, list(runs.asked)) == ([], [f"{wanted.job_id}-{mode}-0"])


def test_what_the_stage_at_hand_raises_is_raised(store: MemoryStore) -> None:
    def broken(_: Json) -> None:
        raise LawViolated(14, 3, 7, 8)

    wanted = job(store, mode="executed")
    with proving_here(broken), pytest.raises(LawViolated):
        await_result(PrefectProver(store), ManualClock(), wanted)
    store_failure(store, wanted, LawViolated(15, 0, 1, 2))
    with proving_here(broken), pytest.raises(LawViolated, match="L15"):
        PrefectProver(store).request(wanted)


# Names of jobs


def test_asking_twice_is_one_job(store: MemoryStore) -> None:
    first = job(store)
    assert job(store) == first
    assert store.list("proofs/") == (proof_prefix(first.job_id, "core") + "request.json",)


def test_modes_of_one_epoch_share_the_job_and_not_the_objects(store: MemoryStore) -> None:
    ids = {job(store, mode=mode).job_id for mode in ("attested", "executed", "core")}
    assert len(ids) == 1
    assert len(store.list("proofs/")) == 3


def test_another_witness_of_the_same_state_diffs_is_another_job(store: MemoryStore) -> None:
    first, second = job(store, 1), job(store, 2)
    assert first.job_id != second.job_id
    assert (job(store, 1), job(store, 2)) == (first, second)
    assert (first.witness_sha256, second.epoch) == (WITNESS["sha256"], 2)
