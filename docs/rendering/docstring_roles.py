"""Griffe extension: what docstrings have in Sphinx's notation, in Markdown."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(func|class|meth|attr):`(?:graphcut_ext\.)?(\w+)`")
OWNER = {
    "func": "graphcut_ext",
    "class": "graphcut_ext",
    "meth": "graphcut_ext.Graph",  # the only class whose docstrings name methods
    "attr": "graphcut_ext.Graph",
}
BLOCK = re.compile(r"^( *)(.*?)\s*::\n\n((?:\1 +.*\n)+)", re.MULTILINE)
SHAPE = re.compile(r"\bshape \(")


class DocstringRoles(Extension):
    """Roles such as ``:func:`knn``` become links, blocks behind ``::`` become fenced ones."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            text = ROLE.sub(_link, f"{obj.docstring.value}\n")
            # No Python with this space in it: griffe takes the type for text, and leaves it alone.
            obj.docstring.value = BLOCK.sub(_fenced, SHAPE.sub("shape\u00a0(", text)).rstrip()


def _link(role: re.Match[str]) -> str:
    kind, name = role.groups()
    return f"[`{name}`][{OWNER[kind]}.{name}]"


def _fenced(block: re.Match[str]) -> str:
    indent, before, lines = block.groups()
    fence = textwrap.indent(f"```\n{textwrap.dedent(lines)}```", indent)
    return f"{indent}{before}:\n\n{fence}\n"
