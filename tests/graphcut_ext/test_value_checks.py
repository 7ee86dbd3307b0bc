"""gx.no_value_checks holds for the thread that is in it."""

from __future__ import annotations

import threading

import graphcut_ext as gx


def test_another_thread_checks_values_still() -> None:
    seen: list[bool] = []
    with gx.no_value_checks():
        thread = threading.Thread(target=lambda: seen.append(gx.values_are_checked()))
        thread.start()
        thread.join()
        seen.append(gx.values_are_checked())
    assert seen == [True, False]
