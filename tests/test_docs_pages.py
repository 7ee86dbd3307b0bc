"""Every page says at its top what it is for, and no sentence is long."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documentation import FENCE, PAGES, name

MOST_WORDS = 25  # of a sentence, or of a part of one between colons and semicolons
PAGES_WITH_TEXT = [page for page in PAGES if "--8<--" not in page.read_text(encoding="utf-8")]


def paragraphs(page: Path) -> list[str]:
    """Title, prose, lists and tables of a page, without front matter and code blocks."""
    text = re.sub(r"\A---\n.*?\n---\n", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"^\$\$\n.*?\n\$\$$", "", FENCE.sub("", text), flags=re.MULTILINE | re.DOTALL)
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def sentences(paragraph: str) -> list[str]:
    """Sentences of one paragraph, links and code as one word each."""
    plain = re.sub(r"\\\(.*?\\\)|`[^`]*`", "code", " ".join(paragraph.split()))
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", plain)
    return re.split(r"(?<=[.?!:;])[*\")]* ", plain)


@pytest.mark.parametrize("page", PAGES_WITH_TEXT, ids=name)
def test_a_page_begins_with_what_it_is_for(page: Path) -> None:
    if page.name == "CONTRIBUTING.md":
        return
    title, first, *_ = paragraphs(page)
    assert re.fullmatch(r"# \S.*", title)
    assert re.match(r"[A-Z`*]", first), first
    assert len(first.split()) >= 7, first


@pytest.mark.parametrize("page", PAGES_WITH_TEXT, ids=name)
def test_sentences_are_short(page: Path) -> None:
    long = [
        sentence
        for paragraph in paragraphs(page)
        if not paragraph.startswith(("|", "#", "<!--", ":::"))
        for item in re.split(r"\n(?=\s*(?:[-*]|\d+\.) )", paragraph)
        for sentence in sentences(item)
        if len(sentence.split()) > MOST_WORDS
    ]
    assert not long


def test_long_sentences_and_links_are_counted() -> None:
    assert sentences("One [two three](four.md) `five six`. Seven: eight.") == [
        "One two three code.",
        "Seven:",
        "eight.",
    ]
