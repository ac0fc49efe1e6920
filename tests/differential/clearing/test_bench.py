"""The benchmark's own parts, on the smallest sizes."""

import json
from pathlib import Path

import pytest

from bench import clearing as bench

FIELDS = {"assets", "orders", "kernels", "S_ms", "iterations", "peak_mib"} | {
    f"{name}_{unit}"
    for name in ("solve", "propose", "certify", "verify")
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


def test_a_median_is_of_at_least_three_warm_runs() -> None:
    calls: list[int] = []
    assert bench.median_ms(lambda: calls.append(1), 0.0) >= 0.0
    assert len(calls) == 4


def test_every_size_is_run_with_both_kernels_and_generic_solvers_where_they_can() -> None:
    lines = list(bench.cases([(6, 100), (50, 10**6)], None))
    assert [line[1:4] for line in lines] == [
        ["6", "100", "numba"], ["6", "100", "numpy"],
        ["50", "1000000", "numba"], ["50", "1000000", "numpy"],
    ]  # fmt: skip
    assert lines[0][4] == "piqp,cvxpy"
    assert lines[2][4] == ""
    assert next(bench.cases([(6, 1000)], 100))[4] == ""


def test_a_failing_case_is_told_and_does_not_stop_the_others() -> None:
    told = bench.in_fresh_process(["--case", "1", "5", "numpy", ""])
    assert told["case"][1] == "1"
    assert "failed" in told


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    row = {"assets": 50, "solve_ms": 1.0, "propose_ms": 2.0, "certify_ms": 1.0, "piqp_ms": 9.0,
           "cvxpy_ms": 20.0}  # fmt: skip
    rows = [
        row | {"orders": k, "kernels": name} for k in (100, 1000) for name in ("numba", "numpy")
    ]
    bench.plot(rows, tmp_path / "clearing.png")
    assert (tmp_path / "clearing.png").stat().st_size > 1000


def test_the_machine_is_described() -> None:
    facts = bench.machine()
    assert facts["cores"] >= 1
    assert facts["numpy"]
