"""The self-test of an installation."""

import pytest

from convexfx.dry_epoch import run_dry_epoch
from convexfx.selftest import attempt, peer_checks, run_checks
from convexfx_core.errors import PeerUnreachable


def test_the_dry_epoch_runs() -> None:
    assert run_dry_epoch().startswith("3 orders cleared, every law holds, 6 verifiables")


def test_without_keys_the_settings_fail_and_the_dry_epoch_still_runs(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checks = list(run_checks(None))
    assert [(check.name, check.passed) for check in checks] == [
        ("laws and one dry epoch", True),
        ("settings", False),
    ]
    assert checks[1].detail.startswith("KEYPAIR: ")


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
        "law program and agreement",
    ]
