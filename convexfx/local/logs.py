"""One file of JSON lines for each process, whatever format the process itself writes.

A line holds ``time``, ``level`` (error, warn, info, debug, trace), ``service``, ``message`` and,
where the process wrote JSON, the fields that it added. Services are programs of many makers, and
one format lets people search all their logs alike. The supervisor writes its own log with it too.
"""

import json
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from convexfx.log_levels import LEVELS

LEVEL_OF_WORD: Final = {
    "CRITICAL": "error", "FATAL": "error", "ERROR": "error", "WARNING": "warn", "WARN": "warn",
    "INFO": "info", "DEBUG": "debug", "TRACE": "trace",
}  # fmt: skip
LOG_BYTES_MAX: Final = 64 * 1024 * 1024
"""A log that grows beyond this is moved to ``<name>.1`` and begun again."""
LINE_CHARACTERS_MAX: Final = 16_000
TAIL_LINES: Final = 40

_WORD = re.compile(r"\b(" + "|".join(LEVEL_OF_WORD) + r")\b")
_RECORD_FIELDS = frozenset(
    {
        "args", "asctime", "created", "exc_info", "filename", "funcName", "level", "levelname",
        "levelno", "lineno", "message", "module", "msecs", "msg", "name", "pathname", "process",
        "processName", "relativeCreated", "service", "severity", "stack_info", "taskName", "thread",
        "threadName", "time", "timestamp",
    }
)  # fmt: skip


class LineLog:
    """Writes JSON lines at or above a level.

    Parameters
    ----------
    path : file; what an earlier run left there is replaced.
    service : name on every line.
    level : least urgent level that is kept.
    """

    def __init__(self, path: Path, service: str, level: str = "info") -> None:
        self.path = path
        self._service = service
        self._kept = LEVELS[: LEVELS.index(level) + 1]
        self._last_level = "info"
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = path.open("w", encoding="utf-8")

    def event(self, level: str, message: str, **fields: object) -> None:
        """Write one line of our own."""
        self._write({"level": level, "message": message, **fields})

    def text(self, line: str) -> None:
        """Write a line that the process printed."""
        if not line.strip():
            return
        self._write(_parsed(line) or self._plain(line))

    def last_words(self) -> str:
        """The last error among the last lines, or the last line; for an error text."""
        with self._lock:
            kept = self.path.read_text(encoding="utf-8").splitlines()[-TAIL_LINES:]
        entries = [json.loads(line) for line in kept]
        errors = [entry for entry in entries if entry["level"] == "error"]
        return str((errors or entries)[-1]["message"]) if entries else ""

    def close(self) -> None:
        """Finish the file; later lines are dropped."""
        with self._lock:
            self._file.close()

    def pump(self, stream: IO[bytes]) -> threading.Thread:
        """Start a thread that copies a process's output line by line until it ends; the thread."""

        def copy() -> None:
            with stream:
                for raw in stream:
                    self.text(raw.decode("utf-8", "replace").rstrip()[:LINE_CHARACTERS_MAX])

        thread = threading.Thread(target=copy, name=f"log-{self._service}", daemon=True)
        thread.start()
        return thread

    def _plain(self, line: str) -> dict[str, Any]:
        word = _WORD.search(line[:120])
        if word:
            self._last_level = LEVEL_OF_WORD[word.group(1)]
        elif not line[0].isspace() and not line.startswith("Traceback"):
            self._last_level = "info"
        return {"level": self._last_level, "message": line}

    def _write(self, entry: dict[str, Any]) -> None:
        if entry["level"] not in self._kept:
            return
        moment = entry.pop("time", None) or datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": moment, "service": self._service, **entry}, default=str)
        with self._lock:
            if self._file.closed:
                return
            if self._file.tell() > LOG_BYTES_MAX:
                self._rotate()
            self._file.write(line + "\n")
            self._file.flush()

    def _rotate(self) -> None:
        self._file.close()
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        self._file = self.path.open("w", encoding="utf-8")


def _parsed(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    word = str(value.get("levelname") or value.get("level") or "info").upper()
    entry = {
        "level": LEVEL_OF_WORD.get(word, "info"),
        "message": str(value.get("message") or value.get("msg") or ""),
    }
    moment = _moment(value.get("created")) or value.get("time") or value.get("timestamp")
    if moment:
        entry["time"] = str(moment)
    if value.get("name"):
        entry["logger"] = str(value["name"])
    extra = {key: x for key, x in value.items() if key not in _RECORD_FIELDS and x is not None}
    return entry | extra


def _moment(created: object) -> str:
    """ISO text of the Unix time of a logging record; empty for anything else."""
    if isinstance(created, bool) or not isinstance(created, int | float):
        return ""
    try:
        return datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return ""
