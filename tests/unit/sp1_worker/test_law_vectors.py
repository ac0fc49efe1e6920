"""The golden vectors of the laws through ``laws-check``: verdict, index and public values."""

import json
import subprocess
from pathlib import Path

from tasks.adapters.rust_parts import RustParts

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "laws"
ROWS = [line.split("\t") for line in (VECTORS / "index.tsv").read_text().splitlines()]


def verdicts(rust: RustParts, *options: str) -> list[list[str]]:
    """A row of the index for each vector, as the binary judges it."""
    files = [str(VECTORS / row[0]) for row in ROWS]
    command = [str(rust.laws_check), *files, "--json", *options]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 1, said.stderr
    found = []
    for line in map(json.loads, said.stdout.splitlines()):
        name = Path(line["file"]).name
        if line["verdict"] == "ok":
            found.append([name, "ok", "-", line["public_values"]])
        else:
            found.append([name, str(line["law"]), str(line["index"]), "-"])
    return found


def test_every_vector_gets_its_verdict(rust: RustParts) -> None:
    assert verdicts(rust) == ROWS


def test_the_plain_form_agrees(rust: RustParts) -> None:
    assert verdicts(rust, "--plain") == ROWS
