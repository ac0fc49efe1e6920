"""``convexfx prove``, ``proof vkey``, ``proof verify``, ``witness dump``: proofs for people.

The chain is in memory, the host a fake one; a real one is used in ``tests/integration``.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from convexfx.cli import proof as commands
from convexfx.cli.main import main
from convexfx.epochs import export_epoch
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import ConvexFxError, LawViolated
from convexfx_core.witness.layout import SECTION_NAMES
from convexfx_core.witness.public_values import FIELD_NAMES
from tasks.adapters import prover_prefect
from tasks.adapters.keys import write_key
from tasks.adapters.prover_local import LocalProver
from tasks.objects import as_object, epoch_key, proof_prefix, sha256_hex
from tests.support.api_world import ApiWorld, api_world, signer
from tests.support.fake_laws_host import ELF, VKEY, FakeHost

Run = Callable[[str], tuple[int, str, str]]
CORE, EXECUTED, CORE_TOO, ABORTED = 1, 2, 3, 4


def settle_in(world: ApiWorld, mode: str, nonce: int, error: ConvexFxError | None = None) -> None:
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    at = {"nonce": nonce, "valid_until_epoch": 9}
    world.send(alice.order("USD", "EUR", "1000", **at), bob.order("EUR", "USD", "90", **at))
    in_mode = replace(world, ctx=replace(world.ctx, proof_mode=mode))
    sealed = in_mode.seal()
    assert sealed is not None
    in_mode.finish(sealed, error)


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> FakeHost:
    return FakeHost(tmp_path_factory.mktemp("fake") / "host")


@pytest.fixture(scope="module")
def world(fake: FakeHost) -> ApiWorld:
    """Epochs in modes core, executed, core, and one that was aborted."""
    made = api_world(("alice", "bob"))
    prover = LocalProver(made.store, signer("attestor"), bytes(32), fake.host())
    made = replace(made, ctx=replace(made.ctx, prover=prover, program_hash=bytes.fromhex(VKEY)))
    for nonce, mode in enumerate(("core", "executed", "core"), 1):
        settle_in(made, mode, nonce)
    settle_in(made, "core", 4, error=LawViolated(5, 7, 3, 4))
    return made


@pytest.fixture
def run(
    world: ApiWorld,
    fake: FakeHost,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Run:
    """Runs a command line in an empty folder: exit code, output, errors."""
    fake.behave()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CONVEXFX_LAW_PROGRAM", str(fake.folder / "elf"))
    monkeypatch.setenv("CONVEXFX_LAWS_HOST", str(fake.binary))
    of_the_bucket = commands._store
    monkeypatch.setattr(
        commands, "_store",
        lambda config, folder=None: of_the_bucket(config, folder) if folder else world.store,
    )  # fmt: skip

    def call(command: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["convexfx", *command.split()])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def files_of(world: ApiWorld, epoch: int, folder: Path) -> Path:
    """The public objects of an epoch, as `epoch export` writes them."""
    for _ in export_epoch(world.store, epoch, folder):
        pass
    return folder


# proof verify


@pytest.mark.parametrize("epoch", [CORE, CORE_TOO])
def test_a_proof_holds_and_says_its_mode(run: Run, epoch: int) -> None:
    code, out, _ = run(f"proof verify {epoch}")
    assert code == 0
    assert out.startswith(f"epoch {epoch}: mode core: verified\nprogram {VKEY}\n")
    assert [line.split()[0] for line in out.splitlines()[3:]] == list(FIELD_NAMES[2:])
    assert f"\n  epoch {epoch}\n" in out


def test_what_is_no_proof_says_so(run: Run) -> None:
    code, out, _ = run(f"proof verify {EXECUTED}")
    assert code == 0
    assert out.startswith(f"epoch {EXECUTED}: mode executed (not a proof): signed by ")


def test_json_has_every_public_value(run: Run) -> None:
    code, out, _ = run(f"proof verify {CORE} --json")
    found = json.loads(out)
    assert code == 0
    assert (found["valid"], found["mode"], found["is_proof"]) == (True, "core", True)
    assert list(found["public_values"]) == sorted(FIELD_NAMES[2:])


def test_a_stranger_needs_files_only(run: Run, world: ApiWorld, tmp_path: Path) -> None:
    """Proof file, key and the epoch's objects in a folder; no bucket is asked."""
    folder = files_of(world, CORE, tmp_path / "objects")
    outcome = as_object((folder / epoch_key(CORE, "outcome.json")).read_bytes(), "outcome")
    proof = folder / outcome["proof"]["key"]
    moved = proof.rename(tmp_path / "proof.bin")
    (folder / outcome["proof_description"]["key"]).unlink()
    words = f"proof verify {CORE} --folder {folder} --proof {moved} --vkey 0x{VKEY}"
    code, out, _ = run(words)
    assert (code, out.splitlines()[0]) == (0, f"epoch {CORE}: mode core: verified")


def test_a_proof_of_another_epoch_is_named_by_its_field(
    run: Run, world: ApiWorld, tmp_path: Path
) -> None:
    outcome = as_object(world.store.get(epoch_key(CORE_TOO, "outcome.json")) or b"", "outcome")
    other = tmp_path / "other.bin"
    other.write_bytes(world.store.get(outcome["proof"]["key"]) or b"")
    code, out, err = run(f"proof verify {CORE} --proof {other}")
    assert (code, out) == (1, "")
    assert err == "convexfx: PV_MISMATCH:epoch: epoch: expected 1, found 3\n"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"shard": 2}, "shard"),
        ({"epoch": 9}, "epoch"),
        ({"network_id": "22" * 32}, "sdl_hash"),
    ],
)
def test_objects_of_another_statement_are_named_by_the_field_that_differs(
    run: Run, world: ApiWorld, tmp_path: Path, change: dict[str, object], field: str
) -> None:
    folder = files_of(world, CORE, tmp_path / "objects")
    path = folder / epoch_key(CORE, "manifest.json")
    manifest = as_object(path.read_bytes(), "manifest")
    path.write_bytes(json_bytes(manifest | change))
    code, _, err = run(f"proof verify {CORE} --folder {folder}")
    assert code == 1
    assert err.startswith(f"convexfx: PV_MISMATCH:{field}: {field}: expected ")


def test_another_pool_before_is_another_pre_state(
    run: Run, world: ApiWorld, tmp_path: Path
) -> None:
    folder = files_of(world, CORE, tmp_path / "objects")
    path = folder / epoch_key(CORE, "manifest.json")
    manifest = as_object(path.read_bytes(), "manifest")
    pool = bytearray.fromhex(manifest["pool"])
    pool[32] += 1
    path.write_bytes(json_bytes(manifest | {"pool": pool.hex()}))
    code, _, err = run(f"proof verify {CORE} --folder {folder}")
    assert code == 1
    assert err.startswith("convexfx: PV_MISMATCH:pre_state_root: ")


@pytest.mark.parametrize("place", [0, 11, -1])
def test_a_flipped_byte_is_refused(run: Run, world: ApiWorld, tmp_path: Path, place: int) -> None:
    outcome = as_object(world.store.get(epoch_key(CORE, "outcome.json")) or b"", "outcome")
    body = bytearray(world.store.get(outcome["proof"]["key"]) or b"")
    body[place] ^= 1
    (tmp_path / "flipped.bin").write_bytes(body)
    code, out, err = run(f"proof verify {CORE} --proof flipped.bin")
    assert (code, out) == (1, "")
    assert err.startswith(("convexfx: PROOF_INVALID: ", "convexfx: PV_MISMATCH:total: "))


def test_a_proof_that_shows_no_public_values_is_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.bin").write_bytes(b"")
    code, _, err = run(f"proof verify {CORE} --proof empty.bin")
    assert (code, err.split(": ")[1]) == (1, "PROOF_INVALID")


def test_another_file_in_a_signed_mode_is_no_signature(run: Run, tmp_path: Path) -> None:
    for body in (b"", b"no signature", bytes(64)):
        (tmp_path / "other.bin").write_bytes(body)
        code, out, err = run(f"proof verify {EXECUTED} --proof other.bin")
        assert (code, out) == (1, "")
        assert err.startswith("convexfx: PROOF_INVALID: attestation: expected a signature")


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        (f"--vkey {'11' * 32}", 1, "WRONG_VKEY: program_hash: expected 1111"),
        ("--vkey 11", 2, "SETTING: --vkey: expected 32 bytes in hexadecimal, found 11"),
        ("--vkey-file absent.bin", 2, "PROVER_ENVIRONMENT"),
        ("--mode mock", 2, "SETTING: --mode: expected a proof mode, found mock"),
        ("--mode compressed", 1, "COMMIT_CONFLICT: proofs/"),
        ("--folder absent", 2, "SETTING: --folder: expected a folder written by epoch export"),
        ("--proof absent", 2, "SETTING: absent: expected a readable file"),
    ],
)
def test_invalid_options_are_one_line(run: Run, options: str, code: int, line: str) -> None:
    ended, out, err = run(f"proof verify {CORE} {options}")
    assert (ended, out) == (code, "")
    assert err.startswith(f"convexfx: {line}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["proof verify", "prove"])
@pytest.mark.parametrize(("epoch", "seen"), [(ABORTED, "aborted"), (99, "no outcome")])
def test_an_epoch_without_state_diffs_has_nothing_to_prove(
    run: Run, command: str, epoch: int, seen: str
) -> None:
    words = f"{command} {epoch}" + (" --mode core" if command == "prove" else "")
    code, _, err = run(words)
    wanted = f"epoch {epoch}: expected an epoch that settled state diffs, found {seen}"
    assert (code, err) == (1, f"convexfx: COMMIT_CONFLICT: {wanted}\n")


def test_without_a_host_a_proof_is_not_taken_on_trust(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONVEXFX_LAWS_HOST")
    monkeypatch.setenv("CONVEXFX_RUST_BIN", "")
    code, _, err = run(f"proof verify {CORE}")
    assert (code, err.split(": ")[1]) == (2, "SETTING")
    assert "laws-host (make rust) for mode core" in err


# prove


def test_a_second_proof_in_another_mode(run: Run, world: ApiWorld) -> None:
    code, out, err = run(f"prove {CORE_TOO} --mode compressed")
    assert code == 0, err
    assert out.splitlines()[0] == f"epoch {CORE_TOO}: mode compressed"
    assert " % execute since 0 s\n" in err
    outcome = as_object(world.store.get(epoch_key(CORE_TOO, "outcome.json")) or b"", "outcome")
    body = world.store.get(proof_prefix(outcome["job_id"], "compressed") + "proof.bin")
    assert sha256_hex(body or b"") in out
    code, out, _ = run(f"proof verify {CORE_TOO} --mode compressed")
    assert (code, out.splitlines()[0]) == (0, f"epoch {CORE_TOO}: mode compressed: verified")
    code, out, err = run(f"prove {CORE_TOO} --mode compressed --json")
    assert (code, json.loads(out)["mode"], err) == (0, "compressed", "")


def test_executed_needs_the_attestor_s_key(run: Run, world: ApiWorld, tmp_path: Path) -> None:
    code, _, err = run(f"prove {CORE} --mode executed")
    assert (code, err.split(": ")[1]) == (2, "KEYPAIR")
    write_key(tmp_path / ".convexfx" / "keys" / "attestor.json", bytes(range(32)))
    code, out, _ = run(f"prove {CORE} --mode executed")
    assert (code, out.splitlines()[0]) == (0, f"epoch {CORE}: mode executed (not a proof)")


@pytest.mark.parametrize(
    ("kind", "code", "line"),
    [
        ("violated", 1, "L5: index 7: expected 4, found -3"),
        ("14", 3, "OUT_OF_MEMORY: laws-host: "),
        ("15", 2, "PROVER_ENVIRONMENT: laws-host: "),
    ],
)
def test_a_proof_that_cannot_be_made_says_why(
    run: Run, world: ApiWorld, fake: FakeHost, kind: str, code: int, line: str
) -> None:
    fake.behave(prove=kind)
    ended, out, err = run(f"prove {EXECUTED} --mode core")
    assert (ended, out) == (code, "")
    assert err.splitlines()[-1].startswith(f"convexfx: {line}")
    outcome = as_object(world.store.get(epoch_key(EXECUTED, "outcome.json")) or b"", "outcome")
    world.store.objects.discard(proof_prefix(outcome["job_id"], "core") + "failure.json")


def test_the_pool_is_asked_instead_of_this_machine(
    run: Run, fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def nobody(name: str, **_: object) -> None:
        asked.append(name)
        raise httpx.ConnectError("connection refused")

    monkeypatch.setattr(prover_prefect, "run_deployment", nobody)
    before = fake.runs()
    code, out, _ = run(f"prove {CORE} --mode core --pool")
    assert (code, out.splitlines()[0], asked) == (0, f"epoch {CORE}: mode core", [])
    code, _, err = run(f"prove {EXECUTED} --mode core --pool")
    assert (code, asked) == (3, ["prove/prove"])
    assert "a server with the deployment prove/prove, found connection refused" in err
    assert fake.runs() == before


def test_an_unknown_mode_is_refused(run: Run) -> None:
    code, _, err = run(f"prove {CORE} --mode mock")
    assert code == 2
    assert err.startswith("convexfx: SETTING: proof_mode: ")


def test_gpu_names_what_is_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    code, _, err = run(f"prove {CORE} --mode gpu")
    assert code == 2
    assert "no sp1-gpu-server 6.10.0 at /nonexistent/.sp1/bin/sp1-gpu-server" in err


# proof vkey


def test_vkey_is_the_program_hash(run: Run, fake: FakeHost) -> None:
    assert run("proof vkey") == (0, VKEY + "\n", "")
    code, out, _ = run("proof vkey --derive --json")
    elf = sha256_hex(ELF)
    assert (code, json.loads(out)) == (0, {"vkey": VKEY, "elf_sha256": elf, "derived": True})


def test_a_key_that_is_not_that_of_the_elf_is_said(
    run: Run, fake: FakeHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = FakeHost(tmp_path / "other")
    (other.folder / "elf" / "vkey.txt").write_text("22" * 32)
    monkeypatch.setenv("CONVEXFX_LAW_PROGRAM", str(other.folder / "elf"))
    code, _, err = run("proof vkey --derive")
    assert (code, err.split(": ")[1]) == (1, "WRONG_VKEY")
    (other.folder / "elf" / "laws-guest.elf").write_bytes(b"changed")
    code, _, err = run("proof vkey")
    assert (code, err.split(": ")[1]) == (2, "PROVER_ENVIRONMENT")


@pytest.mark.parametrize("text", ["", "zz", "11" * 31])
def test_invalid_vkey_files_are_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    other = FakeHost(tmp_path / "other")
    (other.folder / "elf" / "vkey.txt").write_text(text)
    monkeypatch.setenv("CONVEXFX_LAW_PROGRAM", str(other.folder / "elf"))
    code, _, err = run("proof vkey")
    assert code == 2
    assert err.startswith("convexfx: SETTING: law_program: expected ")


# witness dump


def test_a_witness_in_words(run: Run) -> None:
    code, out, _ = run(f"witness dump {CORE}")
    assert code == 0
    lines = out.splitlines()
    titles = [f"{place} {name.replace('_', ' ')}" for place, name in enumerate(SECTION_NAMES)]
    assert [line for line in lines if line in titles] == titles
    assert any("pay USD, receive EUR, budget 1000000000" in line for line in lines)
    assert any(line.startswith("  0: position 0, vault vault 0, kind allowance") for line in lines)


def test_a_witness_as_json(run: Run, world: ApiWorld, tmp_path: Path) -> None:
    code, out, _ = run(f"witness dump {CORE} --json")
    found = json.loads(out)
    assert code == 0
    assert list(found) == ["bytes", *SECTION_NAMES]
    assert found["domain"]["epoch"] == CORE
    assert len(found["orders"]["consumed"]) == len(found["fills"]) == len(found["amounts"]) == 2
    body = world.store.get(epoch_key(CORE, "witness.bin")) or b""
    (tmp_path / "witness.bin").write_bytes(body)
    assert run(f"witness dump {CORE} --file witness.bin --json") == (0, out, "")


def test_bytes_that_are_no_witness_break_law_0(run: Run, tmp_path: Path) -> None:
    (tmp_path / "witness.bin").write_bytes(b"CFXWIT")
    code, out, err = run(f"witness dump {CORE} --file witness.bin")
    assert (code, out) == (1, "")
    assert err.startswith("convexfx: L0: index 14: ")
    code, _, err = run(f"witness dump {ABORTED}")
    assert (code, err.split(": ")[1]) == (1, "COMMIT_CONFLICT")
