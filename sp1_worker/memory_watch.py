"""Peak memory of a process and of all that it starts, as the kernel counts it.

A prover works in several processes, and its need of memory decides which machine can prove. So the
check of ``make prove`` reads ``/proc`` twice a second while a proof is made and keeps the largest
sum. ``sp1_worker/prove_check.py`` holds that figure to a limit.
"""

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
    """Watch until ``done`` is set; the largest sum of resident memory that was seen, bytes."""
    peak = 0
    while True:
        peak = max(peak, sum(map(resident_bytes, tree_of(root))))
        if done.wait(PERIOD_S):
            return peak
