"""Proofs through ``laws-host serve``: progress, failures, lost processes, who takes whose turn."""

import threading
import time
from dataclasses import replace

import pytest

from convexfx_core.errors import ExecutionError, LawViolated, ProofError
from tasks.adapters.laws_serve import is_listening, ping
from tests.support.fake_laws_host import FakeHost, fake_host
from tests.unit.tasks.adapters.test_laws_host import SHORT, VALUES, WITNESS

__all__ = ["fake_host"]


def test_a_served_proof_is_the_same_and_tells_its_progress(fake_host: FakeHost) -> None:
    seen: list[float] = []
    with fake_host.serving() as process:
        assert ping(fake_host.socket)["event"] == "pong"
        host = fake_host.host(socket=fake_host.socket)
        made = host.prove("core", WITNESS, lambda fraction, _: seen.append(fraction))
        assert process.poll() is None
    assert made.public_values == VALUES
    assert seen == sorted(seen)
    assert len(seen) == 20
    assert fake_host.runs() == ["serve", "served"]
    host.verify("core", made.proof, VALUES)


def test_two_served_proofs_come_from_one_process(fake_host: FakeHost) -> None:
    with fake_host.serving():
        host = fake_host.host(socket=fake_host.socket, served=True)
        for mode in ("core", "compressed"):
            assert host.prove(mode, WITNESS).public_values == VALUES
    assert fake_host.runs() == ["serve", "served", "served"]


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("violated", (LawViolated, "L5")),
        ("trapped", (ExecutionError, "GUEST_TRAPPED")),
        ("14", (ProofError, "OUT_OF_MEMORY")),
        ("12", (ProofError, "PROOF_INVALID")),
        ("closed", (ProofError, "PROVER_LOST")),
        ("killed", (ProofError, "PROVER_LOST")),
        ("hang", (ProofError, "PROVER_LOST")),
    ],
)
def test_every_served_end_has_its_code(
    fake_host: FakeHost, kind: str, wanted: tuple[type[ProofError], str]
) -> None:
    with fake_host.serving():
        fake_host.behave(prove=kind)
        limits = SHORT if kind == "hang" else fake_host.host().limits
        host = fake_host.host(socket=fake_host.socket, served=True, limits=limits)
        with pytest.raises(wanted[0]) as caught:
            host.prove("core", WITNESS)
        assert caught.value.code == wanted[1]


def test_a_process_killed_in_the_middle_is_lost_and_another_one_takes_over(
    fake_host: FakeHost,
) -> None:
    fake_host.behave(seconds=5)
    host = fake_host.host(socket=fake_host.socket, served=True)
    with fake_host.serving() as process:
        killer = threading.Timer(0.7, process.kill)
        killer.start()
        with pytest.raises(ProofError, match="PROVER_LOST") as caught:
            host.prove("core", WITNESS)
        assert caught.value.passing
    fake_host.behave()
    with fake_host.serving():
        assert host.prove("core", WITNESS).public_values == VALUES


def test_a_socket_that_nobody_answers_is_waited_for(fake_host: FakeHost) -> None:
    """The supervisor starts the process again; until then no second prover is started."""
    host = fake_host.host(socket=fake_host.socket, served=True)
    started = threading.Event()

    def late() -> None:
        time.sleep(0.5)
        with fake_host.serving():
            started.wait(10)

    thread = threading.Thread(target=late)
    thread.start()
    made = host.prove("core", WITNESS)
    started.set()
    thread.join()
    assert made.public_values == VALUES
    assert "prove" not in fake_host.runs()


def test_a_socket_that_stays_away_is_a_lost_prover(fake_host: FakeHost) -> None:
    host = fake_host.host(socket=fake_host.socket, served=True, limits=SHORT)
    with pytest.raises(ProofError, match=r"PROVER_LOST: laws-host serve: .* found nobody"):
        host.prove("core", WITNESS)
    assert fake_host.runs() == []


def test_without_serve_a_run_of_its_own_makes_the_proof(fake_host: FakeHost) -> None:
    with fake_host.serving() as process:
        process.kill()
        process.wait()
    assert fake_host.socket.exists()
    assert not is_listening(fake_host.socket)
    made = fake_host.host(socket=fake_host.socket).prove("core", WITNESS)
    assert made.public_values == VALUES
    assert fake_host.runs() == ["serve", "prove"]


def test_a_busy_process_is_asked_again_until_its_turn_is_over(fake_host: FakeHost) -> None:
    fake_host.behave(prove="16")
    host = fake_host.host(socket=fake_host.socket, served=True)
    with fake_host.serving():
        free = threading.Timer(1.0, fake_host.behave)
        free.start()
        assert host.prove("core", WITNESS).public_values == VALUES
        fake_host.behave(prove="16")
        with pytest.raises(ProofError, match="PROVER_LOST: laws-host serve: expected its turn"):
            replace(host, limits=SHORT).prove("core", WITNESS)


def test_execute_and_verify_need_no_serve(fake_host: FakeHost) -> None:
    host = fake_host.host(socket=fake_host.socket, served=True)
    proof = replace(host, served=False).prove("core", WITNESS).proof
    assert host.execute(WITNESS).public_values == VALUES
    host.verify("core", proof, VALUES)
