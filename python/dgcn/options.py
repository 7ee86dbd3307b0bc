"""Settings from YAML files and command-line options, and back to YAML in the run folder."""

from __future__ import annotations

import dataclasses
import difflib
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace, set_parsing_settings

from dgcn.config import SECTIONS, Config

set_parsing_settings(validate_defaults=False)


class OptionError(ValueError):
    """An option or a line of a configuration file that cannot be understood."""


def config_parser(description: str = "") -> ArgumentParser:
    """Parser of ``--config FILE``, ``--out DIR`` and one ``--section.field`` for every setting."""
    parser = ArgumentParser(description=description, exit_on_error=False)
    add_config_options(parser)
    return parser


def add_config_options(parser: ArgumentParser) -> None:
    """Give a parser the options of `config_parser`."""
    parser.add_argument("--config", action="config", help="YAML file of settings; may be repeated.")
    parser.add_argument("--out", type=Path, default=Config.out, help="Run folder.")
    for name, section in SECTIONS.items():
        parser.add_class_arguments(section, name)


def config_from(namespace: Namespace) -> Config:
    """Build the checked `Config` from what `config_parser` parsed.

    Raises
    ------
    ValueError, FileNotFoundError
        As `Config`.
    """
    sections = {name: kind(**namespace[name].as_dict()) for name, kind in SECTIONS.items()}
    return Config(out=namespace["out"], **sections)


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse, or raise `OptionError` with what is wrong on a single line."""
    try:
        parsed: Namespace = parser.parse_args(list(arguments))
    except ArgumentError as error:
        message = " ".join(str(error).split())
        raise OptionError(_plainly(message) + _meant(message)) from None
    return parsed


def _meant(message: str) -> str:
    """A hint at the setting that an unknown one may have been."""
    written = re.search(r"unrecognized arguments: --([\w.]+)", message)
    within = re.search(r"(\w+)' does not accept option '([\w.]+)'", message)
    if written:
        name = written[1]
    elif within:
        name = f"{within[1]}.{within[2]}" if within[1] in SECTIONS else within[2]
    else:
        return ""
    known = [
        f"{section}.{f.name}"
        for section, kind in SECTIONS.items()
        for f in dataclasses.fields(kind)
    ]
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}
_KINDS |= {"tuple": "a list", "NoneType": "null"}
_LONGEST = 200


def _plainly(message: str) -> str:
    """A message of jsonargparse without the words of Python's type system."""

    def kind(match: re.Match[str]) -> str:
        return _KINDS.get(match[1], match[1])

    def either(match: re.Match[str]) -> str:
        return f"Expected {' or '.join(match[1].rsplit(', ', 1))}. Got value: "

    message = re.sub(r'Parser key "([^"]*)": ', r"\1: ", message)
    message = re.sub(r"(?:a )?<class '(\w+)'>", kind, message)
    message = re.sub(r"(?:a )?typing\.Literal\[(.*?)\]", r"one of \1", message)
    message = re.sub(r"Does not validate .* Subtypes: \[(.*?)\] .* Given value: ", either, message)
    message = re.sub(r"Expected (.*)\. Got value: ", r"expected \1, got ", message)
    message = re.sub(
        r"^(?:Unexpected|Problems parsing) config: ", "config: not a file of settings: ", message
    )
    message = message.replace('in "<unicode string>", ', "in ")
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."


def load_config(path: Path, *overrides: str) -> Config:
    """Read a YAML file of settings; fields it leaves out have their defaults.

    Parameters
    ----------
    path : Path
        File written by `save_config` or by hand.
    *overrides : str
        Options as on the command line, e.g. ``"--train.epochs=8"``; they win over the file.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        Unknown or invalid settings.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such configuration file: {path}")
    return config_from(parse(config_parser(), ["--config", str(path), *overrides]))


def as_plain(value: Any) -> Any:
    """Dataclasses, paths and tuples as the dicts, strings and lists that YAML and JSON know."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def write_text(path: Path, text: str) -> None:
    """Write a file so that readers see the old content or the new, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def save_config(config: Config, folder: Path) -> None:
    """Write ``config.yaml`` (readable by `load_config`) and ``versions.yaml`` into `folder`."""
    write_text(folder / "config.yaml", yaml.safe_dump(as_plain(config), sort_keys=False))
    write_text(folder / "versions.yaml", yaml.safe_dump(versions(), sort_keys=False))


def versions() -> dict[str, Any]:
    """Versions that a result depends on: Python, torch and the build of `graphcut_ext`."""
    # Imported late: the command line is parsed, and refused, without waiting for torch.
    import torch

    import graphcut_ext

    cuda = torch.version.cuda
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": {"version": str(torch.__version__), "cuda": cuda},
        "graphcut_ext": as_plain(graphcut_ext.build_info()),
    }
