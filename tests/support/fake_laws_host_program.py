"""The program of ``tests/support/fake_laws_host.py``: a stand-in for the external ``laws-host``.

``python fake_laws_host_program.py CONTROL --elf ELF COMMAND ...`` reads the JSON file CONTROL at
each command. It knows no SP1: the public values of a run are those that the witness claims, and a
proof is a few bytes that name mode, key and values.
"""

import hashlib
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

Json = dict[str, Any]
VALUES = 392
MAGIC = b"FAKE PROOF\n"
TICKS = 20
STAGES = ("execute", "start", "setup", "shard", "verify")
CODES = {2: "usage", 10: "law_violated", 11: "guest_trapped", 12: "proof_invalid",
         13: "wrong_vkey", 14: "out_of_memory", 15: "environment", 16: "busy"}  # fmt: skip
LAW, INDEX = 5, 7


class Failed(Exception):
    """A command that ends with an exit code and an answer."""

    def __init__(self, code: int, answer: Json) -> None:
        self.code = code
        self.answer = answer


class HangUp(Exception):
    """The served connection is closed in the middle."""


def main(arguments: list[str]) -> int:
    control, options = Path(arguments[0]), arguments[1:]
    if options[0] == "--elf":
        elf, options = Path(options[1]), options[2:]
    command, rest = options[0], options[1:]
    with (control.parent / "runs").open("a") as log:
        log.write(command + "\n")
    try:
        if command == "serve":
            return serve(control, elf, rest[rest.index("--socket") + 1])
        if command == "verify":
            print(json.dumps(verify(control, named(rest))))
        elif command == "execute":
            print(json.dumps(execute(control, Path(rest[0]))))
        elif command == "prove":
            mode, out = rest[rest.index("--mode") + 1], rest[rest.index("--out") + 1]
            witness = next(w for w in rest if w.endswith("witness.bin"))
            print(json.dumps(prove(control, elf, mode, witness, out, report)))
        else:
            print(json.dumps({"vkey": "0x" + vkey(elf), "sp1": "6.10.0"}))
    except Failed as failed:
        print(json.dumps(failed.answer))
        return failed.code
    return 0


def named(words: list[str]) -> dict[str, str]:
    return {words[i].removeprefix("--"): words[i + 1] for i in range(0, len(words), 2)}


def vkey(elf: Path) -> str:
    return hashlib.sha256(elf.read_bytes().removeprefix(b"\x7fELF ")).hexdigest()


def behave(control: Path, command: str) -> str:
    """Do what the control file says; the kinds that are left are about the answer."""
    wanted = json.loads(control.read_text())
    kind = str(wanted.get(command, "ok"))
    if kind == "hang":
        time.sleep(600)
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "allocation":
        print("memory allocation of 8589934592 bytes failed", file=sys.stderr, flush=True)
        os.abort()
    if kind == "garbage":
        print("thread 'main' said something")
        raise SystemExit(0)
    if kind == "violated":
        detail = f"L{LAW}: index {INDEX}: observed -3, bound 4"
        raise Failed(10, {"verdict": "violated", "exit_code": 21, "law": LAW, "detail": detail})
    if kind == "trapped":
        raise Failed(11, {"verdict": "trapped", "exit_code": 1, "detail": "panicked"})
    if kind.isdigit():
        print("INFO before the end", file=sys.stderr)
        raise Failed(int(kind), {"message": f"as asked: {kind}"})
    return kind


def values_of(witness: Path, kind: str) -> bytes:
    values = bytearray(witness.read_bytes()[-VALUES:])
    if kind == "other":
        values[32] ^= 1
    return bytes(values)


def execute(control: Path, witness: Path) -> Json:
    values = values_of(witness, behave(control, "execute"))
    return {
        "witness": str(witness), "verdict": "ok", "exit_code": 0,
        "public_values": values.hex(), "cycles": 123_456, "milliseconds": 12.5,
    }  # fmt: skip


def report(event: Json) -> None:
    """Goes on when nobody listens any more, as a program does whose parent was killed."""
    with suppress(BrokenPipeError):
        print(json.dumps(event), file=sys.stderr, flush=True)


def prove(control: Path, elf: Path, mode: str, witness: str, out: str, tell: Any) -> Json:
    seconds = float(json.loads(control.read_text()).get("seconds", 0))
    for tick in range(TICKS):
        stage = STAGES[tick * len(STAGES) // TICKS]
        tell({"event": "progress", "stage": stage, "state": "running", "seconds": 1.5 * tick})
        time.sleep(seconds / TICKS)
        if tick == TICKS // 2:
            kind = behave(control, "prove")
            if kind == "closed":
                raise HangUp
    values = values_of(Path(witness), kind)
    salt = str(json.loads(control.read_text()).get("salt", "")).encode()
    proof = MAGIC + f"{mode} {vkey(elf)} ".encode() + values + salt
    Path(out).write_bytes(proof)
    return {
        "mode": mode, "vkey": "0x" + vkey(elf), "public_values": values.hex(),
        "proof_sha256": hashlib.sha256(proof).hexdigest(), "proof_bytes": len(proof),
        "seconds": {"start": 0.1, "prove": seconds, "verify": 0.1},
        "peak_memory_bytes": 1_000_000, "cycles": 123_456,
    }  # fmt: skip


def verify(control: Path, words: dict[str, str]) -> Json:
    behave(control, "verify")
    proof = Path(words["proof"]).read_bytes()
    key = Path(words["vkey-file"]).read_bytes().hex()
    if key != words["vkey"].removeprefix("0x"):
        raise Failed(13, {"message": "vkey differs"})
    head = MAGIC + f"{words['mode']} {key} ".encode()
    salt = str(json.loads(control.read_text()).get("salt", "")).encode()
    wanted = head + bytes.fromhex(words["public-values"])
    if proof not in (wanted, wanted + salt):
        raise Failed(12, {"message": "the proof does not hold"})
    return {"valid": True, "mode": words["mode"]}


def serve(control: Path, elf: Path, path: str) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(8)
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as stream:
            line = stream.readline()
            if line:
                answer(control, elf, json.loads(line), stream)


def answer(control: Path, elf: Path, request: Json, stream: Any) -> None:
    def tell(event: Json) -> None:
        stream.write(json.dumps(event).encode() + b"\n")
        stream.flush()

    try:
        if request["op"] == "ping":
            tell({"event": "pong", "pid": os.getpid()})
            return
        with (control.parent / "runs").open("a") as log:
            log.write("served\n")
        words = (request["mode"], request["witness"], request["out"])
        tell({"event": "done", **prove(control, elf, *words, tell)})
    except Failed as failed:
        answer = {"message": failed.answer.get("detail", ""), **failed.answer}
        tell({**answer, "event": "failed", "code": CODES[failed.code]})
    except (HangUp, BrokenPipeError):
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
