"""How long a clearing takes, against generic solvers on the same subproblems.

``python -m bench.clearing`` runs every size with both kernels, one fresh process a case, and prints
one JSON line a case; ``--save`` keeps them with the facts of the machine under ``bench/results``
and draws ``clearing.png``. Times are medians of warm runs on one BLAS thread, in milliseconds:

solve    columns in, prices and fills out (floats)
propose  integers in, integer proposal out
certify  settlement and all laws on it
verify   the laws alone
S        one stable sort of a million doubles, the unit of the targets

Generic solvers get the per-order model of the last subproblem; the whole loop is counted as that
time once for each of our iterations.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
RESULTS = Path(__file__).parent / "results"
SIZES = [(n, 10**e) for e in (2, 3, 4, 5, 6) for n in (6, 20, 50)] + [(50, 10**7)]
GENERIC_ORDERS_MAX = {"piqp": 10**5, "cvxpy": 10**5}
GROSS_MILLIONS = 2000.0


def median_ms(function: Callable[[], Any], budget_s: float = 3.0) -> float:
    """Median of warm runs: at least three, at most two hundred, about ``budget_s`` in all."""
    function()
    taken: list[float] = []
    while len(taken) < 3 or (sum(taken) < budget_s and len(taken) < 200):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return 1e3 * statistics.median(taken)


def measure(
    assets: int, orders: int, kernels: str, generic: list[str], seed: int
) -> dict[str, Any]:
    """One case in this process."""
    import numpy as np

    from convexfx_core.clearing import propose
    from convexfx_core.clearing.kernels import load
    from convexfx_core.clearing.problem import pose
    from convexfx_core.clearing.scp import solve
    from convexfx_core.laws import check_clearing
    from convexfx_core.result_file import claims_of
    from convexfx_core.settlement import settle
    from tests.property.clearing_cases import Shape, case_of

    chosen = load("numba" if kernels == "numba" else "numpy")
    case = case_of(Shape(assets=assets, orders=orders, gross=GROSS_MILLIONS), seed)
    numbers = np.random.default_rng(0).random(1_000_000)
    sort_ms = median_ms(lambda: np.sort(numbers, kind="stable"), 1.0)
    problem = pose(case)
    found = solve(problem.market, problem.demand, chosen)
    proposal = propose(case, kernels="numba" if kernels == "numba" else "numpy")
    claims = claims_of(proposal, settle(case, proposal))
    row: dict[str, Any] = {
        "assets": assets,
        "orders": orders,
        "kernels": kernels,
        "S_ms": sort_ms,
        "iterations": found.iterations,
        "steps": found.steps,
        "solve_ms": median_ms(lambda: solve(problem.market, problem.demand, chosen)),
        "propose_ms": median_ms(lambda: propose(case, kernels=chosen.name)),
        "certify_ms": median_ms(
            lambda: check_clearing(case, claims_of(proposal, settle(case, proposal)))
        ),
        "verify_ms": median_ms(lambda: check_clearing(case, claims)),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    for name in ("solve", "propose", "certify", "verify"):
        row[f"{name}_over_S"] = row[f"{name}_ms"] / sort_ms
    for backend in generic:
        row.update(generic_times(problem, found, backend, row["solve_ms"]))
    return row


def generic_times(problem: Any, found: Any, backend: str, solve_ms: float) -> dict[str, Any]:
    """Time of a generic solver on the per-order subproblem, and the ratio to ours."""
    import numpy as np

    from convexfx_core.clearing.qp import solve_subproblem
    from tests.differential.clearing.test_solvers import per_order

    programme = per_order(problem.market, problem.demand, found)
    repeats = 1 if len(programme.limit) > 20_000 else 3
    best = np.inf
    for _ in range(repeats + (repeats > 1)):
        started = time.perf_counter()
        other = solve_subproblem(programme, "piqp" if backend == "piqp" else "cvxpy")
        best = min(best, time.perf_counter() - started)
    whole = 1e3 * best * found.iterations
    return {
        f"{backend}_ms": whole,
        f"{backend}_ratio": whole / solve_ms,
        f"{backend}_price_error_bps": float(np.abs(other.u - found.u).max()),
    }


def machine() -> dict[str, Any]:
    """Facts that the figures depend on."""
    import numba
    import numpy as np

    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "load": os.getloadavg()[0],
    }


def cases(sizes: list[tuple[int, int]], generic_max: int | None) -> Iterator[list[str]]:
    """Command lines of the cases; the generic solvers run beside the compiled kernels only."""
    for assets, orders in sizes:
        for kernels in ("numba", "numpy"):
            limits = {
                name: most if generic_max is None else generic_max
                for name, most in GENERIC_ORDERS_MAX.items()
            }
            generic = [name for name, most in limits.items() if orders <= most]
            yield ["--case", str(assets), str(orders), kernels, ",".join(generic)]


def in_fresh_process(arguments: list[str]) -> dict[str, Any]:
    """Result of one case, run alone in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.clearing", *arguments],
        env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return {"case": arguments, "failed": done.stderr.strip().splitlines()[-1:]}
    out: dict[str, Any] = json.loads(done.stdout)
    return out


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Time against number of orders at 50 assets, log-log."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    series = {
        "solve, numba": ("numba", "solve_ms"),
        "solve, numpy": ("numpy", "solve_ms"),
        "integers in to certified out, numpy": ("numpy", "whole_ms"),
        "PIQP per order": ("numba", "piqp_ms"),
        "cvxpy + Clarabel per order": ("numba", "cvxpy_ms"),
    }
    for label, (kernels, key) in series.items():
        some = [r for r in rows if r.get("assets") == 50 and r.get("kernels") == kernels]
        points = [
            (r["orders"], r[key] if key in r else r["propose_ms"] + r["certify_ms"])
            for r in some
            if key in r or key == "whole_ms"
        ]
        axes.loglog(*zip(*sorted(points), strict=True), marker="o", label=label)
    axes.set_xlabel("orders in the batch (50 assets)")
    axes.set_ylabel("milliseconds")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> int:
    """Run the cases; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", nargs=4, metavar=("ASSETS", "ORDERS", "KERNELS", "GENERIC"))
    parser.add_argument("--orders-max", type=int, default=10**6)
    parser.add_argument("--generic-max", type=int, help="largest case for generic solvers")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    if given.case:
        assets, orders, kernels, generic = given.case
        names = [name for name in generic.split(",") if name]
        print(json.dumps(measure(int(assets), int(orders), kernels, names, seed=1)))
        return 0
    sizes = [size for size in SIZES if size[1] <= given.orders_max]
    rows = []
    for arguments in cases(sizes, given.generic_max):
        rows.append(in_fresh_process(arguments))
        print(json.dumps(rows[-1]), flush=True)
    if given.save:
        RESULTS.mkdir(exist_ok=True)
        saved = {"machine": machine(), "cases": rows}
        (RESULTS / "clearing.json").write_text(json.dumps(saved, indent=1) + "\n")
        plot([r for r in rows if "failed" not in r], RESULTS / "clearing.png")
    return int(any("failed" in row for row in rows))


if __name__ == "__main__":
    sys.exit(main())
