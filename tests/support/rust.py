"""The Rust parts under test: the fixture that finds them, and the line that says they are missing.

``CONVEXFX_REQUIRE_RUST=1`` (``.ci/run``) turns a missing part from a skip into a failure.
"""

import os

import pytest

from tasks.adapters.rust_parts import NOT_BUILT, RustParts, rust_parts

REQUIRE = "CONVEXFX_REQUIRE_RUST"


def require_rust() -> RustParts:
    """The Rust parts; else the test is skipped, or fails where they are required."""
    parts = rust_parts()
    if parts is None:
        if os.environ.get(REQUIRE) == "1":
            pytest.fail(NOT_BUILT)
        pytest.skip(NOT_BUILT)
    return parts


@pytest.fixture
def rust() -> RustParts:
    """Binaries of the Rust sources as they stand."""
    return require_rust()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly that Rust parts were not run, whatever else went well."""
    if rust_parts() is None:
        skipped = sum(
            isinstance(report.longrepr, tuple) and NOT_BUILT in report.longrepr[2]
            for report in terminalreporter.stats.get("skipped", [])
        )
        terminalreporter.write_line(f"{NOT_BUILT} ({skipped} tests that need them were not run)")
