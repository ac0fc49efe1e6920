"""What people see: lines on a plain stream, a spinner on a terminal."""

import io

import pytest
from rich.console import Console

from convexfx.local.progress import ConsoleProgress, PatientConsole, SilentProgress


def shown(*, terminal: bool) -> tuple[ConsoleProgress, io.StringIO]:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=100, highlight=False)
    return ConsoleProgress(console), text


def test_a_plain_stream_gets_one_line_for_what_is_done() -> None:
    progress, text = shown(terminal=False)
    progress.begin("starting api")
    progress.done("api", 1.234, "http://127.0.0.1:8080")
    progress.done("worker-sp1-gpu", 12.0)
    progress.end()
    assert text.getvalue().splitlines() == [
        "ok api                        1.2 s  http://127.0.0.1:8080",
        "ok worker-sp1-gpu            12.0 s",
    ]


def test_a_long_line_is_not_wrapped() -> None:
    progress, text = shown(terminal=False)
    progress.done("api", 1.0, "x" * 200)
    assert len(text.getvalue().splitlines()) == 1


def test_a_terminal_sees_what_is_under_way() -> None:
    progress, text = shown(terminal=True)
    progress.begin("starting localstack")
    progress.begin("starting prefect-server")
    progress.done("localstack", 3.0)
    progress.end()
    progress.end()
    assert "starting prefect-server" in text.getvalue()
    assert "localstack                 3.0 s" in text.getvalue()


def test_a_reader_that_went_away_does_not_stop_the_stack() -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    progress = ConsoleProgress(PatientConsole(file=Closed()))
    progress.done("api", 1.0)
    progress.done("worker", 1.0)


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    progress = SilentProgress()
    progress.begin("starting")
    progress.done("api", 1.0)
    progress.end()
    assert capsys.readouterr() == ("", "")
