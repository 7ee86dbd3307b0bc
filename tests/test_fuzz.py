"""Fuzz targets of the readers, and odd calls: a few inputs, the same every time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def test_readers_refuse_or_read(tmp_path: Path) -> None:
    prefix = f"-artifact_prefix={tmp_path}/"
    command = [sys.executable, str(TESTS / "fuzz_readers.py"), "-runs=40", "-seed=1", prefix]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("40 inputs") == 16


def test_odd_calls_are_refused_or_return() -> None:
    command = [sys.executable, str(TESTS / "odd_calls.py"), "-runs=300", "-seed=1"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
