"""The notebook runs from the top, and what it shows is what it now prints; its runner."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from matplotlib import pyplot as plt

from scripts.notebook import code_cells, main, printed, read, run

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = ROOT / "examples" / "clearing.ipynb"


def notebook_of(*cells: str) -> dict[str, Any]:
    blank = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    return {"cells": [blank | {"outputs": [], "source": [cell]} for cell in cells]}


def pictures(notebook: dict[str, Any]) -> list[str]:
    outputs = [o for cell in code_cells(notebook) for o in cell["outputs"]]
    return [o["data"]["image/png"] for o in outputs if o["output_type"] == "display_data"]


def test_it_runs_and_prints_what_stands_in_it() -> None:
    stored = read(NOTEBOOK)
    again = deepcopy(stored)
    run(again, NOTEBOOK.parent)
    assert [printed(c) for c in code_cells(again)] == [printed(c) for c in code_cells(stored)]
    assert len(pictures(again)) == len(pictures(stored)) == 3


def test_cells_share_names_and_their_outputs_are_text_and_figures(tmp_path: Path) -> None:
    notebook = notebook_of("x = 2\n", "print(x + 1)\n", "import os\nprint(os.getcwd())\n",
                           "from matplotlib import pyplot as plt\nplt.plot([x, 3])\n")  # fmt: skip
    run(notebook, tmp_path)
    assert [printed(cell) for cell in code_cells(notebook)] == ["", "3\n", f"{tmp_path}\n", ""]
    assert [cell["execution_count"] for cell in notebook["cells"]] == [1, 2, 3, 4]
    assert len(pictures(notebook)) == 1
    assert plt.get_fignums() == []


def test_a_cell_that_raises_ends_the_run(tmp_path: Path) -> None:
    notebook = notebook_of("print(1)\n", "1 / 0\n", "print(2)\n")
    with pytest.raises(ZeroDivisionError):
        run(notebook, tmp_path)
    assert notebook["cells"][2]["outputs"] == []


def test_outputs_are_kept_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "small.ipynb"
    path.write_text('{"cells": [{"cell_type": "code", "outputs": [], "source": ["print(7)"]}]}')
    before = path.read_text()
    monkeypatch.setattr("sys.argv", ["notebook", str(path)])
    main()
    assert path.read_text() == before
    monkeypatch.setattr("sys.argv", ["notebook", str(path), "--save"])
    main()
    assert printed(code_cells(read(path))[0]) == "7\n"
