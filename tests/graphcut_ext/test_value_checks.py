"""gx.no_value_checks and gx.values_are_checked, where there is no CUDA."""

from __future__ import annotations

import doctest
import threading

import graphcut_ext as gx
from graphcut_ext import _value_checks


def test_examples_of_the_documentation() -> None:
    names = vars(gx)
    examples = doctest.DocTestFinder().find(gx.values_are_checked, globs=dict(names))
    assert examples
    assert all(doctest.DocTestRunner().run(each).failed == 0 for each in examples)


def test_another_thread_checks_values_still() -> None:
    seen: list[bool] = []
    with gx.no_value_checks():
        thread = threading.Thread(target=lambda: seen.append(_value_checks.values_are_checked()))
        thread.start()
        thread.join()
        seen.append(gx.values_are_checked())
    assert seen == [True, False]
