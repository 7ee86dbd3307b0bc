"""Write the examples as notebooks, executed: `make notebooks`.

The scripts are the source. A line ``# %%`` begins a cell of code, ``# %% [markdown]`` one of text.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
EXAMPLES = ("scribbles", "differentiable_mincut", "volume3d", "stereo")


def cells_of(script: str) -> list[tuple[str, str]]:
    """Kind, "markdown" or "code", and text of the cells of a script."""
    cells = []
    for part in ("\n" + script).split("\n# %%")[1:]:
        first, _, text = part.partition("\n")
        if first.strip() == "[markdown]":
            lines = [line.removeprefix("#").removeprefix(" ") for line in text.strip().split("\n")]
            cells.append(("markdown", "\n".join(lines)))
        else:
            cells.append(("code", text.strip()))
    return cells


def notebook_of(script: str) -> nbformat.NotebookNode:
    """An empty notebook of a script's cells."""
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    cells = [make[kind](text) for kind, text in cells_of(script)]
    for position, cell in enumerate(cells):
        cell["id"] = f"cell-{position}"  # the same every time
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def main() -> None:
    """Execute and write all of them."""
    os.environ.pop("MPLBACKEND", None)  # the kernel shows figures in the notebook
    for name in EXAMPLES:
        notebook = notebook_of((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
        NotebookClient(notebook, record_timing=False).execute()
        nbformat.write(notebook, FOLDER / f"{name}.ipynb")
        print(f"{name}.ipynb: {(FOLDER / f'{name}.ipynb').stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
