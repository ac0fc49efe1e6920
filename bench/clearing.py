"""Times the clearing by size, against generic solvers on the same subproblems.

``python -m bench.clearing`` runs every size with both kernels, one fresh process a case, and prints
one JSON line a case, then the targets with what was measured; ``--save`` keeps all of it with the
facts of the machine in ``bench/results/clearing.json`` and draws ``docs/clearing-times.png``.
``--quick`` runs the smallest size with each kernel, and every figure is of three runs: seconds, or
a minute where nothing is compiled yet. It tells whether the benchmark runs; its figures are worth
nothing.
Times are medians of warm runs on one BLAS thread, in milliseconds:

solve      columns in, prices and fills out (floats)
propose    integers in, integer proposal out
settle     the proposal to received amounts, fees and inventories
verify     the laws alone
certified  integers in to certified integers out: propose, settle, verify
S          one stable sort of a million doubles, the unit of the targets

Numpy rows use no compiled code anywhere. Compiled rows also give ``_2`` figures: settlement and
laws with their blocks on two threads of our own. Generic solvers get the per-order model of the
last subproblem; their whole loop is counted as that time once for each of our iterations. The
allocator keeps freed memory (``MALLOC_*``), as in a process that clears batch after batch;
``--fresh-memory`` leaves it at its defaults. Peak memory is that of the whole process, the making
of the batch included.
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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
ROOT = Path(__file__).resolve().parents[1]
RESULTS, PLOT = ROOT / "bench/results/clearing.json", ROOT / "docs/clearing-times.png"
SIZES = [(n, 10**e) for e in (2, 3, 4, 5, 6) for n in (6, 20, 50)] + [(50, 10**7)]
QUICK_SIZE = (6, 100)
GENERIC_ORDERS_MAX = {"piqp": 10**5, "cvxpy": 10**5}
GENERIC_LARGEST = (50, 10**6)
"""The one size above these at which generic solvers run too: a minute and more."""
GENERIC_ACCURACY = 1e-9
GROSS_MILLIONS = 2000.0
BUDGET_S = 0.6
FIGURES = ("solve", "propose", "settle", "verify", "certified")


def median_ms(function: Callable[[], Any], budget_s: float | None = None) -> float:
    """Median of warm runs: at least three, at most two hundred, about ``budget_s`` in all.

    Without a budget it is :data:`BUDGET_S` as it stands at the call.
    """
    budget_s = BUDGET_S if budget_s is None else budget_s
    function()
    taken: list[float] = []
    while len(taken) < 3 or (sum(taken) < budget_s and len(taken) < 200):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return 1e3 * statistics.median(taken)


def peak_mib() -> float:
    """Most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(
    assets: int, orders: int, kernels: str, generic: list[str], seed: int
) -> dict[str, Any]:
    """One case in this process."""
    import numpy as np

    from convexfx_core.clearing.kernels import load
    from convexfx_core.clearing.problem import pose
    from convexfx_core.clearing.scp import solve
    from tests.support.clearing_cases import Shape, case_of

    chosen = load("numba" if kernels == "numba" else "numpy")
    case = case_of(Shape(assets=assets, orders=orders, gross=GROSS_MILLIONS), seed)
    made_mib = peak_mib()
    numbers = np.random.default_rng(0).random(1_000_000)
    sort_ms = median_ms(lambda: np.sort(numbers, kind="stable"), 2 * BUDGET_S)
    problem = pose(case, chosen.read_rows)
    found = solve(problem.market, problem.demand, chosen)
    row: dict[str, Any] = {
        "assets": assets,
        "orders": orders,
        "kernels": kernels,
        "S_ms": sort_ms,
        "iterations": found.iterations,
        "steps": found.steps,
        "solve_ms": median_ms(lambda: solve(problem.market, problem.demand, chosen)),
    }
    if not generic:
        del problem
    row |= integer_times(case, chosen.name)
    row |= {"made_mib": made_mib, "peak_mib": peak_mib()}
    for name in FIGURES:
        row[f"{name}_over_S"] = row[f"{name}_ms"] / sort_ms
    for backend in generic:
        row.update(generic_times(problem, found, backend, row["solve_ms"]))
    return row


def integer_times(case: Any, kernels: str) -> dict[str, float]:
    """Times of everything that has integers at both ends, with no code but that of ``kernels``."""
    from convexfx_core.arithmetic.columns import Spread
    from convexfx_core.clear_files.verify import claims_of
    from convexfx_core.clearing import propose
    from convexfx_core.laws import check_clearing
    from convexfx_core.settlement.settle import settle

    engine = "compiled" if kernels == "numba" else "columnar"

    def settled(proposal: Any, spread: Spread = map) -> Any:
        return claims_of(proposal, settle(case, proposal, kernels=kernels, spread=spread))

    def certified(spread: Spread = map) -> None:
        claims = settled(propose(case, kernels=kernels), spread)
        check_clearing(case, claims, engine=engine, spread=spread)

    proposal = propose(case, kernels=kernels)
    claims = settled(proposal)
    times = {
        "propose_ms": median_ms(lambda: propose(case, kernels=kernels)),
        "settle_ms": median_ms(lambda: settled(proposal)),
        "verify_ms": median_ms(lambda: check_clearing(case, claims, engine=engine)),
        "certified_ms": median_ms(certified),
    }
    if kernels == "numba":
        with ThreadPoolExecutor(2) as pool:
            times["verify_2_ms"] = median_ms(
                lambda: check_clearing(case, claims, engine=engine, spread=pool.map)
            )
            times["certified_2_ms"] = median_ms(lambda: certified(pool.map))
    return times


def generic_times(problem: Any, found: Any, backend: str, solve_ms: float) -> dict[str, Any]:
    """Time of a generic solver on the per-order subproblem, and the ratio to ours."""
    import numpy as np

    from convexfx_core.clearing.qp import solve_subproblem
    from tests.differential.clearing.test_solvers import per_order

    programme = per_order(problem.market, problem.demand, found)
    best, repeats = np.inf, 1 if len(programme.limit) > 200_000 else 4
    for _ in range(repeats):
        started = time.perf_counter()
        other = solve_subproblem(
            programme, "piqp" if backend == "piqp" else "cvxpy", GENERIC_ACCURACY
        )
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
    """Command lines of the cases; generic solvers run once at the largest size they run at."""
    for assets, orders in sizes:
        for kernels in ("numba", "numpy"):
            most = GENERIC_ORDERS_MAX if generic_max is None else dict.fromkeys(
                GENERIC_ORDERS_MAX, generic_max
            )  # fmt: skip
            generic = [name for name, limit in most.items() if orders <= limit]
            if generic_max is None and (assets, orders) == GENERIC_LARGEST and kernels == "numba":
                generic = list(GENERIC_ORDERS_MAX)
            yield ["--case", str(assets), str(orders), kernels, ",".join(generic)]


def in_fresh_process(arguments: list[str], fresh_memory: bool = False) -> dict[str, Any]:
    """Result of one case, run alone in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.clearing", *arguments], cwd=ROOT,
        env=os.environ | ONE_THREAD | ({} if fresh_memory else KEPT_MEMORY),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return {"case": arguments, "failed": done.stderr.strip().splitlines()[-1:]}
    out: dict[str, Any] = json.loads(done.stdout)
    return out


def main() -> int:
    """Run the cases; 1 if one of them failed."""
    global BUDGET_S
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--case", nargs=4, metavar=("ASSETS", "ORDERS", "KERNELS", "GENERIC"))
    parser.add_argument("--orders-max", type=int, default=10**7)
    parser.add_argument("--generic-max", type=int, help="largest case for generic solvers")
    parser.add_argument("--quick", action="store_true", help="one small size: does it run at all?")
    parser.add_argument("--fresh-memory", action="store_true", help="allocator's defaults")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    if given.quick:
        BUDGET_S = 0.0
    if given.case:
        assets, orders, kernels, generic = given.case
        names = [name for name in generic.split(",") if name]
        print(json.dumps(measure(int(assets), int(orders), kernels, names, seed=1)))
        return 0
    from bench.clearing_report import plot, targets

    sizes = [QUICK_SIZE] if given.quick else [s for s in SIZES if s[1] <= given.orders_max]
    rows, began = [], time.perf_counter()
    quick = ["--quick"] if given.quick else []
    for arguments in cases(sizes, given.generic_max):
        rows.append(in_fresh_process([*arguments, *quick], given.fresh_memory))
        print(json.dumps(rows[-1]), flush=True)
    good = [row for row in rows if "failed" not in row]
    reached = targets(good)
    for line in reached:
        print(json.dumps(line))
    if given.save:
        RESULTS.parent.mkdir(exist_ok=True)
        spent = round(time.perf_counter() - began)
        saved = {"machine": machine(), "seconds": spent, "targets": reached, "cases": rows}
        RESULTS.write_text(json.dumps(saved, indent=1) + "\n")
        plot(good, PLOT)
    return int(len(good) < len(rows))


if __name__ == "__main__":
    sys.exit(main())
