"""MkDocs hook: the gallery, and a page for every example, made from the executed notebooks."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from mkdocs.structure.files import File

EXAMPLES = Path(__file__).parents[2] / "examples"
SOURCE = """

*This page is the executed notebook `examples/{name}.ipynb`; `examples/{name}.py` is its source.
Times are processor time on one machine that did other work too.*
"""


class Example(NamedTuple):
    """A notebook: its name and title, its page in Markdown, and its pictures by file name."""

    name: str
    title: str
    page: str
    pictures: dict[str, bytes]

    @property
    def summary(self) -> str:
        """The first paragraph."""
        return self.page.split("\n\n")[1]


def on_files(files: Any, config: Any) -> Any:
    """Add a page and the pictures of every notebook."""
    for example in examples():
        content: dict[str, str | bytes] = {f"{example.name}.md": example.page, **example.pictures}
        for name, each in content.items():
            files.append(File.generated(config, f"gallery/{name}", content=each))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill the place that the gallery's page keeps."""
    marker = "<!-- gallery -->"
    if marker not in markdown:
        return markdown
    return markdown.replace(marker, "\n".join(map(entry, examples())))


def entry(example: Example) -> str:
    """Title, last picture and first paragraph, linked to the page."""
    page, picture = f"gallery/{example.name}.md", f"gallery/{list(example.pictures)[-1]}"
    return (
        f"## [{example.title}]({page})\n\n"
        f"[![{example.title}]({picture}){{ loading=lazy }}]({page})\n\n{example.summary}\n"
    )


def examples() -> list[Example]:
    """All of them, in the order of `make notebooks`."""
    listed = (EXAMPLES / "make_notebooks.py").read_text(encoding="utf-8")
    names = re.findall(r'^    "(\w+)",$', listed, re.MULTILINE)
    return [read(EXAMPLES / f"{name}.ipynb") for name in names]


def read(path: Path) -> Example:
    """An executed notebook."""
    title, parts = "", list[str]()
    pictures: dict[str, bytes] = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            title = title or text.partition("\n")[0].removeprefix("# ")
            parts.append(text + (SOURCE.format(name=path.stem) if not parts else ""))
            continue
        parts.append(f"```python\n{text}\n```")
        printed = "".join(line for output in cell["outputs"] for line in output.get("text", ()))
        if printed:
            parts.append(f"```text\n{printed.rstrip()}\n```")
        for output in cell["outputs"]:
            for kind, ending in (("image/jpeg", "jpg"), ("image/png", "png")):
                if kind in output.get("data", {}):
                    name = f"{path.stem}-{len(pictures) + 1}.{ending}"
                    pictures[name] = base64.b64decode("".join(output["data"][kind]))
                    parts.append(f"![{title}]({name})")
    return Example(path.stem, title, "\n\n".join(parts) + "\n", pictures)
