"""Peak memory of a process and all that it starts, as the kernel counts it."""

import threading
from pathlib import Path

PROC = Path("/proc")
PERIOD_S = 0.5
PAGE_BYTES = 4096


def tree_of(root: int) -> set[int]:
    """Ids of a process and of its descendants."""
    parents: dict[int, int] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it has ended."""
    try:
        fields = (PROC / str(pid) / "statm").read_text().split()
    except OSError:
        return 0
    return PAGE_BYTES * (int(fields[1]) if len(fields) > 1 else 0)


def peak_of_tree(root: int, done: threading.Event) -> int:
    """Largest sum of resident memory in bytes until ``done`` is set, looked at twice a second."""
    peak = 0
    while True:
        peak = max(peak, sum(map(resident_bytes, tree_of(root))))
        if done.wait(PERIOD_S):
            return peak
