"""MkDocs hook: pages that list every setting and every command, made from the code."""

from __future__ import annotations

import argparse
import html
import os
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml

from dgcn.brief_help import brief_help
from dgcn.commands import COMMANDS
from dgcn.config import SECTIONS, Config
from dgcn.options import as_plain, config_parser
from graphcut_ext.__main__ import _parser as operators_parser

TYPES = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path"}
COLUMNS = "88"  # of the help texts


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill the places that a page keeps for the lists."""
    for marker, made in {"<!-- settings -->": settings, "<!-- commands -->": commands}.items():
        if marker in markdown:
            markdown = markdown.replace(marker, made())
    return markdown


def settings() -> str:
    """A table for every section: name, type and default of a setting, and its text."""
    parts = []
    options = {action.dest: action for action in config_parser()._actions}
    for section, level, kind in sections():
        rows = [
            _row(options[name])
            for name in options
            if name.rpartition(".")[0] == section and hasattr(options[name], "_typehint")
        ]
        if rows:
            about = (kind.__doc__ or "").strip().partition("\n\n")[0]
            head = f"{'#' * level} {section}\n\n{' '.join(about.split())}\n"
            parts.append("\n".join([head, "| setting | what it does |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


def sections() -> Iterator[tuple[str, int, type]]:
    """Name, level of the heading and class of every section, nested ones after their own."""
    defaults = Config()
    for name in SECTIONS:
        section = getattr(defaults, name)
        yield name, 2, type(section)
        for field in as_plain(section):
            nested = getattr(section, field)
            if hasattr(nested, "__dataclass_fields__"):
                yield f"{name}.{field}", 3, type(nested)


def _row(option: Any) -> str:
    default = html.escape(default_text(option.default))
    text = html.escape(" ".join((option.help or "").split()), quote=False)
    about = f"{type_text(option._typehint)}, default `{default}`"
    cells = (f'<code id="{option.dest}">{option.dest}</code><br>{about}', text)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"


def default_text(value: Any) -> str:
    """A default as config.yaml has it."""
    text: str = yaml.safe_dump(as_plain(value), default_flow_style=True, width=1000)
    return text.removesuffix("...\n").strip()


def type_text(kind: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(type_text(each) for each in inner if each is not type(None))
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if origin is tuple:
        return f"list of {type_text(inner[0])}s"
    return "mapping" if origin is dict else TYPES[kind]


def commands() -> str:
    """The help of every command, as the command line prints it."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = COLUMNS
    try:
        return "\n".join([*_trainer_commands(), *_operator_commands()])
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _trainer_commands() -> Iterator[str]:
    for name, command in COMMANDS.items():
        text = brief_help(name, command) if command.settings else command.parser(name).format_help()
        yield _command(f"dgcn {name}", text)


def _operator_commands() -> Iterator[str]:
    (choices,) = (
        action.choices
        for action in operators_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    for name, parser in choices.items():
        yield _command(f"python -m graphcut_ext {name}", parser.format_help())


def _command(name: str, text: str) -> str:
    return f"## {name}\n\n```text\n{text.rstrip()}\n```\n"
