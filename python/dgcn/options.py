"""Settings from YAML files and command-line options, and back to YAML in the run folder."""

from __future__ import annotations

import dataclasses
import difflib
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace, set_parsing_settings

from dgcn.atomic import write_text
from dgcn.config import SECTIONS, Config

set_parsing_settings(validate_defaults=False, docstring_parse_attribute_docstrings=True)


class OptionError(ValueError):
    """An option or a line of a configuration file that cannot be understood."""


def add_config_options(parser: ArgumentParser) -> None:
    """Add ``--config FILE``, ``--out DIR`` and one ``--section.field`` for every setting."""
    parser.add_argument("--config", action="config", help="YAML file of settings; may be repeated.")
    parser.add_argument("--out", type=Path, default=Config.out, help="Run folder.")
    for name, section in SECTIONS.items():
        _add_section(parser, section(), name)


def _add_section(parser: ArgumentParser, section: Any, name: str) -> None:
    """Options of a section, whose values are the defaults, and of those in it."""
    nested = _nested(type(section))
    parser.add_class_arguments(type(section), name, skip=set(nested))
    own = [field.name for field in dataclasses.fields(section) if field.name not in nested]
    parser.set_defaults({f"{name}.{field}": getattr(section, field) for field in own})
    for field in nested:
        _add_section(parser, getattr(section, field), f"{name}.{field}")


def _nested(section: type) -> dict[str, type]:
    """The sections in a section, by the name of their field."""
    types = get_type_hints(section)
    return {
        field.name: types[field.name]
        for field in dataclasses.fields(section)
        if dataclasses.is_dataclass(types[field.name])
    }


def config_parser() -> ArgumentParser:
    """Parser of the settings alone."""
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    add_config_options(parser)
    return parser


def config_from(given: Namespace, base: Mapping[str, Any] | Path | None = None) -> Config:
    """Build the checked `Config`: defaults, then `base`, then what was given.

    Parameters
    ----------
    given : Namespace
        From a parser with `add_config_options`, parsed without defaults; other options are left
        out.
    base : mapping, Path or None, default None
        Settings by section, or a YAML file of them.

    Raises
    ------
    OptionError
        `base` holds something that is no setting.
    ValueError, FileNotFoundError
        As `Config`; the message names section and field.
    """
    parser = config_parser()
    try:
        if isinstance(base, Path):
            values = parser.parse_path(str(base))
        else:
            values = parser.parse_object(dict(base or {}))
    except (ArgumentError, TypeError) as error:
        raise _option_error(error) from None
    for key, value in given.items():
        if key.partition(".")[0] in ("out", *SECTIONS):
            values[key] = value
    sections = {name: _made(kind, values[name].as_dict(), name) for name, kind in SECTIONS.items()}
    return Config(out=values["out"], **sections)


def _made(kind: type, values: dict[str, Any], name: str) -> Any:
    """A section, and those in it, from plain values; errors name it."""
    arguments = dict(values)
    for field, nested in _nested(kind).items():
        if field in values:
            arguments[field] = _made(nested, values[field], f"{name}.{field}")
    try:
        return kind(**arguments)
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"{name}.{error}") from None


def config_with(
    settings: Mapping[str, Any], base: Mapping[str, Any] | Path | None = None
) -> Config:
    """Build the checked `Config` from Python values.

    Parameters
    ----------
    settings : mapping
        By dotted name (``{"train.epochs": 8}``), or nested (``{"train": {"epochs": 8}}``).
    base : mapping, Path or None, default None
        What they stand on, as `config_from`.

    Raises
    ------
    OptionError
        There is no such setting, or its value is of another type.
    ValueError, FileNotFoundError
        As `Config`.
    """
    nested: dict[str, Any] = {}
    for key, value in settings.items():
        *sections, field = key.split(".")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                raise OptionError(f"{key}: {section} is given as a value and as a section")
        _merge(inner, field, as_plain(value))
    for name in nested:
        if name not in ("out", *SECTIONS):
            known = f"out, {', '.join(SECTIONS)}"
            close = difflib.get_close_matches(name, SECTIONS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise OptionError(f"no setting {name}: the sections are {known}{hint}")
    try:
        given: Namespace = config_parser().parse_object(nested, defaults=False)
    except (ArgumentError, TypeError) as error:
        raise _option_error(error) from None
    return config_from(given, base)


def _merge(into: dict[str, Any], key: str, value: Any) -> None:
    if isinstance(value, dict) and isinstance(into.get(key), dict):
        for name, inner in value.items():
            _merge(into[key], name, inner)
    else:
        into[key] = value


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse what is given, without defaults, or raise `OptionError` on a single line."""
    try:
        parsed: Namespace = parser.parse_args(list(arguments), defaults=False)
    except ArgumentError as error:
        raise _option_error(error) from None
    return parsed


def _option_error(error: Exception) -> OptionError:
    message = " ".join(str(error).split())
    plain = _plainly(message)
    return OptionError(plain + _meant(plain))


def settings_of(section: type, prefix: str) -> Iterator[str]:
    """Names of all settings of a section, those of nested ones included."""
    nested = _nested(section)
    for field in dataclasses.fields(section):
        if field.name in nested:
            yield from settings_of(nested[field.name], f"{prefix}.{field.name}")
        else:
            yield f"{prefix}.{field.name}"


def _meant(message: str) -> str:
    """A hint at the setting that an unknown one may have been."""
    written = re.search(r"unrecognized arguments: --([\w.]+)", message)
    within = re.search(r"no setting ([\w.]+)", message)
    found = written or within
    if found is None:
        return ""
    known = [key for section, kind in SECTIONS.items() for key in settings_of(kind, section)]
    close = difflib.get_close_matches(found[1], known, n=1)
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
    message = re.sub(
        r"Group '(\w+)' does not accept option '([\w.]+)'", r"no setting \1.\2", message
    )
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
    return config_from(parse(config_parser(), overrides), path)


def as_plain(value: Any) -> Any:
    """Dataclasses, paths and tuples as the dicts, strings and lists that YAML and JSON know."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return {name: as_plain(getattr(value, name)) for name in fields}
    if isinstance(value, dict):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


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
