"""Griffe extension: what docstrings have in Sphinx's notation, in Markdown."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(func|class|meth|attr):`(?:graphcut_ext\.)?(\w+)`")
OWNER = {
    "func": "graphcut_ext",
    "class": "graphcut_ext",
    "meth": "graphcut_ext.Graph",  # the only class whose docstrings name methods
    "attr": "graphcut_ext.Graph",
}
BLOCK = re.compile(r"\s*::$", re.MULTILINE)


class DocstringRoles(Extension):
    """Roles such as ``:func:`knn``` become links, ``::`` before a block becomes a colon."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            linked = ROLE.sub(
                lambda role: f"[`{role[2]}`][{OWNER[role[1]]}.{role[2]}]", obj.docstring.value
            )
            obj.docstring.value = BLOCK.sub(":", linked)
