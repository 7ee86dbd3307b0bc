"""Products of several threads at once, for which torch has one setting of their precision."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import torch
from brute_force import brute_force
from emulated_knn import Problem, emulated_products
from torch import Tensor

from graphcut_ext._knn import clouds, cuda

MATMUL = torch.backends.cuda.matmul
NAME, TF32, FULL = (
    ("fp32_precision", "tf32", "ieee")
    if hasattr(MATMUL, "fp32_precision")
    else ("allow_tf32", True, False)
)
"""torch's setting of float32 products on CUDA: its name here, and two values."""
WAIT = 0.1  # seconds for another thread, which does not come where a lock keeps it away


class OnCuda(Tensor):
    """A matrix whose products are what ``product`` says, in place of CUDA."""

    product: Callable[[Tensor, Tensor], Tensor]

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is torch.bmm:
            plain = [matrix.as_subclass(Tensor) for matrix in args]
            return args[0].product(*plain)
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))


def multiply_by(
    product: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor, precision: str
) -> tuple[Tensor, float]:
    """What a search multiplies by, with another product in place of CUDA's."""
    matrix = a.as_subclass(OnCuda)
    matrix.product = product
    return cuda.multiply(matrix, b, precision)


def as_torch_is_set(a: Tensor, b: Tensor) -> Tensor:
    """A product as of CUDA: TF32 has ten bits of a mantissa, which hardware may truncate to."""
    if getattr(MATMUL, NAME) == TF32:
        a, b = ((m.contiguous().view(torch.int32) & ~0x1FFF).view(torch.float32) for m in (a, b))
    return torch.bmm(a, b)


@pytest.fixture(params=[FULL, TF32], ids=["ieee", "tf32"])
def before(request: pytest.FixtureRequest) -> Iterator[object]:
    """What torch is set to."""
    was = getattr(MATMUL, NAME)
    setattr(MATMUL, NAME, request.param)
    yield request.param
    setattr(MATMUL, NAME, was)


CLOUD = torch.randn(1, 300, 48, generator=torch.Generator().manual_seed(0)) + 2
NEAREST = brute_force(CLOUD, 9)[1]


def search(multiply: Callable[[Tensor, Tensor], tuple[Tensor, float]]) -> Tensor:
    return emulated_products(Problem(CLOUD, 9), multiply).indices


def test_the_bound_is_needed(before: object) -> None:
    """The neighbours by TF32 are wrong without it, and so the next test can fail."""
    found = search(lambda a, b: (as_torch_is_set(a, b), 0.0))
    assert torch.equal(found, NEAREST) == (before == FULL)


class Overlap:
    """Two searches of which the second begins while the first multiplies, where nothing waits.

    Both then multiply at the same time, and ``first_leaves`` says which of them ends first.
    """

    def __init__(self, first_leaves: bool) -> None:
        self.first_leaves = first_leaves
        self.begun = threading.Event()
        self.both = threading.Barrier(2)
        self.left = threading.Event()

    def search(self, precision: str, is_first: bool) -> Tensor:
        if not is_first:
            assert self.begun.wait(60)
        leaves = is_first == self.first_leaves

        def product(a: Tensor, b: Tensor) -> Tensor:
            self.begun.set()
            self._meet()
            result = as_torch_is_set(a, b)
            self._meet()
            if not leaves:
                self.left.wait(WAIT)
            return result

        def multiply(a: Tensor, b: Tensor) -> tuple[Tensor, float]:
            try:
                return multiply_by(product, a, b, precision)
            finally:
                if leaves:
                    self.left.set()

        return search(multiply)

    def _meet(self) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):  # the other waits, or has ended
            self.both.wait(WAIT)


@pytest.mark.parametrize("first_leaves", [True, False])
@pytest.mark.parametrize(
    "precisions",
    [("fast", "fast"), ("exact", "fast"), ("fast", "exact")],
    ids=lambda precisions: "-".join(precisions),
)
def test_overlapping_searches_are_exact_and_leave_torch_as_it_was(
    before: object, precisions: tuple[str, str], first_leaves: bool
) -> None:
    overlap = Overlap(first_leaves)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = list(pool.map(overlap.search, precisions, (True, False)))
    for indices in found:
        assert torch.equal(indices, NEAREST)
    assert getattr(MATMUL, NAME) == before


def test_products_of_several_threads_have_the_error_that_is_told(before: object) -> None:
    errors = {"exact": clouds.operand_error("cuda", torch.float32)}
    errors["fast"] = clouds.OPERAND_ERROR["tf32"]
    seen: list[tuple[str, float]] = []
    told: list[tuple[str, float]] = []

    def multiply(thread: int) -> None:
        for turn in range(20):
            precision = "fast" if (thread + turn) % 2 else "exact"

            def product(a: Tensor, b: Tensor, precision: str = precision) -> Tensor:
                time.sleep(1e-4)  # other threads take their turn
                seen.append((precision, clouds.operand_error("cuda", torch.float32)))
                return torch.bmm(a, b)

            matrix = torch.ones(1, 2, 2)
            told.append((precision, multiply_by(product, matrix, matrix, precision)[1]))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(multiply, range(4)))
    assert len(seen) == len(told) == 80
    assert set(seen) == set(told) == set(errors.items())
    assert getattr(MATMUL, NAME) == before


def test_a_product_that_fails_leaves_torch_as_it_was(before: object) -> None:
    def product(a: Tensor, b: Tensor) -> Tensor:
        assert getattr(MATMUL, NAME) == TF32
        raise MemoryError

    matrix = torch.ones(1, 2, 2)
    with pytest.raises(MemoryError):
        multiply_by(product, matrix, matrix, "fast")
    assert getattr(MATMUL, NAME) == before
    assert cuda.multiply(matrix, matrix, "exact")[0].tolist() == [[[2, 2], [2, 2]]]
