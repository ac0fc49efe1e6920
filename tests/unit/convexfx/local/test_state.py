"""The state file: whole or absent, owned by one supervisor."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from convexfx.local.processes import identity
from convexfx.local.state import Running, StackState, StateFile
from convexfx_core.errors import ConfigurationError


def state(**changes: Any) -> StackState:
    fields: dict[str, Any] = {
        "marker": "m", "pid": os.getpid(), "identity": identity(os.getpid()),
        "services": [Running("api", 4711, "logs/api.jsonl", "ready", "http://127.0.0.1:8080")],
    }  # fmt: skip
    return StackState(**{**fields, **changes})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "deep" / "folder")
    file.write(state(status="ready"))
    assert file.read() == state(status="ready")


def test_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    for status in ("starting", "ready", "stopped"):
        file.write(state(status=status))
    assert [path.name for path in tmp_path.iterdir()] == ["stack.json"]


def test_without_a_file_there_is_no_state(tmp_path: Path) -> None:
    assert StateFile(tmp_path).read() is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1}', "{", "null"])
def test_another_text_is_no_state(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    assert StateFile(tmp_path).read() is None


def test_a_field_too_many_is_no_state(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    file.write(state())
    value = json.loads(file.path.read_text())
    file.path.write_text(json.dumps(value | {"extra": 1}))
    assert file.read() is None


def test_a_living_supervisor_is_told_from_a_reused_id() -> None:
    assert state().alive()
    assert not state(identity="another").alive()
    assert not state(identity="").alive()


def test_one_supervisor_owns_the_folder(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    with file.owned():
        file.write(state())
        with pytest.raises(ConfigurationError) as caught, StateFile(tmp_path).owned():
            pass
    assert caught.value.code == "SETTING"
    assert str(os.getpid()) in str(caught.value.observed)
    assert "convexfx down" in caught.value.expected
    with StateFile(tmp_path).owned():
        pass
