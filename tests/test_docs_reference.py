"""The pages of settings and commands list all of them; the search asks no other machine."""

from __future__ import annotations

import dataclasses
import html
import re
import sys
from collections.abc import Iterator

import pytest
import yaml
from documentation import ROOT

sys.path.insert(0, str(ROOT / "docs" / "rendering"))

import reference

from dgcn.commands import COMMANDS
from dgcn.config import Config

PAGES = {name: ROOT / "docs" / f"{name}.md" for name in ("settings", "commands")}


def page(name: str) -> str:
    """What MkDocs is given for a page."""
    return reference.on_page_markdown(PAGES[name].read_text(encoding="utf-8"))


def leaves(section: object, prefix: str) -> Iterator[tuple[str, object]]:
    """Names and defaults of all settings, read off the dataclasses."""
    for field in dataclasses.fields(section):
        value, name = getattr(section, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            yield from leaves(value, f"{name}.")
        else:
            yield name, value


@pytest.fixture(scope="module")
def rows() -> dict[str, str]:
    """Lines of the tables of settings, by name."""
    lines = [line for line in page("settings").splitlines() if line.startswith("| <code id=")]
    return {re.findall('id="([^"]+)"', line)[0]: line for line in lines}


def test_every_setting_is_there_with_its_default(rows: dict[str, str]) -> None:
    expected = dict(leaves(Config(), ""))
    del expected["out"]  # an option of every command, beside the sections
    assert len(expected) > 100
    assert set(rows) == set(expected)
    for name, default in expected.items():
        shown = html.unescape(re.findall("default `([^`]*)`", rows[name])[0])
        written = list(default) if isinstance(default, tuple) else default
        assert yaml.safe_load(shown) == written, name


def test_every_setting_has_a_text_and_a_type(rows: dict[str, str]) -> None:
    for name, row in rows.items():
        what, text = re.split(r"(?<!\\)\|", row)[1:3]
        assert len(text.split()) >= 3, name
        assert re.search("<br>.+, default", what), name


def test_the_texts_are_those_of_the_fields(rows: dict[str, str]) -> None:
    mirrored = "Whether training images are mirrored left-right at random."
    assert rows["data.mirror"].endswith(f"| {mirrored} |")
    assert "`none`, `length`, `channel`, default `none`" in rows["supervision.graph_cut.normalise"]
    assert "list of numbers, default `[0.75, 1.0, 1.25]`" in rows["evaluate.scales"]


def test_every_command_is_there_with_its_options() -> None:
    text = page("commands")
    for name in COMMANDS:
        assert f"\n## dgcn {name}\n" in text
    for name in ("info", "demo", "solve"):
        assert f"\n## python -m graphcut_ext {name}\n" in text
    for option in ("--config FILE", "--random_seeds", "--side OUT", "--format"):
        assert option in text
    assert max(map(len, text.splitlines())) < 110


def test_a_page_without_a_list_is_left_alone() -> None:
    assert reference.on_page_markdown("# Title\n\n| a | b |\n") == "# Title\n\n| a | b |\n"


def test_the_site_loads_nothing_from_elsewhere() -> None:
    """Without this setting the plugin `offline` names a script on a server."""
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (script,) = re.findall(r"polyfills:\n +- (\S+)", settings)
    assert "iframe-worker" in script
    assert (ROOT / "docs" / script).is_file()
