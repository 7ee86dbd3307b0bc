"""Why the compiled core cannot be imported, and what to do."""

from __future__ import annotations

import sys
from pathlib import Path


def explanation(folder: str, error: ImportError) -> str:
    """Say why the package in ``folder`` has no core that could be imported."""
    if _binaries(Path(folder)):
        return (
            f"the compiled core of graphcut_ext in {folder} does not load ({error}): it was built "
            "for another Python or machine; build it again (pip install --force-reinstall)"
        )
    hidden = [p for p in (Path(entry, "graphcut_ext") for entry in sys.path) if _binaries(p)]
    if hidden:
        return (
            f"{folder} is the source of graphcut_ext, without its compiled core, and hides the "
            f"package that is installed in {hidden[0]}: start Python in another folder, or with "
            "python -P, or install the source itself (pip install -e .)"
        )
    return (
        f"{folder} is the source of graphcut_ext, without its compiled core: it has to be "
        "installed first (pip install -e .)"
    )


def _binaries(package: Path) -> list[Path]:
    return [*package.glob("_core*.so"), *package.glob("_core*.pyd")]
