"""Write the examples as notebooks, executed: `make notebooks`.

The scripts are the source; jupytext reads their cells. Names on the command line: these alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
EXAMPLES = (  # in the order of the gallery
    "scribbles",
    "volume",
    "objects",
    "network_crf",
    "stereo",
    "differentiable_mincut",
)
FIGURES = ["--InlineBackend.figure_formats={'jpeg'}", "--InlineBackend.rc={'figure.dpi': 90}"]


def notebook_of(path: Path) -> nbformat.NotebookNode:
    """An empty notebook of a script's cells."""
    notebook = jupytext.read(path)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel})
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{position}"  # the same every time
        cell.metadata = nbformat.from_dict({})
        cell.source = cell.source.strip("\n")
    return notebook


def main() -> None:
    """Execute and write them."""
    os.environ.pop("MPLBACKEND", None)  # the kernel shows figures in the notebook
    for name in sys.argv[1:] or EXAMPLES:
        notebook = notebook_of(FOLDER / f"{name}.py")
        client = NotebookClient(
            notebook,
            record_timing=False,
            extra_arguments=FIGURES,
            resources={"metadata": {"path": str(FOLDER)}},
        )
        client.execute()
        nbformat.write(notebook, FOLDER / f"{name}.ipynb")
        print(f"{name}.ipynb: {(FOLDER / f'{name}.ipynb').stat().st_size // 1024} KB", flush=True)


if __name__ == "__main__":
    main()
