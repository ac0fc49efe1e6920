"""``convexfx clear`` and ``verify`` as commands: exit codes, messages, and no solver in verify."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from convexfx.cli import clear as commands
from tests.attack.result_batches import batch_tree

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    built = typer.Typer()
    built.command()(commands.clear)
    built.command()(commands.verify)
    return built


@pytest.fixture
def files(tmp_path: Path, app: typer.Typer) -> tuple[Path, Path]:
    """A batch file and its certified result."""
    batch, result = tmp_path / "batch.json", tmp_path / "result.json"
    batch.write_text(json.dumps(batch_tree("rejecting")))
    done = RUNNER.invoke(app, ["clear", str(batch), "-o", str(result)])
    assert done.exit_code == 0, done.output
    return batch, result


def test_clear_then_verify(app: typer.Typer, files: tuple[Path, Path]) -> None:
    done = RUNNER.invoke(app, ["verify", *map(str, files)])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("certified: ")
    tree = json.loads(files[1].read_text())
    assert set(tree["timing_ms"]) == {"solve", "certify"}
    assert files[1].read_bytes().endswith(b"}\n")


def test_a_result_on_the_screen_is_the_same_but_for_its_timing(app, files) -> None:
    shown = json.loads(RUNNER.invoke(app, ["clear", str(files[0])]).stdout)
    written = json.loads(files[1].read_text())
    assert {**shown, "timing_ms": 0} == {**written, "timing_ms": 0}


def test_another_sequence_of_orders_gives_the_same_bytes(app, files, tmp_path: Path) -> None:
    tree = batch_tree("rejecting")
    tree["orders"].reverse()
    batch = tmp_path / "other.json"
    batch.write_text(json.dumps(tree))
    other = json.loads(RUNNER.invoke(app, ["clear", str(batch)]).stdout)
    written = json.loads(files[1].read_text())
    other["timing_ms"] = written["timing_ms"]
    assert json.dumps(other, sort_keys=True, separators=(",", ":")) + "\n" == files[1].read_text()


def test_a_lie_exits_1_with_its_law(app, files) -> None:
    batch, result = files
    tree = json.loads(result.read_text())
    tree["inventory_after"]["EUR"] = "1.000000"
    result.write_text(json.dumps(tree))
    done = RUNNER.invoke(app, ["verify", str(batch), str(result)])
    assert done.exit_code == 1
    assert done.stderr.startswith("L6: index 1: ")
    assert "(inventory exact)" in done.stderr


def test_malformed_files_exit_2_and_name_the_field(app, files) -> None:
    batch, result = files
    result.write_text('{"version": 1, "status": 3}')
    done = RUNNER.invoke(app, ["verify", str(batch), str(result)])
    assert done.exit_code == 2
    assert "status: expected a string" in done.stderr
    batch.write_text(json.dumps({**batch_tree("plain"), "fee_ppm": 300}))
    for arguments in (["clear", str(batch)], ["verify", str(batch), str(result)]):
        done = RUNNER.invoke(app, arguments)
        assert done.exit_code == 2
        assert "fee_ppm: expected a string, found the number 300" in done.stderr
        assert "Traceback" not in done.output


def test_a_missing_file_exits_2(app, tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["clear", str(tmp_path / "none.json")])
    assert done.exit_code == 2
    assert "cannot be read" in done.stderr


def test_a_clearing_that_fails_exits_1_without_fills(app, files, monkeypatch) -> None:
    refuse = commands.refuse_unsteady

    def unsteady(proposal):
        refuse(proposal)
        raise commands.ClearingRefused(commands.ClearingCode.STEP_NORM, "y", "small", "1")

    monkeypatch.setattr(commands, "refuse_unsteady", unsteady)
    done = RUNNER.invoke(app, ["clear", str(files[0]), "-o", str(files[1])])
    assert done.exit_code == 1
    tree = json.loads(files[1].read_text())
    assert (tree["status"], tree["fills"]) == ("refused", [])
    assert tree["reason"].startswith("Clearing failed: STEP_NORM")
    assert RUNNER.invoke(app, ["verify", *map(str, files)]).exit_code == 2


def test_a_proposal_that_breaks_a_law_is_refused(app, files, monkeypatch) -> None:
    real = commands.claims_of

    def lying(proposal, settlement):
        claims = real(proposal, settlement)
        claims.received[claims.paid > 0] += 1
        return claims

    monkeypatch.setattr(commands, "claims_of", lying)
    done = RUNNER.invoke(app, ["clear", str(files[0])])
    assert done.exit_code == 1
    assert "NO_CERTIFICATE: L3" in done.stderr


SOLVERS = ("cvxpy", "piqp", "scipy", "convexfx_core.clearing")


def test_verify_imports_no_solver(files) -> None:
    program = (
        "import sys\n"
        "from convexfx.cli.main import main\n"
        "sys.argv = ['convexfx', 'verify', *sys.argv[1:]]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as done:\n"
        "    assert not done.code, done.code\n"
        f"loaded = [name for name in {SOLVERS!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    command = [sys.executable, "-c", program, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("certified")


def test_canary_clear_does_import_one(files) -> None:
    program = (
        "import sys\n"
        "from convexfx.cli.clear import clear\n"
        "from pathlib import Path\n"
        "clear(Path(sys.argv[1]), None)\n"
        "assert 'convexfx_core.clearing' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(files[0])], check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr


def test_an_output_that_cannot_be_written_exits_2_without_a_traceback(app, files, tmp_path) -> None:
    nowhere = tmp_path / "none" / "result.json"
    done = RUNNER.invoke(app, ["clear", str(files[0]), "-o", str(nowhere)])
    assert done.exit_code == 2
    assert done.stderr == f"{nowhere}: cannot be written: No such file or directory\n"
