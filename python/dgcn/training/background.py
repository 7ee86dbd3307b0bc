"""Work in the background: on a thread, and on CUDA on a stream, of its own."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple

import torch
from torch import Tensor

from dgcn.training.throughput import Moment, moment


class Done(NamedTuple):
    """A result and when its work began and ended."""

    result: Tensor
    start: Moment
    end: Moment


class BackgroundThread:
    """One thread that takes pieces of work in turn, each of them without gradients.

    A piece gives the same bits here as on the main thread. What it raises is raised where its
    result is asked for. Signals and what processes send each other stay with the main thread.

    Parameters
    ----------
    device : torch.device
        On CUDA the work is queued on a stream of its own, after what the caller's stream holds.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def start(self, work: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], Done]:
        """Begin ``work(*inputs)``; the answer, when called, waits for the result.

        Parameters
        ----------
        work : callable
            Called in the caller's context, so that `graphcut_ext.no_value_checks` holds in it.
        *inputs : Tensor
            All tensors it reads, on `device`; the caller does not change them.
        """
        context = contextvars.copy_context()
        if self._stream is None:
            return self._thread.submit(context.run, self._timed, work, inputs).result
        self._stream.wait_stream(torch.cuda.current_stream(self.device))
        for tensor in inputs:
            tensor.record_stream(self._stream)  # its memory is not reused before the work is done
        future = self._thread.submit(context.run, self._on_stream, self._stream, work, inputs)
        return lambda: _joined(future)

    def _timed(self, work: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> Done:
        with torch.no_grad():
            start = moment(self.device)
            result = work(*inputs)
            return Done(result, start, moment(self.device))

    def _on_stream(
        self, stream: torch.cuda.Stream, work: Callable[..., Tensor], inputs: tuple[Tensor, ...]
    ) -> Done:
        with torch.cuda.stream(stream):
            return self._timed(work, inputs)

    def __enter__(self) -> BackgroundThread:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)


def _joined(future: Future[Done]) -> Done:
    """The result, which the current stream waits for; the host waits for its queueing alone."""
    done = future.result()
    current = torch.cuda.current_stream(done.result.device)
    assert isinstance(done.end, torch.cuda.Event)
    current.wait_event(done.end)
    done.result.record_stream(current)
    return done
