"""The self-test of an installation."""

from pathlib import Path

import pytest

from convexfx.dry_epoch import run_dry_epoch
from convexfx.selftest import attempt, describe_program, peer_checks, run_checks
from convexfx_core.errors import ConfigurationError, PeerUnreachable
from tasks.adapters.settings import Settings
from tasks.objects import sha256_hex
from tests.support.fake_laws_host import ELF, VKEY, FakeHost, fake_host

__all__ = ["fake_host"]


def test_the_dry_epoch_runs() -> None:
    assert run_dry_epoch().startswith("3 orders cleared, every law holds, 6 verifiables")


def test_without_keys_the_settings_fail_and_the_dry_epoch_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checks = list(run_checks(None))
    assert [(check.name, check.passed) for check in checks] == [
        ("laws and one dry epoch", True),
        ("settings", False),
        ("law program", True),
    ]
    assert checks[1].detail.startswith("KEYPAIR: ")


def test_it_says_what_this_installation_can_run(
    fake_host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(law_program=fake_host.folder / "elf", laws_host=fake_host.binary)
    assert describe_program(settings) == f"guest {sha256_hex(ELF)[:16]}..., SP1 6.10.0, key {VKEY}"
    monkeypatch.setenv("CONVEXFX_RUST_BIN", "")
    bare = Settings(law_program=fake_host.folder / "elf")
    assert "make rust" in describe_program(bare)
    with pytest.raises(ConfigurationError, match="make rust"):
        describe_program(bare.changed(proof_mode="executed"))


def test_a_failing_peer_is_a_result_of_one_line() -> None:
    def fails() -> str:
        raise PeerUnreachable("gateway", "an answer", "none")

    check = attempt("gateway", fails)
    assert not check.passed
    assert "\n" not in check.detail
    assert check.to_json()["name"] == "gateway"


def test_every_peer_has_a_check() -> None:
    assert [name for name, _ in peer_checks(None)] == [
        "store semantics",
        "queue",
        "gateway",
        "agreement",
    ]
