"""The README's examples run as printed."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_python_examples_run(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(README), "exec"), {})
    assert "torch.Size([4, 2]) torch.Size([4, 2, 1681])" in capsys.readouterr().out


def test_commands_exist():
    """Every make target and dgcn verb the README names is there."""
    text = README.read_text(encoding="utf-8")
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([\w-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    from dgcn.cli import VERBS
    from dgcn.companions import COMPANIONS

    for verb in re.findall(r"^dgcn (\w+)", text, re.MULTILINE):
        assert verb in VERBS or verb in COMPANIONS, verb
