"""All checks in order, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.text import Text

from dgcn.config import Config, ModelConfig
from dgcn.doctor.cues import check_cues
from dgcn.doctor.dataset import check_dataset
from dgcn.doctor.finding import Finding
from dgcn.doctor.kernels import check_kernels
from dgcn.doctor.machine import check_machine
from dgcn.models import build_backbone
from dgcn.text import printable_lines
from dgcn.training.console import Console

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


def examine(config: Callable[[], Config], console: Console) -> int:
    """Show every finding.

    Parameters
    ----------
    config : callable
        Makes the settings, or raises what is wrong with them.
    console : Console

    Returns
    -------
    int
        0, or 1 where there is an error.
    """
    counts = {"ok": 0, "warning": 0, "error": 0}
    for title, findings in _sections(config, console):
        console.rich.print(Text(title, style="bold"))
        for finding in findings:
            counts[finding.level] += 1
            _show(finding, console)
    errors, warnings = counts["error"], counts["warning"]
    console.line(f"{_number(errors, 'error')}, {_number(warnings, 'warning')}")
    return 1 if errors else 0


def check_settings(config: Config) -> Iterator[Finding]:
    """Settings that are valid and still not what anybody wants."""
    yield from _check_weights(config.model, "model")
    if config.classify.backbone is not None:
        yield from _check_weights(config.classifier_model, "classify")


def _check_weights(model: ModelConfig, section: str) -> Iterator[Finding]:
    if model.weights is None and model.backbone != "small":
        yield Finding(
            "warning",
            f"{section}.weights is not set: {model.backbone} starts from random weights",
            f"--{section}.weights FILE with ImageNet weights of {model.backbone} "
            "(docs/training.md)",
        )
    elif model.weights is not None:
        try:
            build_backbone(model.backbone, model.weights)
            yield Finding("ok", f"{model.weights} fits {model.backbone}")
        except (ValueError, OSError) as error:
            yield Finding("error", str(error), "give a file of this backbone's weights")


def _sections(
    config: Callable[[], Config], console: Console
) -> Iterator[tuple[str, Iterator[Finding]]]:
    yield "Machine", check_machine()
    yield "Kernels", check_kernels()
    try:
        settings = config()
    except (ValueError, FileNotFoundError) as error:
        wrong = Finding(
            "error", str(error), "correct it in the configuration, or on the command line"
        )
        yield "Settings", iter([wrong])
        return
    if settings.data.root is None:
        none = Finding("ok", "no data set: --config FILE or --data.root FOLDER checks one too")
        yield "Data set", iter([none])
        return
    yield "Settings", check_settings(settings)
    yield "Data set", check_dataset(settings, settings.data.root, console)
    findings = list(check_cues(settings.out))
    if findings:
        yield "Cues", iter(findings)


def _show(finding: Finding, console: Console) -> None:
    level = (f"{finding.level:<8}", _COLOURS[finding.level])
    what, fix = printable_lines(finding.what), printable_lines(finding.fix)
    console.rich.print(Text.assemble("  ", level, what))
    if fix:
        console.rich.print(Text.assemble("          ", ("fix: ", "bold"), fix))


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
