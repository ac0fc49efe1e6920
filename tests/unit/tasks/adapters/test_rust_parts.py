"""Where the Rust parts are looked for, and what is said when they are not there."""

import subprocess
from pathlib import Path

import pytest

from convexfx_core.errors import ConfigurationError
from tasks.adapters import rust_parts as module
from tasks.adapters.rust_parts import NOT_BUILT, OVERRIDE, ROOT, RustParts, rust_parts
from tests.support.rust import REQUIRE, require_rust

NAMES = ("laws-check", "laws-check-canary", "laws-host")


def binaries(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


def test_a_named_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, str(binaries(tmp_path)))
    parts = rust_parts()
    assert parts == RustParts(tmp_path)
    assert (parts.laws_check.name, parts.laws_check_canary.name, parts.laws_host.name) == NAMES


@pytest.mark.parametrize("missing", NAMES)
def test_a_named_folder_without_a_binary_is_refused(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tuple(name for name in NAMES if name != missing)
    monkeypatch.setenv(OVERRIDE, str(binaries(tmp_path, there)))
    with pytest.raises(ConfigurationError, match=f"SETTING: {OVERRIDE}: expected a folder with"):
        rust_parts()


def test_a_binary_that_may_not_be_run_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert RustParts(binaries(tmp_path)).complete()
    monkeypatch.setattr("os.access", lambda path, _: Path(path).name != "laws-host")
    assert not RustParts(tmp_path).complete()


def test_an_empty_name_means_to_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "")
    assert rust_parts() is None


def test_outside_a_checkout_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OVERRIDE, raising=False)
    monkeypatch.setattr(module, "SCRIPT", ROOT / "no such script")
    module._built_folder.cache_clear()
    try:
        assert rust_parts() is None
    finally:
        module._built_folder.cache_clear()


def test_a_test_that_needs_them_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "")
    monkeypatch.delenv(REQUIRE, raising=False)
    with pytest.raises(pytest.skip.Exception, match=NOT_BUILT):
        require_rust()


def test_where_they_are_required_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "")
    monkeypatch.setenv(REQUIRE, "1")
    with pytest.raises(pytest.fail.Exception, match=NOT_BUILT):
        require_rust()


def key(checkout: Path) -> str:
    script = checkout / "scripts" / "rust-bin.sh"
    return subprocess.run([str(script)], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small copy of what the key is made from."""
    (tmp_path / "scripts").mkdir()
    for name in ("rust-bin.sh", "rust-cache.sh"):
        script = tmp_path / "scripts" / name
        script.write_bytes((ROOT / "scripts" / name).read_bytes())
        script.chmod(0o755)
    for crate in ("laws", "host"):
        (tmp_path / "sp1_worker" / crate / "src").mkdir(parents=True)
        (tmp_path / "sp1_worker" / crate / "Cargo.toml").write_text("[package]\n")
        (tmp_path / "sp1_worker" / crate / "src" / "lib.rs").write_text("//! One\n")
    (tmp_path / "sp1_worker" / "Cargo.toml").write_text("[workspace]\n")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["laws/src/lib.rs", "host/src/lib.rs", "host/Cargo.toml", "Cargo.toml"]
)
def test_another_source_is_another_folder(name: str, checkout: Path) -> None:
    before = key(checkout)
    assert key(checkout) == before
    (checkout / "sp1_worker" / name).write_text("//! Two\n")
    assert key(checkout) != before


def test_a_renamed_source_is_another_folder(checkout: Path) -> None:
    before = key(checkout)
    source = checkout / "sp1_worker" / "laws" / "src" / "lib.rs"
    source.rename(source.with_name("main.rs"))
    assert key(checkout) != before


def test_build_output_and_pages_do_not_change_the_key(checkout: Path) -> None:
    before = key(checkout)
    (checkout / "sp1_worker" / "laws" / "target").mkdir()
    (checkout / "sp1_worker" / "laws" / "target" / "made.rs").write_text("")
    (checkout / "sp1_worker" / "README.md").write_text("a page")
    assert key(checkout) == before
