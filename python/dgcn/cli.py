"""The command ``dgcn``: weakly supervised segmentation of a folder of images."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version

from dgcn.brief_help import brief_help
from dgcn.commands import COMMANDS
from dgcn.text import printable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str or None, default None
        None: those of the process. With DGCN_TRACEBACK set in the environment, errors in options
        and files come with their traceback.

    Returns
    -------
    int
        Exit status: 0 done; 1 the training diverged, another process of a parallel run has ended,
        or 'dgcn doctor' found an error; 2 an option or an input file is wrong, or a file cannot be
        written (one line on standard error says which); 130 interrupted; 141 the reader of standard
        output has left; 143 terminated after a checkpoint.
    """
    try:
        status = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # As `head` leaves: silently. What Python still flushes at its end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:  # standard output is a file on a full disk
        return _fail(f"standard output: {_in_words(error)}")
    return status


def _run(arguments: list[str]) -> int:
    name = arguments[0] if arguments else ""
    if name in ("-h", "--help"):
        print(_help())
        return 0
    if name == "--version":
        print(f"dgcn {version('graphcut-ext')}")
        return 0
    if name not in COMMANDS:
        given = f"no command {name!r}" if name else "no command is given"
        return _fail(f"{given}: one of {', '.join(COMMANDS)} (see 'dgcn --help')")
    command, asked = COMMANDS[name], set(arguments[1:])
    brief = command.settings and "--help-all" not in asked
    if asked & {"-h", "--help", "--help-all"}:
        print(brief_help(name, command) if brief else command.parser(name).format_help().rstrip())
        return 0
    # Imported late: help and a mistyped command need not wait for torch.
    from dgcn.options import OptionError, parse
    from dgcn.training.fabric import lost_peer
    from dgcn.training.loop import Terminated

    try:
        return command.perform(parse(command.parser(name), arguments[1:]))
    except OptionError as error:
        return _fail(f"{error} (see 'dgcn {name} --help{'-all' if command.settings else ''}')")
    except FloatingPointError as error:
        return _fail(str(error), status=1)
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        if os.environ.get("DGCN_TRACEBACK"):
            raise
        return _fail(_in_words(error))
    except KeyboardInterrupt:
        return _interrupted(arguments)
    except Terminated as error:
        return _fail(f"{error}; the same command goes on from there", 143)
    except RuntimeError as error:
        if os.environ.get("DGCN_TRACEBACK") or not lost_peer(error):
            raise
        return _stopped("another process of this run has ended", arguments, 1)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.description}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: dgcn COMMAND [options]",
            "",
            "Weakly supervised segmentation of a folder of images.",
            "",
            *lines,
            "",
            "'dgcn COMMAND --help' lists the options, 'dgcn --version' says which dgcn this is.",
        ]
    )


def _interrupted(arguments: Sequence[str]) -> int:
    """Say how to go on, once for all processes of a parallel run."""
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return 130
    return _stopped("interrupted", arguments, 130)


def _stopped(why: str, arguments: Sequence[str], status: int) -> int:
    """Say how to go on with a command."""
    command = f"dgcn {shlex.join(arguments)}"
    images = any(argument.startswith("--images") for argument in arguments)
    if images or not COMMANDS[arguments[0]].resumes:
        return _fail(f"{why}; to begin again: {command}", status)
    return _fail(f"{why}; finished stages and epochs are kept, go on with: {command}", status)


def _in_words(error: ValueError | OSError) -> str:
    """What is wrong with which file, without the number of the error."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _fail(message: str, status: int = 2) -> int:
    print(f"dgcn: error: {printable(' '.join(message.split()))}", file=sys.stderr)
    return status
