"""Whether operators on CUDA look at values, for which they have to wait for the device."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

import torch

_off = contextvars.ContextVar("graphcut_ext values are not checked", default=False)


@contextlib.contextmanager
def no_value_checks() -> Iterator[None]:
    """Within, operators on CUDA do not look at values, and so never wait for the device.

    Shapes, dtypes and devices are checked as ever, and on the CPU values are too. Bad values, which
    are refused with an error elsewhere, then give what the operators' notes say: neighbours -1 or
    arbitrary ones of :func:`graphcut_ext.knn`, cuts of value NaN, or -1 for integers, of
    :func:`graphcut_ext.knn_maxflow`. The same holds while a CUDA graph is captured, where nothing
    can be waited for.

    Examples
    --------
    >>> with no_value_checks():
    ...     found = knn(torch.tensor([[0.0], [1.0], [3.0]]), 1)
    """
    token = _off.set(True)
    try:
        yield
    finally:
        _off.reset(token)


def values_are_checked() -> bool:
    """Whether an operator on the current CUDA device may wait and look at values.

    Not within :func:`no_value_checks`, nor while a CUDA graph is captured.

    Examples
    --------
    >>> values_are_checked()
    True
    >>> with no_value_checks():
    ...     values_are_checked()
    False
    """
    # A torch without CUDA cannot even be asked whether it captures.
    captured = torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
    return not _off.get() and not captured
