"""What a command of ``dgcn`` is, and how it comes by its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser, Namespace

if TYPE_CHECKING:
    from dgcn.config import Config

__all__ = ["Command", "CommandError", "config_of"]


class CommandError(ValueError):
    """Options that do not go together."""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes
    ----------
    description : str
    perform : callable
        From the parsed options to the exit status. Imports late: ``dgcn --help`` need not wait for
        torch.
    add_options : callable or None
        Adds the command's own options to a parser.
    settings : bool
        Whether it takes the settings of a run as options.
    resumes : bool
        Whether the same command goes on after an interruption.
    """

    description: str
    perform: Callable[[Namespace], int]
    add_options: Callable[[ArgumentParser], None] | None = None
    settings: bool = True
    resumes: bool = True

    def parser(self, name: str) -> ArgumentParser:
        """Parser of the command's options."""
        parser = ArgumentParser(
            prog=f"dgcn {name}",
            description=self.description,
            exit_on_error=False,
            allow_abbrev=False,
            default_env=False,
        )
        if self.settings:
            from dgcn.options import add_config_options

            add_config_options(parser)
        if self.settings and self.resumes:
            parser.add_argument(
                "--overwrite",
                action="store_true",
                help="Replace what was made with other settings, and what is built on it.",
            )
        if self.add_options is not None:
            self.add_options(parser)
        return parser


def config_of(options: Namespace, base: Mapping[str, Any] | Path | None = None) -> Config:
    """The settings that a command was given.

    Without ``--config`` they stand on the run folder's own config.yaml where there is one, so that
    ``dgcn predict --out RUN`` needs no other option.

    Parameters
    ----------
    options : Namespace
        What was given.
    base : mapping, Path or None, default None
        What they stand on instead.
    """
    from dataclasses import replace

    from dgcn.options import config_from

    out = options.get("out")
    if base is None and options.get("config") is None and out is not None:
        kept = out / "config.yaml"
        base = kept if kept.is_file() else None
    config = config_from(options, base)
    # The folder may have been moved since its configuration was written.
    return config if out is None else replace(config, out=out)
