"""Runs a notebook from the top in this process: ``python -m scripts.notebook FILE [--save]``.

Every code cell is executed in order in one namespace. What it prints, and the figures that it
leaves open, are its outputs, as a notebook server with inline plots would show them. ``--save``
writes them into the file. No server and no kernel is needed, so a test can do it on any machine
that has the development environment.
"""

import argparse
import base64
import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

Cell = dict[str, Any]
DPI = 90


def read(path: Path) -> dict[str, Any]:
    """The notebook as a tree."""
    tree: dict[str, Any] = json.loads(path.read_text())
    return tree


def code_cells(notebook: dict[str, Any]) -> list[Cell]:
    """Its cells of code, in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def printed(cell: Cell) -> str:
    """What a cell printed when its outputs were made."""
    texts = [output["text"] for output in cell["outputs"] if output["output_type"] == "stream"]
    return "".join("".join(text) for text in texts)


def run(notebook: dict[str, Any], folder: Path) -> None:
    """Execute the code cells in ``folder`` and give each its outputs.

    Raises
    ------
    Exception
        Whatever a cell raises; the traceback names the cell.
    """
    mpl.use("Agg")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    sys.path.insert(0, str(folder))
    try:
        with contextlib.chdir(folder):
            for count, cell in enumerate(code_cells(notebook), start=1):
                text = io.StringIO()
                code = compile("".join(cell["source"]), f"cell {count}", "exec")
                with contextlib.redirect_stdout(text):
                    # A notebook is a program of this repository: to run it is the point.
                    exec(code, namespace)  # noqa: S102
                cell["execution_count"] = count
                cell["outputs"] = [*stream(text.getvalue()), *figures()]
    finally:
        sys.path.remove(str(folder))
        plt.close("all")


def stream(text: str) -> Iterator[Cell]:
    """The output of a cell that printed something."""
    if text:
        yield {"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}


def figures() -> Iterator[Cell]:
    """An output for each open figure, which is closed."""
    for number in plt.get_fignums():
        drawn, figure = io.BytesIO(), plt.figure(number)
        figure.savefig(drawn, format="png", dpi=DPI, metadata={"Software": None})
        plt.close(figure)
        picture = base64.b64encode(drawn.getvalue()).decode() + "\n"
        said = f"<Figure with {len(figure.axes)} axes>"
        data = {"image/png": picture, "text/plain": [said]}
        yield {"data": data, "metadata": {}, "output_type": "display_data"}


def main() -> None:
    """Run a notebook; keep its outputs where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--save", action="store_true", help="write the outputs into the file")
    given = parser.parse_args()
    path = given.notebook.resolve()
    notebook = read(path)
    run(notebook, path.parent)
    for cell in code_cells(notebook):
        print(printed(cell), end="")
    if given.save:
        new = path.with_suffix(".new")
        new.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
        os.replace(new, path)


if __name__ == "__main__":
    main()
