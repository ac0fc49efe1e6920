"""The benchmark's own parts, on the smallest sizes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import clearing as bench
from bench.clearing_report import OVER_CVXPY, OVER_SORT, plot, targets
from tests.support.clearing_cases import Shape, case_of

FIELDS = {"assets", "orders", "kernels", "S_ms", "iterations", "made_mib", "peak_mib"} | {
    f"{name}_{unit}"
    for name in ("solve", "propose", "settle", "verify", "certified")
    for unit in ("ms", "over_S")
}


def test_a_case_reports_every_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        bench, "median_ms", lambda function, budget_s=0.0: function() is None or 2.0
    )
    row = bench.measure(3, 20, "numpy", ["piqp"], seed=1)
    assert set(row) >= FIELDS
    assert row["piqp_price_error_bps"] < 1e-4
    assert row["piqp_ratio"] > 0
    assert json.loads(json.dumps(row))["orders"] == 20
    assert not any("_2_" in name for name in row)


def test_compiled_rows_tell_what_two_threads_make_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "median_ms", lambda function: function() is None or 2.0)
    monkeypatch.setattr(bench, "BUDGET_S", 0.0)
    case = case_of(Shape(assets=3, orders=400), 1)
    assert set(bench.integer_times(case, "numba")) >= {"verify_2_ms", "certified_2_ms"}


def test_numpy_rows_load_no_compiled_code() -> None:
    line = ["--case", "3", "300", "numpy", ""]
    code = (
        "import sys; from bench import clearing as b; b.BUDGET_S = 0;"
        f"sys.argv[1:] = {line!r}; b.main(); assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=bench.ROOT, stdout=-3)


def test_a_median_is_of_at_least_three_warm_runs() -> None:
    calls: list[int] = []
    assert bench.median_ms(lambda: calls.append(1), 0.0) >= 0.0
    assert len(calls) == 4


def test_the_budget_is_the_one_that_stands_when_a_median_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(bench, "BUDGET_S", 0.0)
    bench.median_ms(lambda: calls.append(1))
    assert len(calls) == 4


def test_quick_asks_every_case_for_no_more_than_three_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(bench, "BUDGET_S", bench.BUDGET_S)
    monkeypatch.setattr(sys, "argv", ["clearing", "--quick"])
    monkeypatch.setattr(
        bench, "in_fresh_process", lambda case, _: asked.append(case) or {"failed": []}
    )
    assert bench.main() == 1
    assert [case[3] for case in asked] == ["numba", "numpy"]
    assert all("--quick" in case for case in asked)
    assert bench.BUDGET_S == 0.0


def test_every_size_is_run_with_both_kernels_and_generic_solvers_where_they_can() -> None:
    lines = list(bench.cases([(6, 100), (50, 10**6)], None))
    assert [line[1:4] for line in lines] == [
        ["6", "100", "numba"], ["6", "100", "numpy"],
        ["50", "1000000", "numba"], ["50", "1000000", "numpy"],
    ]  # fmt: skip
    assert lines[0][4] == "piqp,cvxpy"
    assert lines[2][4] == "piqp,cvxpy"
    assert lines[3][4] == ""
    assert next(bench.cases([(6, 1000)], 100))[4] == ""


def test_a_failing_case_is_told_and_does_not_stop_the_others() -> None:
    told = bench.in_fresh_process(["--case", "1", "5", "numpy", ""])
    assert told["case"][1] == "1"
    assert "failed" in told


def rows_of(better: float) -> list[dict[str, object]]:
    """Rows of every size that a target names, each figure ``better`` times as good as asked."""
    rows = []
    sizes = [(50, 10**6), (50, 10**7), *OVER_CVXPY]
    for assets, orders in dict.fromkeys(sizes):
        for kernels in ("numba", "numpy"):
            row = {"assets": assets, "orders": orders, "kernels": kernels, "S_ms": 100.0}
            scale = 100.0 * orders / 10**6 / better
            scale *= 1.4 if orders == 10**7 and better < 1 else 1.0
            for figure in ("solve", "certified", "verify"):
                row[f"{figure}_ms"] = OVER_SORT[kernels, figure] * scale
                row[f"{figure}_over_S"] = row[f"{figure}_ms"] / 100.0
            row["peak_mib"] = 24 * 1024 / better
            if kernels == "numba" and (assets, orders) in OVER_CVXPY:
                asked = OVER_CVXPY[assets, orders]
                slowest = max(asked[k] * OVER_SORT[k, "solve"] for k in asked)
                row["cvxpy_ms"] = slowest * scale * better * better
                row["cvxpy_ms"] *= 1.0 if better > 1 else 0.1
            rows.append(row)
    return rows


def test_targets_are_met_or_missed_by_the_figures() -> None:
    good, bad = targets(rows_of(1.01)), targets(rows_of(0.99))
    assert len(good) == len(bad) == len(OVER_SORT) + 2 * len(OVER_CVXPY) + 6
    assert all(line["met"] for line in good)
    assert not any(line["met"] for line in bad)
    assert targets([]) == []


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    row = {"assets": 50, "solve_ms": 1.0, "certified_ms": 2.0, "verify_ms": 1.0, "piqp_ms": 9.0,
           "cvxpy_ms": 20.0}  # fmt: skip
    rows = [
        row | {"orders": k, "kernels": name} for k in (100, 1000) for name in ("numba", "numpy")
    ]
    plot(rows, tmp_path / "clearing.png")
    assert (tmp_path / "clearing.png").stat().st_size > 1000


def test_the_machine_is_described() -> None:
    facts = bench.machine()
    assert facts["cores"] >= 1
    assert facts["numpy"]
