"""Tables for spreadsheets: no cell is a formula, whatever classes and files are called."""

from __future__ import annotations

import csv
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dgcn.data.lists import labels_csv, require_name
from dgcn.metrics import Confusion
from dgcn.pipeline.evaluation import confusion_csv

STARTS = st.sampled_from(["", "=", "+", "-", "@", "\t", "\r", "\n", " ", '"', "'", ",", ";", "|"])
TEXT = st.builds(str.__add__, STARTS, st.text(min_size=1, max_size=4))


def cells(table: str) -> list[str]:
    """All cells, but for numbers."""
    found = [cell for row in csv.reader(io.StringIO(table, newline="")) for cell in row]
    return [cell for cell in found if not cell.removeprefix("-").isdigit()]


def is_class(name: str) -> bool:
    """Whether a data set may have a class of that name."""
    try:
        require_name(name)
    except ValueError:
        return False
    return True


@given(st.lists(TEXT.filter(is_class), min_size=1, max_size=4, unique=True), TEXT)
def test_no_cell_is_a_formula(names: list[str], image: str) -> None:
    classes = ["background", *(name for name in names if name != "background")]
    confusion = Confusion(len(classes))
    confusion.add(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))
    for table in (confusion_csv(confusion, classes), labels_csv({f"{image.strip()}.jpg": names})):
        assert [cell for cell in cells(table) if cell[:1] in set("=+-@\t\r\n")] == []
