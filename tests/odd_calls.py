"""The operators and the compiled core's bindings, called with odd arguments.

``python tests/odd_calls.py [-runs=N] [-seed=N] [-core=FOLDER]``: sound arguments of which some
are replaced: other types, shapes and strides, no elements, views, misaligned memory, NaN, huge
counts. A call must return, or raise one of `REFUSED`. It is meant for a core that is built with
sanitizers, see ``make sanitize-python``, which ends the process at an access beyond an array; the
file ``odd-call`` in the folder of temporary files then holds the call.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def load_core(folder: str) -> None:
    """Take the compiled core of another folder, before the package is imported."""
    (path,) = Path(folder).glob("_core*.so")
    spec = importlib.util.spec_from_file_location("graphcut_ext._core", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])


OPTIONS = dict(argument.split("=", 1) for argument in sys.argv[1:])
if "-core" in OPTIONS:
    load_core(OPTIONS["-core"])

import graphcut_ext as gx  # noqa: E402
from graphcut_ext import _core  # noqa: E402

REFUSED = (TypeError, ValueError, IndexError, NotImplementedError, MemoryError, OverflowError)
HUGE = (2**38, 2**45)  # no machine has so much memory
NUMBERS: tuple[Any, ...] = (
    *(-1, 0, 1, 2, 3, 1000, 2**31, 2**63, -(2**63), 2**70, 0.5, -0.5, float("nan"), float("inf")),
    *("", "auto", "x", None, True, (), (1, 2), [1.0], {}, b"", torch.tensor(2), np.float32(1.5)),
)
TORCH_TYPES = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.bool),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
)
NUMPY_TYPES = (
    "f2",
    "f4",
    "f8",
    "g",
    "c8",
    "?",
    "u1",
    "i1",
    "i4",
    "i8",
    "u8",
    ">f4",
    ">i8",
    "O",
    "U3",
)


def edges(draw: random.Random) -> dict[str, Any]:
    nodes, count = draw.randint(1, 6), draw.randint(0, 9)
    torch.manual_seed(draw.randrange(1 << 30))
    dtype = draw.choice((torch.float32, torch.float64, torch.int32, torch.int64))
    return {
        "edge_index": torch.randint(nodes, (2, count)),
        "capacity": torch.randint(9, (count,)).to(dtype),
        "source": torch.randint(9, (nodes,)).to(dtype),
        "sink": torch.randint(9, (nodes,)).to(dtype),
    }


def neighbours(draw: random.Random) -> dict[str, Any]:
    items, nodes, k = draw.randint(1, 2), draw.randint(2, 6), draw.randint(1, 3)
    torch.manual_seed(draw.randrange(1 << 30))
    dtype = draw.choice((torch.float32, torch.float64, torch.int32, torch.int64))
    return {
        "indices": torch.randint(-1, nodes, (items, nodes, k)),
        "weights": torch.randint(9, (items, nodes, k)).to(dtype),
        "source": torch.randint(9, (items, 2, nodes)).to(dtype),
        "sink": torch.randint(9, (items, 2, nodes)).to(dtype),
    }


def points(draw: random.Random) -> dict[str, Any]:
    torch.manual_seed(draw.randrange(1 << 30))
    shape = (draw.randint(1, 2), draw.randint(4, 30), draw.randint(1, 5))
    return {"x": torch.randn(shape), "k": draw.randint(1, 3)}


def clouds(draw: random.Random) -> dict[str, Any]:
    found = points(draw)
    items, count, channels = found["x"].shape
    return {
        **found,
        "query": torch.randn(items, 4, channels),
        "lengths": torch.randint(count + 1, (items,)),
    }


def weighted(draw: random.Random) -> dict[str, Any]:
    found = gx.knn(**points(draw))
    return {
        "indices": found.indices,
        "distances": found.distances,
        "weighting": "gaussian",
        "sigma": draw.choice(("item", "node", 1.0)),
    }


def pixels(draw: random.Random) -> dict[str, Any]:
    torch.manual_seed(draw.randrange(1 << 30))
    items, labels, h, w = draw.randint(1, 2), draw.randint(1, 4), draw.randint(1, 7), 5
    return {
        "probabilities": torch.rand(items, labels, h, w).softmax(1),
        "image": torch.randint(256, (items, 3, h, w), dtype=torch.uint8),
        "iterations": 2,
        "gaussian": (draw.choice((1.0, 3.0)), 3.0),
        "bilateral": (20.0, 13.0, 5.0),
    }


def energy(draw: random.Random) -> dict[str, Any]:
    nodes, labels, count = draw.randint(1, 6), draw.randint(1, 4), draw.randint(0, 9)
    torch.manual_seed(draw.randrange(1 << 30))
    dtype = draw.choice((torch.float32, torch.float64, torch.int32, torch.int64))
    return {
        "edge_index": torch.randint(nodes, (2, count)),
        "unary": torch.randint(9, (nodes, labels)).to(dtype),
        "weights": torch.randint(9, (count,)).to(dtype),
        "init": torch.randint(labels, (nodes,)),
        "max_cycles": 2,
    }


def marked(draw: random.Random) -> dict[str, Any]:
    values = np.random.default_rng(draw.randrange(1 << 30))
    seeds = values.integers(0, 3, (6, 7))
    seeds[0, 0], seeds[5, 6] = 1, 2
    return {"image": values.integers(0, 256, (6, 7, 3), dtype=np.uint8), "seeds": seeds}


def grid_calls(draw: random.Random) -> dict[str, Any]:
    values = np.random.default_rng(draw.randrange(1 << 30))
    return {
        "nodes": draw.randint(1, 6),
        "tail": values.integers(0, 3, 4),
        "head": values.integers(0, 3, 4),
        "capacity": values.integers(0, 9, 4).astype(np.float32),
        "at": values.integers(0, 3, 2),
        "source": values.integers(0, 9, 2).astype(np.float32),
        "shape": (3, 4),
        "weight": values.random((2, 3, 4), dtype=np.float32),
    }


def graph(**given: Any) -> None:
    """A graph through its methods; each takes what it is given."""
    built = gx.Graph()
    built.add_nodes(given["nodes"])
    built.add_edges(given["tail"], given["head"], given["capacity"])
    built.add_terminals(given["at"], given["source"], given["source"])
    built.solve()
    built.set_terminals(given["at"], source=given["source"])
    built.solve()
    gx.min_marginals(built)
    gx.Graph.grid(given["shape"], given["weight"], connectivity=4).solve()


Arguments = Callable[[random.Random], dict[str, Any]]
OPERATORS: list[tuple[Callable[..., object], Arguments]] = [
    (gx.maxflow, edges),
    (gx.knn_maxflow, neighbours),
    (gx.knn, points),
    (gx.knn, clouds),
    (gx.knn_weights, weighted),
    (gx.dense_crf, pixels),
    (gx.alpha_expansion, energy),
    (gx.alpha_beta_swap, energy),
    (gx.segment, marked),
    (graph, grid_calls),
]


def odd_tensor(tensor: Tensor, draw: random.Random) -> Any:
    """A tensor, or something like one, that looks like the given one and is not."""
    axis = draw.randrange(max(tensor.dim(), 1))
    wide = tensor.repeat_interleave(2, axis) if tensor.dim() else tensor
    kinds: list[Callable[[], Any]] = [
        lambda: tensor.to(draw.choice(TORCH_TYPES)),
        lambda: tensor.mT if tensor.dim() > 1 else tensor,
        lambda: wide[(slice(None),) * axis + (slice(None, None, 2),)],
        lambda: tensor[(slice(None),) * axis + (slice(0, 0),)],
        lambda: tensor[(slice(None),) * axis + (slice(1, None),)],
        lambda: tensor[(slice(None),) * axis + (slice(0, 1),)].expand(tensor.shape),
        lambda: tensor[(slice(None),) * axis + (slice(0, 1),)].expand(
            *tensor.shape[:axis], draw.choice(HUGE), *tensor.shape[axis + 1 :]
        ),
        lambda: tensor[None],
        lambda: tensor.flatten(),
        lambda: tensor.sum(),
        lambda: tensor.to("meta"),
        lambda: tensor.to_sparse(),
        lambda: tensor.clone().requires_grad_(),
        lambda: misaligned(tensor.numpy()),
        lambda: tensor.numpy(),
        lambda: np.flip(tensor.numpy()),
        lambda: tensor.tolist(),
        lambda: torch._neg_view(tensor) if tensor.is_floating_point() else tensor,
        lambda: tensor.flip(axis),
        lambda: torch.nested.nested_tensor([tensor]),
        lambda: with_value(tensor, draw),
        lambda: with_value(tensor, draw),
        lambda: draw.choice(NUMBERS),
    ]
    return draw.choice(kinds)()


def with_value(tensor: Tensor, draw: random.Random) -> Tensor:
    """One entry is another."""
    if tensor.numel() == 0 or tensor.dtype == torch.bool:
        return tensor
    tensor = tensor.clone()
    whole = not tensor.is_floating_point()
    values = (-1, -2, 2**62, 255, 7) if whole else (-1.0, float("nan"), float("inf"), 1e38, -1e-40)
    limit = torch.iinfo(tensor.dtype).max if whole else float("inf")
    tensor.view(-1)[draw.randrange(tensor.numel())] = min(draw.choice(values), limit)
    return tensor


def misaligned(array: np.ndarray[Any, Any]) -> Any:
    """The same values one byte beyond where such numbers may stand."""
    memory = np.zeros(array.nbytes + 1, dtype=np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def odd_array(array: np.ndarray[Any, Any], draw: random.Random) -> Any:
    """The same for NumPy."""
    kinds: list[Callable[[], Any]] = [
        lambda: array.astype(draw.choice(NUMPY_TYPES)),
        lambda: np.asfortranarray(array),
        lambda: np.flip(array),
        lambda: array[::2],
        lambda: array[:0],
        lambda: array[1:],
        lambda: array[None],
        lambda: array.reshape(-1),
        lambda: array.reshape(-1)[:1].reshape(()) if array.size else array,
        lambda: np.broadcast_to(array.reshape(-1)[:1], (draw.choice(HUGE),)) if array.size else 0,
        lambda: np.broadcast_to(array.reshape(-1)[:1], array.shape) if array.size else array,
        lambda: misaligned(array),
        lambda: read_only(array),
        lambda: with_value(torch.from_numpy(array.copy()), draw).numpy(),
        lambda: with_value(torch.from_numpy(array.copy()), draw).numpy(),
        lambda: draw.choice(NUMBERS),
    ]
    return draw.choice(kinds)()


def changes_values(before: np.ndarray[Any, Any], after: object) -> bool:
    """Whether an array of the same type has values that the one before does not have."""
    same = isinstance(after, np.ndarray) and after.dtype == before.dtype
    return same and 0 < after.size < 100 and not np.isin(after, before).all()


def read_only(array: np.ndarray[Any, Any]) -> Any:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def odd(value: Any, draw: random.Random) -> Any:
    """Something in the value's place; the value itself where such a thing cannot be made."""
    try:
        if isinstance(value, Tensor):
            return odd_tensor(value, draw)
        if isinstance(value, np.ndarray):
            return odd_array(value, draw)
    except (RuntimeError, ValueError, OverflowError):
        return value
    return draw.choice(NUMBERS)


def core_arguments(draw: random.Random) -> tuple[Callable[..., object], list[Any]]:
    """A binding of the core and sound arguments for it, in order."""
    values = np.random.default_rng(draw.randrange(1 << 30))

    def f32(*shape: int) -> np.ndarray[Any, Any]:
        return values.random(shape, dtype=np.float32)

    def whole(high: int, *shape: int) -> np.ndarray[Any, Any]:
        return values.integers(0, high, shape)

    n, e, k, c = draw.randint(1, 6), draw.randint(0, 8), draw.randint(1, 3), draw.randint(1, 4)
    sides, threads = np.zeros((1, 1, n), np.bool_), draw.choice((1, 2))
    rescale, found = np.ones(1), np.zeros((1, n, k), np.float32)
    index, measured = np.zeros((1, n, k), np.int64), np.zeros((1, n), np.int64)
    x, norm = f32(1, n, c), f32(1, n)
    bindings: list[tuple[Callable[..., object], list[Any]]] = [
        (
            _core.solve_edge_list,
            [
                *(whole(n, 2, e), f32(1, e), None, f32(1, n), f32(1, n), None),
                *(np.zeros((1, 1)), np.zeros((1, n), np.bool_), None, "auto", threads),
            ],
        ),
        (
            _core.solve_knn,
            [
                *(whole(n, 1, n, k), f32(1, n, k), f32(1, 1, n), f32(1, 1, n)),
                *(np.zeros((1, 1)), sides, "auto", threads),
            ],
        ),
        (
            _core.dense_crf,
            [
                *(f32(1, 2, 3, n), 0.0, f32(1, 3, 3, n), None, 2, 1.0, 1.0, 5.0, 0.5, 2.0),
                *(np.zeros((1, 2, 3, n), np.float32), threads),
            ],
        ),
        (_core.knn_center, [x, np.empty_like(x), norm, rescale, threads]),
        (
            _core.knn_select,
            [x, norm, rescale, None, f32(1, n, n), 0, 0, 0.0, found, index, measured, threads],
        ),
        (
            _core.knn_select_emulated,
            [x, norm, rescale, None, f32(1, n, n), 0, 0.0, found, index, measured, False],
        ),
        (
            _core.knn_search_tiles_emulated,
            [x, x.copy(), norm, rescale, None, n, found, index, measured, False],
        ),
    ]
    return draw.choice(bindings)


def described(value: Any) -> str:
    if isinstance(value, Tensor):
        shape = "nested" if value.is_nested else tuple(value.shape)
        return f"tensor({value.dtype}, {shape}, {value.layout}, {value.device})"
    if isinstance(value, np.ndarray):
        return f"array({value.dtype}, {value.shape}, {value.strides})"
    return repr(value)[:100]


def call(draw: random.Random, note: Path) -> bool:
    """Make one call; whether it returned."""
    if draw.random() < 0.6:
        operator, make = draw.choice(OPERATORS)
        named = make(draw)
        for name in draw.sample(list(named), k=min(len(named), draw.choice((0, 1, 1, 1, 2)))):
            named[name] = odd(named[name], draw)
            if name == "iterations" and isinstance(named[name], int) and named[name] > 1000:
                named[name] = 50  # as many would be made
        ordered: list[Any] = []
    else:
        operator, ordered = core_arguments(draw)
        named = {}
        for at in draw.sample(range(len(ordered)), k=draw.choice((0, 1, 1, 2))):
            # Values are checked by the callers, and so are numbers of threads and rounds.
            if isinstance(ordered[at], np.ndarray):
                before, ordered[at] = ordered[at], odd(ordered[at], draw)
                if changes_values(before, ordered[at]):
                    ordered[at] = before
    given = [described(v) for v in ordered] + [f"{k}={described(v)}" for k, v in named.items()]
    note.write_text(f"{getattr(operator, '__name__', operator)}({', '.join(given)})\n")
    try:
        operator(*ordered, **named)
    except REFUSED:
        return False
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        return False
    return True


def main() -> int:
    seed, runs = int(OPTIONS.get("-seed", 1)), int(OPTIONS.get("-runs", 4000))
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    draw, note, returned = random.Random(seed), Path(tempfile.gettempdir(), "odd-call"), 0
    for run in range(runs):
        try:
            returned += call(draw, note)
        except Exception:
            traceback.print_exc()
            print(f"call {run} of seed {seed}: {note.read_text()}")
            return 1
    note.unlink(missing_ok=True)
    print(f"{runs} odd calls from seed {seed}: {returned} returned, {runs - returned} were refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
