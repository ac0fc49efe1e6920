"""Makes one real core and one real compressed proof and has another process verify them.

``python -m sp1_worker.prove_check [--all]`` (``make prove``, ``make prove-all``). It is a command
of its own, since a proof takes minutes and many gigabytes. It prints seconds, peak memory and size
of each proof. It fails where a proof takes more time or memory than a limit below allows, where an
honest proof is refused, and where a damaged or mislabelled one is accepted. ``--all`` also proves
small epochs, and runs an epoch end to end whose prover is killed in the middle of its proof.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.guest_witness import witness_of
from sp1_worker.memory_watch import peak_of_tree
from sp1_worker.served import serving
from tasks.adapters.rust_parts import NOT_BUILT, RustParts, rust_parts

ORDERS, PER_VAULT = 100, 4
SECONDS_MAX = {"core": 240.0, "compressed": 480.0}
"""Measured with AVX-512. Without it the prover's vectors are half as wide: see ``slowness``."""
MEMORY_BYTES_MAX = 18e9
START_LEFT_MAX = 0.2
"""The second start's seconds over the first's: a served prover keeps its keys between proofs."""
INVALID, WRONG_KEY = 12, 13


@dataclass(frozen=True)
class Made:
    """A saved proof, the public values that it shows, and the time and memory that it took."""

    mode: str
    file: Path
    public_values: str
    seconds: dict[str, float]
    wall_s: float
    peak_bytes: int


def run(parts: RustParts, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``laws-host`` with these arguments; its progress goes to the screen."""
    command = [str(parts.laws_host), *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)


def prove(parts: RustParts, socket: Path, server: int, mode: str, witness: Path) -> Made:
    """Have the serving process (id ``server``) make one proof, and print its figures."""
    file = witness.with_name(f"{mode}.proof")
    done = threading.Event()
    peaks: list[int] = []
    watch = threading.Thread(target=lambda: peaks.append(peak_of_tree(server, done)))
    watch.start()
    start = time.monotonic()
    try:
        arguments = ("prove", "--socket", socket, "--mode", mode, witness, "--out", file)
        found = run(parts, "--elf", parts.elf, *arguments)
    finally:
        done.set()
        watch.join()
    if found.returncode:
        raise SystemExit(f"{mode}: laws-host prove ended with {found.returncode}")
    said = json.loads(found.stdout.splitlines()[-1])
    wall_s = time.monotonic() - start
    made = Made(mode, file, said["public_values"], said["seconds"], wall_s, peaks[0])
    figures = {
        "mode": mode,
        "orders": ORDERS,
        "wall_s": round(wall_s, 1),
        "seconds": said["seconds"],
        "peak_gigabytes": round(made.peak_bytes / 1e9, 2),
        "proof_bytes": file.stat().st_size,
        "cycles": said.get("cycles"),
    }
    print(json.dumps(figures), flush=True)
    return made


def verify(parts: RustParts, proof: Path, mode: str, key: str, values: str) -> int:
    """Verify in a second process that has only proof, key and public values; its exit code."""
    arguments = ("--proof", proof, "--vkey-file", parts.vkey_file, "--vkey", key)
    return run(parts, "verify", "--mode", mode, *arguments, "--public-values", values).returncode


def flipped(hexadecimal: str) -> str:
    """The same hexadecimal text with its last bit flipped."""
    return hexadecimal[:-1] + format(int(hexadecimal[-1], 16) ^ 1, "x")


def slowness(cpuinfo: str) -> float:
    """By how much the limits grow on the processor that ``/proc/cpuinfo`` describes.

    Nearly all of a proof is arithmetic in a small field, on 16 numbers at once with AVX-512 and on
    8 without: a compressed proof of 100 orders took 250 s there and 480 s here, on two cores each.
    """
    return 1.0 if re.search(r"^flags\s*:.*\bavx512f\b", cpuinfo, re.M) else 2.0


def seconds_max(mode: str) -> float:
    """The most seconds that a proof in this mode may take on this machine."""
    return SECONDS_MAX[mode] * slowness(Path("/proc/cpuinfo").read_text())


def faults_of(parts: RustParts, made: Made) -> list[str]:
    """What is wrong with a proof: a limit exceeded, or a wrong verdict of the second process."""
    key = parts.vkey_file.with_suffix(".txt").read_text().strip()
    found = []
    if made.wall_s > seconds_max(made.mode):
        found.append(f"{made.wall_s:.0f} s, at most {seconds_max(made.mode):.0f}")
    if made.peak_bytes > MEMORY_BYTES_MAX:
        found.append(f"{made.peak_bytes / 1e9:.1f} GB, at most {MEMORY_BYTES_MAX / 1e9:.0f}")
    damaged = made.file.with_suffix(".damaged")
    data = bytearray(made.file.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    other_mode = next(mode for mode in SECONDS_MAX if mode != made.mode)
    values = made.public_values
    cases: Sequence[tuple[str, Path, str, str, str, set[int]]] = (
        ("the proof itself", made.file, made.mode, key, values, {0}),
        ("one flipped byte", damaged, made.mode, key, values, {INVALID}),
        ("other public values", made.file, made.mode, key, flipped(values), {INVALID}),
        ("another verifying key", made.file, made.mode, flipped(key), values, {WRONG_KEY}),
        ("another mode", made.file, other_mode, key, values, {INVALID}),
    )
    for name, proof, mode, named_key, named_values, expected in cases:
        code = verify(parts, proof, mode, named_key, named_values)
        print(json.dumps({"mode": made.mode, "verify": name, "exit_code": code}), flush=True)
        if code not in expected:
            found.append(f"{name}: verify ended with {code}, expected {sorted(expected)}")
    return [f"{made.mode}: {fault}" for fault in found]


def both_proofs(parts: RustParts) -> list[str]:
    """Make both proofs in one serving process and verify each; returns what went wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        witness = folder / "witness.bin"
        witness.write_bytes(witness_of(ORDERS, PER_VAULT))
        with serving(parts, folder / "prover.socket") as server:
            made = [
                prove(parts, folder / "prover.socket", server.pid, mode, witness)
                for mode in SECONDS_MAX
            ]
        faults = [fault for proof in made for fault in faults_of(parts, proof)]
    first, second = (proof.seconds["start"] for proof in made)
    print(json.dumps({"start_s_first": first, "start_s_second": second}), flush=True)
    if second > START_LEFT_MAX * first:
        faults.append(f"the second start took {second:.1f} s of the first one's {first:.1f} s")
    return faults


def main() -> int:
    """Run the checks and print each fault; exit code 1 if there is one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--all", action="store_true", help="also an epoch proven end to end")
    everything = parser.parse_args().all
    parts = rust_parts()
    if parts is None:
        print(NOT_BUILT, file=sys.stderr)
        return 1
    faults = both_proofs(parts)
    if everything:
        from sp1_worker.proven_epoch import faults_of_run
        from sp1_worker.proven_small import faults_of_all

        faults += faults_of_all(parts) + faults_of_run()
    for fault in faults:
        print(f"prove: {fault}", file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main())
