"""Text from files and folders, as it may be shown."""

from __future__ import annotations

__all__ = ["counted", "printable", "printable_lines", "say"]


def printable(text: str) -> str:
    """The text with control characters, and what else a terminal may obey, as escapes."""
    return "".join(
        letter
        if letter.isprintable()
        else letter.encode("unicode_escape", "backslashreplace").decode("ascii")
        for letter in text
    )


def printable_lines(text: str) -> str:
    """The same line by line: lines stay apart."""
    return "\n".join(map(printable, text.split("\n")))


def say(*lines: str) -> None:
    """Print lines that may name files."""
    print(*map(printable, lines), sep="\n")


def counted(classes: int) -> str:
    """A number of classes in words."""
    return f"{classes} class" if classes == 1 else f"{classes} classes"
