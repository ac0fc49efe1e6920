"""Typed client of ``laws-host``, the one program that knows SP1: it executes, proves and verifies.

A stage gives a witness and gets public values, a proof or a typed error; SP1, its keys and its
memory stay in the other program. A proof is made by a run of its own, or by a process that serves
(``laws_serve``) and keeps its keys. ``sp1_worker/README.md`` lists commands, answers, exit codes.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from convexfx_core.errors import ProofCode, ProofError
from convexfx_core.witness.public_values import PUBLIC_VALUES_BYTES
from tasks.adapters.host_answers import Executed, Proven, failure_of, hex_bytes
from tasks.adapters.host_process import emptied, lock_path, only_prover, run_program
from tasks.adapters.law_program import LawProgram
from tasks.adapters.laws_serve import ask_to_prove, is_listening, wait_for_socket
from tasks.adapters.progress_teller import OnEvent, telling
from tasks.ports import Json, Progress, no_progress

SP1_MODES: Final = ("core", "compressed")
PROOF_KINDS: Final = {"core": "core", "compressed": "compressed", "gpu": "compressed"}
"""Kind of proof that is made and verified in each mode: a GPU makes a compressed one too."""
STAGE_FRACTIONS: Final = {
    "begin": 0.0, "execute": 0.02, "start": 0.05, "setup": 0.35, "shard": 0.4,
    "recursion": 0.6, "reduce": 0.8, "verify": 0.95,
}  # fmt: skip
"""Fraction of a proof that is done when a stage of the host begins; a guess for people."""
VERIFY_S_MAX: Final = 300.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds after which a program that does not end is lost.

    Attributes
    ----------
    execute_s, verify_s, vkey_s : for a run of that command.
    prove_s : for one proof. Slowness alone is no failure, so it is many times what a proof takes.
    silence_s : for a served proof without any event; it sends a sign of life every five seconds.
    turn_s : for the machine's only place for a prover.
    serve_s : for a served socket that is not there (yet, or again).
    """

    execute_s: float = 300.0
    verify_s: float = VERIFY_S_MAX
    vkey_s: float = 120.0
    prove_s: float = 3_600.0
    silence_s: float = 120.0
    turn_s: float = 1_800.0
    serve_s: float = 300.0


@dataclass(frozen=True, slots=True)
class LawsHost:
    """The host binary with the law program that it runs.

    Attributes
    ----------
    binary : path of ``laws-host``.
    program : what it executes and proves.
    socket : of ``laws-host serve``; where nobody listens, a proof is made by a run of its own,
        unless ``served``: then whoever watches that process brings it back.
    served : whether every proof goes through the socket.
    lock : file of the machine's only place for a prover.
    """

    binary: Path
    program: LawProgram
    socket: Path | None = None
    served: bool = False
    limits: Limits = field(default_factory=Limits)
    lock: Path = field(default_factory=lock_path)

    def execute(self, witness: bytes) -> Executed:
        """Run the guest on a witness in SP1's executor.

        Raises
        ------
        LawViolated
            The guest says that a law is broken.
        ExecutionError
            ``GUEST_TRAPPED``: it stopped otherwise.
        ProofError
            The host could not run it.
        """
        self.program.require_unchanged()
        with tempfile.TemporaryDirectory(prefix="convexfx-execute-") as folder:
            path = _written(Path(folder), "witness.bin", witness)
            answer = self._run(("execute", str(path)), self.limits.execute_s)
        if answer.get("verdict") != "ok":
            raise _unexpected_answer("verdict", "ok", answer.get("verdict"))
        return Executed(
            hex_bytes(answer, "public_values", PUBLIC_VALUES_BYTES),
            int(answer.get("cycles", 0)),
            round(float(answer.get("milliseconds", 0))),
        )

    def prove(self, mode: str, witness: bytes, progress: Progress = no_progress) -> Proven:
        """Make a proof; the host executes first and verifies afterwards.

        Parameters
        ----------
        mode : ``core`` or ``compressed``.
        progress : told fraction and stage while it is made; what it does cannot end the work.

        Raises
        ------
        LawViolated, ExecutionError
            As :meth:`execute`: there is no proof of a witness that breaks a law.
        ProofError
            ``OUT_OF_MEMORY`` and ``PROVER_LOST`` pass; the others do not.
        """
        self.program.require_unchanged()
        with (
            only_prover(self.lock, self.limits.turn_s) as held,
            tempfile.TemporaryDirectory(dir=emptied(self.lock)) as folder,
            telling(_events(progress)) as on_event,
        ):
            path = _written(Path(folder), "witness.bin", witness)
            out = Path(folder) / "proof.bin"
            answer = self._prove(mode, path, out, held, on_event)
            proof = out.read_bytes() if out.is_file() else b""
        return self._proven(answer, mode, proof)

    def _prove(self, mode: str, path: Path, out: Path, held: int, on_event: OnEvent) -> Json:
        socket = self.socket
        if socket is not None and self.served:
            wait_for_socket(socket, self.limits.serve_s)
        if socket is not None and is_listening(socket):
            request = {
                "mode": mode, "witness": str(path), "out": str(out),
                "vkey": self.program.vkey.hex(),
            }  # fmt: skip
            return ask_to_prove(
                socket, request, on_event, self.limits.silence_s, self.limits.turn_s
            )
        key = self.program.vkey.hex()
        words = ("prove", "--mode", mode, str(path), "--out", str(out), "--vkey", key)
        return self._run(words, self.limits.prove_s, on_event, (held,))

    def _proven(self, answer: Json, mode: str, proof: bytes) -> Proven:
        if answer.get("mode", mode) != mode:
            raise _unexpected_answer("mode", mode, answer.get("mode"))
        if answer.get("proof_sha256") != hashlib.sha256(proof).hexdigest():
            raise _unexpected_answer(
                "proof_sha256", str(answer.get("proof_sha256")), f"{len(proof)} bytes"
            )
        made = Proven(
            proof,
            hex_bytes(answer, "public_values", PUBLIC_VALUES_BYTES),
            hex_bytes(answer, "vkey", 32),
            facts_of(answer),
        )
        self.program.require_agreed(made.vkey)
        return made

    def verify(self, mode: str, proof: bytes, public_values: bytes) -> None:
        """Check that a proof shows these public values for this program; needs no ELF.

        Raises
        ------
        ProofError
            ``PROOF_INVALID``, ``WRONG_VKEY``, or the host could not run.
        """
        verify_with(self.binary, self.program.vkey_file, self.program.vkey, mode, proof,
                    public_values, self.limits.verify_s)  # fmt: skip

    def vkey(self) -> bytes:
        """Verifying key derived from the ELF, 32 bytes."""
        return hex_bytes(self._run(("vkey",), self.limits.vkey_s), "vkey", 32)

    def selfcheck(self, with_vkey: bool = True) -> Json:
        """What the host says of itself and its environment.

        Parameters
        ----------
        with_vkey : whether the verifying key is derived from the ELF again, some seconds.

        Raises
        ------
        ProofError
            ``PROVER_ENVIRONMENT``: it cannot work here, or the ELF is not the pinned one.
            ``WRONG_VKEY``: the pinned key is not that of the ELF.
        """
        self.program.require_unchanged()
        answer = self._run(("selfcheck",), self.limits.vkey_s)
        if with_vkey:
            self.program.require_agreed(self.vkey())
        return answer

    def _run(
        self,
        words: Sequence[str],
        timeout_s: float,
        on_event: OnEvent = lambda _: None,
        keep_fds: Sequence[int] = (),
    ) -> Json:
        argv = (str(self.binary), "--elf", str(self.program.elf), *words)
        return run_for_answer(argv, timeout_s, on_event, keep_fds)


def facts_of(answer: Json) -> Json:
    """Figures of a proof that its description keeps, as integers."""
    facts = {name: int(answer[name]) for name in ("cycles", "peak_memory_bytes") if name in answer}
    seconds = answer.get("seconds", {})
    return facts | {f"{name}_ms": round(1000 * value) for name, value in seconds.items()}


def verify_with(
    binary: Path,
    vkey_file: Path,
    vkey: bytes,
    mode: str,
    proof: bytes,
    public_values: bytes,
    timeout_s: float = VERIFY_S_MAX,
) -> None:
    """Verify a proof with a verifying key and nothing else; errors as :meth:`LawsHost.verify`."""
    with tempfile.TemporaryDirectory(prefix="convexfx-verify-") as folder:
        path = _written(Path(folder), "proof.bin", proof)
        argv = (
            *(str(binary), "verify", "--mode", PROOF_KINDS[mode], "--proof", str(path)),
            *("--vkey-file", str(vkey_file), "--vkey", vkey.hex()),
            *("--public-values", public_values.hex()),
        )
        answer = run_for_answer(argv, timeout_s)
    if answer.get("valid") is not True:
        raise ProofError(ProofCode.PROOF_INVALID, "laws-host", "valid: true", str(answer))


def run_for_answer(
    argv: Sequence[str],
    timeout_s: float,
    on_event: OnEvent = lambda _: None,
    keep_fds: Sequence[int] = (),
) -> Json:
    """The last answer of a run that ended with exit code 0; else its typed failure."""
    done = run_program(argv, timeout_s, on_event, keep_fds)
    answer = done.answers[-1] if done.answers else {}
    if done.code:
        raise failure_of(done.code, answer, done.last_words)
    if not answer:
        raise _unexpected_answer("answer", "a JSON object", done.last_words)
    return answer


def _events(progress: Progress) -> OnEvent:
    """Report progress from the host's events.

    The host tells stages and seconds. The fraction is guessed from the stage and never falls.
    """
    furthest = 0.0

    def take(event: Json) -> None:
        nonlocal furthest
        if event.get("event") != "progress":
            return
        stage = str(event.get("stage", ""))
        furthest = max(furthest, STAGE_FRACTIONS.get(stage, 0.0))
        progress(furthest, f"{stage} since {float(event.get('seconds', 0.0)):.0f} s")

    return take


def _written(folder: Path, name: str, body: bytes) -> Path:
    path = folder / name
    path.write_bytes(body)
    return path


def _unexpected_answer(field: str, expected: str, observed: object) -> ProofError:
    name = f"laws-host: {field}"
    return ProofError(ProofCode.PROVER_ENVIRONMENT, name, expected, str(observed))
