"""Logs: one JSON object a line, whatever the process wrote, at the five levels."""

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from convexfx.local import logs
from convexfx.local.logs import LineLog
from convexfx.log_levels import LEVELS


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "api.jsonl"


@pytest.fixture
def log(path: Path) -> LineLog:
    return LineLog(path, "api", "trace")


def one(log: LineLog, text: str) -> dict[str, Any]:
    log.text(text)
    return lines(log.path)[-1]


def test_a_line_holds_time_service_level_and_message(log: LineLog, path: Path) -> None:
    log.event("warn", "port changed", port=8081)
    (line,) = lines(path)
    assert line.pop("time").endswith("+00:00")
    assert line == {"service": "api", "level": "warn", "message": "port changed", "port": 8081}


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("2026-01-01 12:00:00 ERROR --- boom", "error"),
        ("CRITICAL:root:gone", "error"),
        ("WARNING: old", "warn"),
        ("2026-01-01T00:00:00 WARN --- [x]", "warn"),
        ("INFO:     Application startup complete.", "info"),
        ("DEBUG x", "debug"),
        ("TRACE x", "trace"),
        ("Ready.", "info"),
        ("an INFORMAL error", "info"),
    ],
)
def test_the_level_of_plain_text_is_its_level_word(log: LineLog, text: str, level: str) -> None:
    line = one(log, text)
    assert (line["level"], line["message"]) == (level, text)


def test_the_lines_of_a_traceback_share_the_level_of_its_error(log: LineLog, path: Path) -> None:
    for text in ("ERROR failed", "Traceback (most recent call last):", '  File "x"', "", "Ready."):
        log.text(text)
    assert [line["level"] for line in lines(path)] == ["error", "error", "error", "info"]


def test_json_keeps_what_the_process_added(log: LineLog) -> None:
    line = one(log, '{"level": "debug", "message": "sealed", "epoch": 7, "args": [], "x": null}')
    assert (line["level"], line["message"], line["epoch"]) == ("debug", "sealed", 7)
    assert not {"args", "x"} & set(line)


def test_a_record_of_pythons_logging_is_shortened(log: LineLog) -> None:
    record = logging.makeLogRecord(
        {"name": "prefect.flow_runs", "levelname": "WARNING", "msg": "late", "created": 0.5}
    )
    line = one(log, json.dumps({**record.__dict__, "flow_run_id": "abc"}))
    assert line == {
        "time": "1970-01-01T00:00:00.500+00:00", "service": "api", "level": "warn",
        "message": "late", "logger": "prefect.flow_runs", "flow_run_id": "abc",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["{", "{}x", '{"a": 1', "[1]", "{'level': 'error'}"])
def test_almost_json_is_plain_text(log: LineLog, text: str) -> None:
    assert one(log, text)["message"] == text


@pytest.mark.parametrize("level", LEVELS)
def test_lines_below_the_level_are_dropped(tmp_path: Path, level: str) -> None:
    log = LineLog(tmp_path / "x.jsonl", "x", level)
    for each in LEVELS:
        log.event(each, each)
    kept = [line["level"] for line in lines(tmp_path / "x.jsonl")]
    assert kept == list(LEVELS[: LEVELS.index(level) + 1])


def test_a_new_run_begins_a_new_file(log: LineLog, path: Path) -> None:
    log.text("old")
    log.close()
    LineLog(path, "api").text("new")
    assert [line["message"] for line in lines(path)] == ["new"]


def test_a_large_file_is_moved_aside(log: LineLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES_MAX", 200)
    for i in range(5):
        log.text(f"line {i}")
    moved = lines(log.path.with_name("api.jsonl.1"))
    assert [line["message"] for line in moved + lines(log.path)][-1] == "line 4"
    assert log.path.stat().st_size < 400


def test_output_is_copied_until_it_ends(log: LineLog, path: Path) -> None:
    stream = io.BytesIO(b"first\n\xff\xfe bytes\n\n" + b"x" * 40_000 + b"\nlast")
    log.pump(stream).join(5)
    copied = [line["message"] for line in lines(path)]
    assert copied[0] == "first"
    assert copied[1] == "\ufffd\ufffd bytes"
    assert len(copied[2]) == logs.LINE_CHARACTERS_MAX
    assert copied[3:] == ["last"]


def test_the_last_words_are_the_last_error_or_the_last_line(log: LineLog) -> None:
    assert log.last_words() == ""
    for text in ("first", "second"):
        log.text(text)
    assert log.last_words() == "second"
    for text in ("ERROR one", "ERROR two", "INFO leaving"):
        log.text(text)
    assert log.last_words() == "ERROR two"
    for i in range(logs.TAIL_LINES):
        log.text(f"m{i}")
    assert log.last_words() == f"m{logs.TAIL_LINES - 1}"


def test_lines_after_the_end_are_dropped(log: LineLog, path: Path) -> None:
    log.close()
    log.text("late")
    assert lines(path) == []
