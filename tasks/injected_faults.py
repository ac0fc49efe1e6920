"""Fault injection for tests: fail or die once at a named point of a stage.

``CONVEXFX_FAULT`` names a file that holds ``<point> <raise|kill>``; the file is removed when the
point is reached, so it happens once. Points are ``<stage>`` (on entry), ``<stage>.done`` (after its
last write, before it returns) and the writes between.
"""

import os
import signal
from pathlib import Path

VARIABLE = "CONVEXFX_FAULT"


class InjectedFault(Exception):
    """The failure that a test asked for; no stage tries again after it."""


def fault_point(name: str) -> None:
    """Fail here if the file of the environment variable says so."""
    setting = os.environ.get(VARIABLE)
    if not setting:
        return
    armed = Path(setting)
    if not armed.exists():
        return
    point, action = armed.read_text().split()
    if point != name:
        return
    armed.unlink()
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise InjectedFault(f"injected at {name}")
