"""Proves small epochs, and lets a stranger verify a settled one from its public objects alone.

Part of ``make prove-all``. The small epochs are corner cases of the guest: no fill at all, one
order, twenty orders over six assets. Then a wave of the demo's orders settles in mode ``core``. The
stranger is a second process that has a folder of the epoch's public objects and the verifying key.
It must accept the proof, and must refuse it when the folder says that it belongs to another epoch.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from convexfx.epochs import export_epoch
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import ConvexFxError
from sp1_worker.served import serving
from tasks.adapters.law_program import read_law_program
from tasks.adapters.laws_host import LawsHost
from tasks.adapters.rust_parts import RustParts
from tasks.objects import as_object, epoch_key
from tests.integration.test_guest_epochs import SMALL, demo

MODE = "core"


def faults_of_small(host: LawsHost) -> list[str]:
    """Prove and verify the small epochs; returns what went wrong."""
    found = []
    for name, make in SMALL.items():
        result, start = make().apply(), time.monotonic()
        values = result.public_values.to_bytes()
        try:
            made = host.prove(MODE, result.witness)
            host.verify(MODE, made.proof, values)
        except ConvexFxError as error:
            found.append(f"{name}: {error.line()}")
            continue
        if made.public_values != values:
            found.append(f"{name}: the proof shows other public values")
        figures = {"epoch": name, "wall_s": round(time.monotonic() - start, 1), **made.facts}
        print(json.dumps(figures | {"proof_bytes": len(made.proof)}), flush=True)
    return found


def faults_of_stranger(host: LawsHost, folder: Path) -> list[str]:
    """Settle a demo epoch in mode core, have a stranger verify it; returns what went wrong."""
    world = demo(host)
    world = replace(world, ctx=replace(world.ctx, proof_mode=MODE))
    outcome = world.run()
    if outcome is None or outcome["status"] != "settled":
        return [f"a demo epoch in mode {MODE}: {outcome}"]
    for _ in export_epoch(world.store, 1, folder):
        pass
    found = []
    code, said = stranger(folder)
    print(said.splitlines()[0], flush=True)
    if code:
        found.append(f"a stranger refuses an honest epoch: {said}")
    manifest = folder / epoch_key(1, "manifest.json")
    other = as_object(manifest.read_bytes(), "manifest.json") | {"epoch": 2}
    manifest.write_bytes(json_bytes(other))
    code, said = stranger(folder)
    print(said.splitlines()[0], flush=True)
    if code != 1 or "PV_MISMATCH:epoch" not in said:
        found.append(f"a stranger takes a proof for another epoch: {said}")
    return found


def stranger(folder: Path) -> tuple[int, str]:
    """Verify epoch 1 of a folder in a second process; its exit code and its output."""
    words = ("-m", "convexfx", "proof", "verify", "1", "--folder", str(folder))
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout or done.stderr


def faults_of_all(parts: RustParts) -> list[str]:
    """Make all of these proofs through one served prover; returns what went wrong."""
    program = read_law_program()
    if program is None:
        return ["no law program in sp1_worker/elf"]
    with tempfile.TemporaryDirectory() as name:
        socket = Path(name) / "prover.socket"
        with serving(parts, socket):
            host = LawsHost(parts.laws_host, program, socket, served=True)
            return [*faults_of_small(host), *faults_of_stranger(host, Path(name) / "objects")]
