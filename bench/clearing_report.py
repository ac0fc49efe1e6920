"""Judges the figures of ``bench.clearing`` by the targets of the clearing, and draws them.

Seconds depend on the machine, so no target is in seconds: one is in S, the time of one stable sort
of a million doubles on the same machine, the other in the time of cvxpy with Clarabel in the same
run. ``bench.clearing`` prints these lines last and saves the plot for ``docs/clearing.md``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]
MILLION = (50, 10**6)
OVER_SORT = {
    ("numba", "solve"): 0.45,
    ("numba", "certified"): 1.0,
    ("numba", "verify"): 0.2,
    ("numpy", "solve"): 0.6,
    ("numpy", "certified"): 2.0,
    ("numpy", "verify"): 1.0,
}
"""Most that a figure may take at a million orders and 50 assets, in S."""
OVER_CVXPY = {
    (6, 100): {"numba": 100.0, "numpy": 25.0},
    (20, 10**5): {"numba": 700.0, "numpy": 500.0},
    MILLION: {"numba": 5000.0, "numpy": 3000.0},
}
"""How many times as fast as cvxpy with Clarabel it must be at least, by (assets, orders)."""
LARGEST = (50, 10**7)
GROWTH_MAX, MEMORY_MAX_MIB = 1.3, 24 * 1024.0
"""Cost of an order at ten million orders over that at a million; memory of the process."""


def targets(rows: list[Row]) -> list[Row]:
    """Every target with the figure, where the rows hold it; ``met`` says whether it is reached."""
    found = {(r["kernels"], r["assets"], r["orders"]): r for r in rows}
    return [*_over_sort(found), *_over_cvxpy(found), *_at_the_largest(found)]


def _line(name: str, value: float, bound: float, met: bool) -> Row:
    return {"target": name, "measured": round(value, 3), "bound": bound, "met": met}


def _over_sort(found: dict[Any, Row]) -> Iterator[Row]:
    for (kernels, figure), most in OVER_SORT.items():
        row = found.get((kernels, *MILLION))
        if row is None:
            continue
        name = f"{figure} 1e6 x 50, {kernels}, in S"
        yield _line(name, row[f"{figure}_over_S"], most, row[f"{figure}_over_S"] <= most)
        if f"{figure}_2_ms" in row:
            value = row[f"{figure}_2_ms"] / row["S_ms"]
            yield _line(f"{name}, two threads", value, most, value <= most)


def _over_cvxpy(found: dict[Any, Row]) -> Iterator[Row]:
    for size, least in OVER_CVXPY.items():
        timed = [r for (_, *at), r in found.items() if tuple(at) == size and "cvxpy_ms" in r]
        for kernels, times in least.items():
            row = found.get((kernels, *size))
            if row is None or not timed:
                continue
            generic = row.get("cvxpy_ms", timed[0]["cvxpy_ms"])
            value = generic / row["solve_ms"]
            name = f"times as fast as cvxpy, {size[1]} x {size[0]}, {kernels}"
            yield _line(name, value, times, value >= times)


def _at_the_largest(found: dict[Any, Row]) -> Iterator[Row]:
    for kernels in ("numba", "numpy"):
        large, small = found.get((kernels, *LARGEST)), found.get((kernels, *MILLION))
        if large is None or small is None:
            continue
        for figure in ("solve", "certified"):
            growth = large[f"{figure}_ms"] / small[f"{figure}_ms"] * MILLION[1] / LARGEST[1]
            name = f"{figure} an order, 1e7 over 1e6, {kernels}"
            yield _line(name, growth, GROWTH_MAX, growth <= GROWTH_MAX)
        peak = large["peak_mib"]
        name = f"peak memory 1e7 x 50, {kernels}, MiB"
        yield _line(name, peak, MEMORY_MAX_MIB, peak <= MEMORY_MAX_MIB)


SERIES = {
    "solve, numba": ("numba", "solve_ms"),
    "solve, numpy": ("numpy", "solve_ms"),
    "certified, numba": ("numba", "certified_ms"),
    "certified, numpy": ("numpy", "certified_ms"),
    "verify, numba": ("numba", "verify_ms"),
    "PIQP per order": ("numba", "piqp_ms"),
    "cvxpy + Clarabel per order": ("numba", "cvxpy_ms"),
}


def plot(rows: list[Row], path: Path) -> None:
    """Time against number of orders at 50 assets, log-log."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for label, (kernels, key) in SERIES.items():
        some = [r for r in rows if r["assets"] == 50 and r["kernels"] == kernels and key in r]
        points = sorted((r["orders"], r[key]) for r in some)
        axes.loglog([x for x, _ in points], [y for _, y in points], marker="o", label=label)
    axes.set_xlabel("orders in the batch (50 assets)")
    axes.set_ylabel("milliseconds")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
