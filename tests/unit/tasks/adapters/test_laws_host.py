"""The client of ``laws-host``: answers, exit codes, crashes, memory, hangs, one at a time."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from convexfx_core.errors import ConvexFxError, ExecutionError, LawViolated, ProofError
from tasks.adapters.host_process import only_prover, run_program
from tasks.adapters.laws_host import LawsHost, Limits
from tests.support.fake_laws_host import VKEY, FakeHost, fake_host, witness_with

__all__ = ["fake_host"]
VALUES = bytes(range(256)) + bytes(136)
WITNESS = witness_with(VALUES)
SHORT = Limits(
    execute_s=1.0, verify_s=1.0, vkey_s=1.0, prove_s=1.0, silence_s=1.0, turn_s=0.5, serve_s=0.5
)


def code_of(call: Any) -> str:
    with pytest.raises(ConvexFxError) as caught:
        call()
    assert caught.value.line().isprintable()
    return caught.value.code


def test_execute_returns_what_the_guest_committed(fake_host: FakeHost) -> None:
    run = fake_host.host().execute(WITNESS)
    assert (run.public_values, run.cycles, run.milliseconds) == (VALUES, 123_456, 12)


@pytest.mark.parametrize("mode", ["core", "compressed"])
def test_a_proof_is_made_and_verifies(fake_host: FakeHost, mode: str) -> None:
    host, seen = fake_host.host(), []
    made = host.prove(mode, WITNESS, lambda fraction, stage: seen.append((fraction, stage)))
    assert (made.public_values, made.vkey.hex()) == (VALUES, VKEY)
    assert set(made.facts) == {"cycles", "peak_memory_bytes", "start_ms", "prove_ms", "verify_ms"}
    assert all(isinstance(value, int) for value in made.facts.values())
    fractions = [fraction for fraction, _ in seen]
    assert seen[0] == (0.02, "execute since 0 s")
    assert fractions == sorted(fractions)
    assert fractions[-1] == 0.95
    host.verify(mode, made.proof, VALUES)


@pytest.mark.parametrize("place", [0, 20, 100, -1])
def test_a_flipped_byte_other_values_and_another_mode_do_not_verify(
    fake_host: FakeHost, place: int
) -> None:
    host = fake_host.host()
    proof = host.prove("core", WITNESS).proof
    flipped = bytearray(proof)
    flipped[place] ^= 1
    other = bytes([VALUES[0] ^ 1]) + VALUES[1:]
    for mode, body, values in (
        ("core", bytes(flipped), VALUES),
        ("core", proof, other),
        ("compressed", proof, VALUES),
        ("core", b"", VALUES),
    ):
        assert code_of(lambda m=mode, b=body, v=values: host.verify(m, b, v)) == "PROOF_INVALID"
    (fake_host.folder / "elf" / "vkey.bin").write_bytes(bytes(32))
    assert code_of(lambda: host.verify("core", proof, VALUES)) == "WRONG_VKEY"


@pytest.mark.parametrize("command", ["execute", "prove"])
def test_a_broken_law_keeps_its_number_and_index(fake_host: FakeHost, command: str) -> None:
    fake_host.behave(**{command: "violated"})
    with pytest.raises(LawViolated) as caught:
        ask(fake_host.host(), command)
    assert (caught.value.law, caught.value.index) == (5, 7)
    assert caught.value.line() == "L5: index 7: expected 4, found -3"


@pytest.mark.parametrize("command", ["execute", "prove"])
def test_a_trapped_guest_is_an_execution_failure(fake_host: FakeHost, command: str) -> None:
    fake_host.behave(**{command: "trapped"})
    with pytest.raises(ExecutionError, match=r"GUEST_TRAPPED: guest: .* found panicked"):
        ask(fake_host.host(), command)


@pytest.mark.parametrize("command", ["execute", "prove", "verify"])
@pytest.mark.parametrize(
    ("kind", "code", "passing"),
    [
        ("12", "PROOF_INVALID", False),
        ("13", "WRONG_VKEY", False),
        ("14", "OUT_OF_MEMORY", True),
        ("15", "PROVER_ENVIRONMENT", False),
        ("2", "PROVER_ENVIRONMENT", False),
        ("99", "PROVER_ENVIRONMENT", False),
        ("allocation", "OUT_OF_MEMORY", True),
        ("killed", "PROVER_LOST", True),
        ("garbage", "PROVER_ENVIRONMENT", False),
        ("hang", "PROVER_LOST", True),
    ],
)
def test_every_end_has_its_code(
    fake_host: FakeHost, command: str, kind: str, code: str, passing: bool
) -> None:
    fake_host.behave(**{command: kind})
    with pytest.raises(ProofError) as caught:
        ask(fake_host.host(limits=SHORT) if kind == "hang" else fake_host.host(), command)
    assert (caught.value.code, caught.value.passing) == (code, passing)
    assert caught.value.line().isprintable()


def ask(host: LawsHost, command: str) -> None:
    if command == "execute":
        host.execute(WITNESS)
    elif command == "prove":
        host.prove("core", WITNESS)
    else:
        host.verify("core", b"proof", VALUES)


def test_a_hanging_program_is_ended(fake_host: FakeHost, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(ProofError, match="PROVER_LOST"):
        run_program([sys.executable, "-S", "-E", "-c", code], 1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_binary_that_is_none_is_an_environment_failure(fake_host: FakeHost) -> None:
    host = replace(fake_host.host(), binary=fake_host.folder / "nothing")
    assert code_of(lambda: host.execute(WITNESS)) == "PROVER_ENVIRONMENT"


def test_a_changed_elf_is_neither_executed_nor_proven(fake_host: FakeHost) -> None:
    (fake_host.folder / "elf" / "laws-guest.elf").write_bytes(b"\x7fELF another guest")
    host = fake_host.host()
    for call in (
        lambda: host.execute(WITNESS),
        lambda: host.prove("core", WITNESS),
        host.selfcheck,
    ):
        assert code_of(call) == "PROVER_ENVIRONMENT"
    assert fake_host.runs() == []


def test_a_key_that_is_not_that_of_the_elf_is_found(fake_host: FakeHost) -> None:
    (fake_host.folder / "elf" / "vkey.txt").write_text("11" * 32)
    host = fake_host.host()
    assert code_of(host.selfcheck) == "WRONG_VKEY"
    assert code_of(lambda: host.prove("core", WITNESS)) == "WRONG_VKEY"


def test_selfcheck_answers(fake_host: FakeHost) -> None:
    assert fake_host.host().selfcheck()["sp1"] == "6.10.0"
    assert fake_host.runs() == ["selfcheck", "vkey"]


# One prover at a time


def test_two_proofs_are_made_one_after_the_other(fake_host: FakeHost) -> None:
    fake_host.behave(seconds=0.6)
    spans: list[tuple[float, float]] = []

    def make() -> None:
        times: list[float] = []
        fake_host.host().prove("core", WITNESS, lambda *_: times.append(time.monotonic()))
        spans.append((times[0], times[-1]))

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (_, first_end), (second_start, _) = sorted(spans)
    assert first_end <= second_start


def test_who_waits_too_long_for_its_turn_may_ask_again(fake_host: FakeHost) -> None:
    host = fake_host.host(limits=SHORT)
    with only_prover(host.lock, 1.0):
        with pytest.raises(ProofError, match="PROVER_LOST: prover: expected its turn") as caught:
            host.prove("core", WITNESS)
        assert caught.value.passing
    assert replace(host, limits=Limits()).prove("core", WITNESS).public_values == VALUES


def test_a_prover_whose_parent_was_killed_keeps_its_place(fake_host: FakeHost) -> None:
    """Its memory is still taken, so another one must not start beside it."""
    fake_host.behave(seconds=3)
    lock = fake_host.folder / "lock"
    code = (
        "import sys; from pathlib import Path\n"
        "from tasks.adapters.laws_host import LawsHost\n"
        "from tasks.adapters.law_program import read_law_program\n"
        "host = LawsHost(Path(sys.argv[1]), read_law_program(Path(sys.argv[2])),"
        " lock=Path(sys.argv[3]))\n"
        "host.prove('core', bytes(500), lambda *_: print('proving', flush=True))"
    )
    words = [str(fake_host.binary), str(fake_host.folder / "elf"), str(lock)]
    parent = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    parent.stdout.readline()
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    with pytest.raises(ProofError, match="another proof"), only_prover(lock, 0.3):
        pass
    work = fake_host.folder / "lock.work"
    assert len(list(work.iterdir())) == 1, "what the killed one left"
    fake_host.behave()
    fake_host.host().prove("core", WITNESS)
    assert list(work.iterdir()) == []


def test_a_working_folder_that_is_none_is_an_environment_failure(fake_host: FakeHost) -> None:
    (fake_host.folder / "lock.work").write_text("a file")
    assert code_of(lambda: fake_host.host().prove("core", WITNESS)) == "PROVER_ENVIRONMENT"
