"""Whatever a process writes, its log is JSON lines with a level of ours."""

import io
import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx.local.logs import LINE_CHARACTERS_MAX, LineLog
from convexfx.log_levels import LEVELS

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
json_lines = st.dictionaries(
    st.sampled_from(
        ["level", "levelname", "message", "msg", "time", "created", "name", "epoch", "service"]
    ),
    json_values,
).map(lambda value: json.dumps(value).encode())
PLAIN = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"])
outputs = st.lists(st.binary(max_size=60) | json_lines, max_size=8).map(b"\n".join)


@settings(max_examples=200, deadline=None)
@given(output=outputs, level=st.sampled_from(LEVELS))
def test_any_output_becomes_json_lines(output: bytes, level: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jsonl"
        log = LineLog(path, "x", level)
        log.pump(io.BytesIO(output)).join(10)
        log.close()
        text = path.read_text(encoding="utf-8")
    entries = [json.loads(line) for line in text.splitlines()]
    assert text == "" or text.endswith("\n")
    for entry in entries:
        assert entry["level"] in LEVELS[: LEVELS.index(level) + 1]
        assert entry["service"] == "x"
        assert isinstance(entry["message"], str)
        assert isinstance(entry["time"], str)
        assert len(entry["message"]) <= LINE_CHARACTERS_MAX


@settings(max_examples=100, deadline=None)
@given(message=st.text(PLAIN, min_size=1))
def test_a_line_of_plain_text_is_kept_word_for_word(message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = LineLog(Path(folder) / "x.jsonl", "x", "trace")
        log.text(f"- {message}")
        log.close()
        (line,) = log.path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["message"] == f"- {message}"
