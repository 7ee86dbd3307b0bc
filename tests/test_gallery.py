"""The gallery is made from the executed notebooks: title, text and picture of each."""

from __future__ import annotations

import io
import sys

from documentation import ROOT
from PIL import Image

for folder in ("docs/rendering", "examples"):
    sys.path.insert(0, str(ROOT / folder))

import gallery  # noqa: E402
from make_notebooks import EXAMPLES  # noqa: E402


def test_every_example_is_shown_with_its_picture() -> None:
    text = gallery.on_page_markdown((ROOT / "docs" / "gallery.md").read_text(encoding="utf-8"))
    assert [example.name for example in gallery.examples()] == list(EXAMPLES)
    for example in gallery.examples():
        assert f"## [{example.title}](gallery/{example.name}.md)\n" in text
        assert example.summary in text
        assert 20 < len(example.summary.split()) < 80
        *_, last = example.pictures
        assert f"](gallery/{last})" in text
        with Image.open(io.BytesIO(example.pictures[last])) as picture:
            assert picture.width >= 500


def test_a_page_has_code_output_and_pictures_in_order() -> None:
    (page,) = (each.page for each in gallery.examples() if each.name == "scribbles")
    order = ["# Scribbles", "```python\nimport", "gx.segment(", "```text\ncolour alone:", ".jpg)"]
    places = [page.index(each) for each in order]
    assert places == sorted(places)


def test_what_the_examples_carry_is_small() -> None:
    files = [*(ROOT / "examples").glob("*.ipynb"), *(ROOT / "examples" / "data").iterdir()]
    assert sum(file.stat().st_size for file in files) < 700_000
