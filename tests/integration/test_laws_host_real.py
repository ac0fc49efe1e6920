"""The client against the real ``laws-host``: everything that needs no proof to be made."""

import subprocess
from pathlib import Path

import pytest

from convexfx_core.errors import LawViolated, ProofError
from convexfx_core.laws import check
from tasks.adapters.law_program import read_law_program
from tasks.adapters.laws_host import LawsHost, verify_with
from tasks.adapters.laws_serve import is_listening, ping, wait_for_socket
from tasks.adapters.rust_parts import RustParts
from tests.support.witnesses.forge import verdict

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "laws"
VALUES = bytes(392)


@pytest.fixture
def host(rust: RustParts, tmp_path: Path) -> LawsHost:
    program = read_law_program()
    assert program is not None
    return LawsHost(rust.laws_host, program, lock=tmp_path / "lock")


def vectors(law: str) -> list[Path]:
    rows = [line.split("\t") for line in (VECTORS / "index.tsv").read_text().splitlines()]
    return [VECTORS / name for name, found, *_ in rows if found == law]


def test_the_host_is_of_this_version_and_this_elf(host: LawsHost) -> None:
    found = host.selfcheck(with_vkey=False)
    assert (found["sp1"], found["ok"]) == ("6.10.0", True)
    assert found["elf_sha256"] == host.program.elf_sha256


@pytest.mark.slow
def test_the_pinned_key_is_that_of_the_pinned_elf(host: LawsHost) -> None:
    assert host.vkey() == host.program.vkey


@pytest.mark.parametrize("law", range(21))
def test_a_broken_law_has_python_s_number_and_index(host: LawsHost, law: int) -> None:
    data = vectors(str(law))[0].read_bytes()
    with pytest.raises(LawViolated) as caught:
        host.execute(data)
    assert (caught.value.law, caught.value.index) == verdict(data)
    assert caught.value.line().startswith(f"L{law}: index {caught.value.index}: expected ")


def test_public_values_are_python_s(host: LawsHost) -> None:
    data = vectors("ok")[0].read_bytes()
    assert host.execute(data).public_values == check(data).to_bytes()


def test_there_is_no_proof_of_a_witness_that_breaks_a_law(host: LawsHost) -> None:
    with pytest.raises(LawViolated) as caught:
        host.prove("core", vectors("5")[0].read_bytes())
    assert caught.value.law == 5


@pytest.mark.parametrize("proof", [b"", b"no proof", bytes(1_000)])
@pytest.mark.parametrize("mode", ["core", "compressed", "gpu"])
def test_bytes_that_are_no_proof_are_refused(host: LawsHost, mode: str, proof: bytes) -> None:
    with pytest.raises(ProofError) as caught:
        host.verify(mode, proof, VALUES)
    assert caught.value.code == "PROOF_INVALID"


def test_another_key_is_refused(host: LawsHost, tmp_path: Path) -> None:
    key = host.program.vkey_file
    with pytest.raises(ProofError) as caught:
        verify_with(host.binary, key, bytes(32), "core", b"no proof", VALUES)
    assert caught.value.code == "WRONG_VKEY"
    (tmp_path / "vkey.bin").write_bytes(b"no key")
    with pytest.raises(ProofError) as caught:
        verify_with(
            host.binary, tmp_path / "vkey.bin", host.program.vkey, "core", b"no proof", VALUES
        )
    assert caught.value.code in ("WRONG_VKEY", "PROVER_ENVIRONMENT")


def test_a_cold_server_answers_and_ends_when_told(host: LawsHost, tmp_path: Path) -> None:
    """Its prover, minutes on a busy machine, is made for the first proof only."""
    socket = tmp_path / "s"
    words = ("--elf", str(host.program.elf), "serve", "--cold", "--socket", str(socket))
    process = subprocess.Popen([str(host.binary), *words], stderr=subprocess.DEVNULL)
    try:
        wait_for_socket(socket, 60)
        assert ping(socket)["event"] == "done"
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert not is_listening(socket)
