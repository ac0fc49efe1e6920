"""Fault injection for tests: fail or die once at a named point of a stage.

``CONVEXFX_FAULT="<point>:<raise|kill>:<marker file>"``; the marker makes it happen once. Points are
``<stage>`` (on entry) and ``<stage>.done`` (after its last write, before it returns).
"""

import os
import signal
from pathlib import Path


class InjectedFault(Exception):
    """The failure that a test asked for."""


def fault_point(name: str) -> None:
    """Fail here if the environment says so and has not done so before."""
    setting = os.environ.get("CONVEXFX_FAULT", "")
    if not setting:
        return
    point, action, marker = setting.split(":", 2)
    if point != name or Path(marker).exists():
        return
    Path(marker).write_text(name)
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise InjectedFault(f"injected at {name}")
