"""Words that readers stumbled over stay out of what is published."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "graphcut_ext/**/*.py",
        "python/**/*.py",
        "examples/*.py",
    )
    for path in ROOT.glob(pattern)
)
UNCLEAR = {
    r"hangs? (on|from) (the source|the sink|a terminal)": "is joined to",
    r"parts? (the )?source (and|from) (the )?sink": "separates the source from the sink",
    r"put right": "fixed",
    r"\bmend(s|ed)?\b": "fix",
    r"\bamiss\b": "wrong",
    r"\banew\b": "again",
    r"\bafresh\b": "from scratch",
    r"\blooked into\b": "examined",
    r"\bwho(ever)? asks\b": "asking",
    r"\bleverage": "use",
    r"\butili[sz]": "use",
    r"\bseamless": "say what works",
    r"\bblazing": "give the ratio",
    r"\bstate.of.the.art\b": "name the peer",
}


def unclear(text: str) -> list[str]:
    return [
        f"line {number}: {found.group()!r}: {advice}"
        for number, line in enumerate(text.splitlines(), 1)
        for pattern, advice in UNCLEAR.items()
        if (found := re.search(pattern, line, re.IGNORECASE))
    ]


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: str(path.relative_to(ROOT)))
def test_words_are_plain(path: Path) -> None:
    assert not unclear(path.read_text(encoding="utf-8"))


def test_unclear_words_are_found() -> None:
    assert unclear("first\nThe mistake was put right.") == ["line 2: 'put right': fixed"]
