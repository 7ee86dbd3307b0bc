"""MkDocs hook: formulas become MathML, which browsers draw without a script."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """Replace what the extension arithmatex has marked as a formula."""
    return FORMULA.sub(_drawn, content)


def _drawn(formula: re.Match[str]) -> str:
    latex = html.unescape(formula[2]).strip()
    if formula[1] == "div":
        return f'<div class="formula">{convert(latex, display="block")}</div>'
    return convert(latex)
