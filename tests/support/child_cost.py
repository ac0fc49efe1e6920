"""What a call costs in memory, measured in a process of its own.

``tracemalloc`` does not see what Arrow allocates, and a test process keeps freed memory, so only
the resident peak of a fresh process tells the truth.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOMB_BYTES_MAX = 64 << 20
"""Most memory that an input of a few kilobytes may cost."""
_CHILD = """
import json, re, sys
from pathlib import Path

def mark(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

data = sys.stdin.buffer.read()
{setup}
Path("/proc/self/clear_refs").write_text("5")
before, said = mark("VmRSS"), "nothing was refused"
try:
    {call}
except Exception as error:
    said = str(getattr(error, "code", type(error).__name__)) + ": " + str(error)[:300]
print(json.dumps([mark("VmHWM") - before, said]))
"""


@dataclass(frozen=True)
class Cost:
    """Growth of the resident peak, and the first characters of what was raised."""

    peak_bytes: int
    said: str


def cost_of(setup: str, call: str, data: bytes) -> Cost:
    """Cost of one statement; ``setup`` is not measured, ``data`` stands in a variable."""
    source = _CHILD.format(setup=setup, call=call)
    done = subprocess.run(
        [sys.executable, "-c", source], input=data, cwd=ROOT, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    return Cost(*json.loads(done.stdout))
