"""Reading a report's page: its elements, its images, and the order its images should have."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from typing import Any

import numpy as np
from PIL import Image

VOID_TAGS = {"meta", "link", "img", "input", "br"}


def decoded(uri: str) -> Image.Image:
    head, _, body = uri.partition(";base64,")
    assert head in ("data:image/png", "data:image/jpeg")
    return Image.open(io.BytesIO(base64.b64decode(body)))


def laid_over(image: np.ndarray, uri: str) -> np.ndarray:
    """What a browser shows of a layer over an image of the same size."""
    layer = np.asarray(decoded(uri).convert("RGBA"), dtype=np.float64)
    alpha = layer[..., 3:] / 255
    return image * (1 - alpha) + layer[..., :3] * alpha


class Parsed(HTMLParser):
    """Elements are closed in the order they were opened; links and scripts are collected."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.targets: list[str] = []
        self.ids: list[str] = []
        self.texts: dict[str, str] = {}
        self.cells: list[list[str]] = []
        self._inside = ""
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in VOID_TAGS:
            self.stack.append(tag)
        self.targets += [values[k] or "" for k in ("src", "href", "action") if k in values]
        if "id" in values:
            self.ids.append(values["id"] or "")
        self._inside = values.get("id") or ""
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th") and self.cells:
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert tag not in VOID_TAGS
        assert self.stack.pop() == tag
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[self._inside] = self.texts.get(self._inside, "") + data
        if {"td", "th"} & set(self.stack) and self.cells and self.cells[-1]:
            self.cells[-1][-1] += data


def expected_order(images: list[dict[str, Any]], choice: dict[str, str]) -> list[int]:
    def stray(index: int) -> float | None:
        of = images[index]["agreement"].get(choice["training"])
        if of is None:
            return None
        names = [*of["extra"], *of["missing"]]
        return float(choice["label"] in names if choice["label"] else len(names))

    def score(index: int) -> float | None:
        if choice["sort"] == "labels":
            return stray(index)
        return own_score(index)

    def own_score(index: int) -> float | None:
        kind = "agreement" if choice["sort"] == "disagree" else "scores"
        of = images[index][kind].get(choice["training"])
        if of is None:
            return None
        value: float | None = of["classes"].get(choice["label"]) if choice["label"] else of["mean"]
        return value

    kept = [
        i
        for i, p in enumerate(images)
        if choice["split"] in ("", p["split"])
        and choice["text"].lower() in p["name"].lower()
        and (
            not choice["label"]
            or choice["label"] in p["labels"]
            or own_score(i) is not None
            or (stray(i) or 0) > 0
        )
    ]
    if choice["sort"] == "list":
        return kept
    kept.sort(key=lambda i: (images[i]["name"], i))
    if choice["sort"] == "name":
        return kept
    sign = -1 if choice["sort"] in ("best", "labels") else 1
    return sorted(kept, key=lambda i: (score(i) is None, sign * (score(i) or 0.0)))
