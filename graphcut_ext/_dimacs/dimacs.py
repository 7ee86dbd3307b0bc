"""Maximum-flow problems in files of the DIMACS format."""

from __future__ import annotations

import contextlib
import gzip
import io
import operator
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from graphcut_ext._arguments import check_graph
from graphcut_ext._dimacs.arcs import INT64_MAX
from graphcut_ext._dimacs.problem import FlowProblem, flow_problem
from graphcut_ext._dimacs.text import read_network
from graphcut_ext._maxflow.cut import to_numpy, value_dtype

WRITTEN_AT_ONCE = 1 << 16  # arcs

PathOrFile = str | os.PathLike[str] | IO[bytes]


def read_dimacs(path_or_file: PathOrFile) -> FlowProblem:
    r"""Read a maximum-flow problem from a DIMACS file, plain or compressed by gzip.

    Parameters
    ----------
    path_or_file : path or binary file
        A file is read from where it stands to its end. Its content tells whether it is compressed.

    Returns
    -------
    FlowProblem
        Capacities in int64 if all of them are written as integers, else in float64. Nodes are
        those of the file without the two terminals, in their order. All arcs between two nodes
        make one edge from the lower to the higher, in the order of (tail, head). Arcs into the
        source, out of the sink, from a node to itself or of capacity 0 carry no flow and are left
        out.

    Raises
    ------
    ValueError
        The file is broken: the message names it, the first broken line, counted from 1, and what
        is wrong with it. Or capacities that have to be added overflow.
    TypeError
        A text file, or neither path nor file.
    OSError
        The file cannot be read.

    Notes
    -----
    A file of N nodes and M arcs reads ::

        c a comment; empty lines are skipped too
        p max N M
        n NODE s
        n NODE t
        a TAIL HEAD CAPACITY      (M times; nodes 1..N)

    The p line comes first; ``inf`` is a legal capacity. Memory is O(N + arcs in the file), however
    many arcs the file promises.

    References
    ----------
    D. S. Johnson and C. C. McGeoch (editors), "Network Flows and Matching: First DIMACS
    Implementation Challenge", AMS 1993.

    Examples
    --------
    >>> text = b"p max 4 4\nn 1 s\nn 4 t\na 1 2 5\na 2 3 3\na 3 4 4\na 1 4 2\n"
    >>> problem = read_dimacs(io.BytesIO(text))
    >>> problem.source.tolist(), problem.edge_index.tolist(), problem.direct
    ([5, 0], [[0], [1]], 2)
    >>> cut = problem.cut()
    >>> cut.value.item(), cut.source_side.tolist()
    (5, [True, False])
    """
    with contextlib.ExitStack() as stack:
        if isinstance(path_or_file, str | os.PathLike):
            name = os.fspath(path_or_file)
            file = stack.enter_context(open(name, "rb", buffering=0))
        else:
            name = str(getattr(path_or_file, "name", "<file>"))
            if not hasattr(path_or_file, "readinto"):
                raise TypeError(
                    "path_or_file must be a path or a file opened in binary mode, "
                    f"not {type(path_or_file).__name__}"
                )
            file = cast(io.FileIO, path_or_file)
        stream: io.BufferedReader = io.BufferedReader(file)
        stack.callback(stream.detach)  # else it would close the caller's file
        return flow_problem(read_network(name, stream))


def write_dimacs(path_or_file: PathOrFile, problem: FlowProblem) -> None:
    r"""Write a maximum-flow problem as a DIMACS file.

    Parameters
    ----------
    path_or_file : path or binary file
        A path that ends in ``.gz`` is compressed by gzip.
    problem : FlowProblem
        Capacities without leading dimensions. Arcs of capacity 0 are not written.

    Raises
    ------
    TypeError
        Not a tensor, or an unsupported or mixed dtype; ``direct`` is no integer where capacities
        are; a text file.
    IndexError
        A node number out of range.
    ValueError
        A wrong shape; a negative or NaN capacity; terminals that are not two numbers of 1..N+2.
    OSError
        The file cannot be written.

    Notes
    -----
    What :func:`read_dimacs` returns is written and read again without a change, except that no
    arcs at all are read as int64. Floating-point numbers are written with all their digits. The
    same problem gives the same bytes.

    Examples
    --------
    >>> import torch
    >>> edge_index, zero = torch.tensor([[0], [1]]), torch.tensor([0])
    >>> problem = FlowProblem(edge_index, torch.tensor([3]), reverse_capacity=zero,
    ...                       source=torch.tensor([5, 0]), sink=torch.tensor([0, 4]))
    >>> file = io.BytesIO()
    >>> write_dimacs(file, problem)
    >>> file.getvalue().split(b"\n")[3:-1]
    [b'a 1 2 5', b'a 3 4 4', b'a 2 3 3']
    """
    tail, head, capacity, (source, sink) = _arcs(problem)
    with _opened_to_write(path_or_file) as file:
        nodes = problem.source.shape[0] + 2
        file.write(f"p max {nodes} {len(tail)}\nn {source} s\nn {sink} t\n".encode())
        for at in range(0, len(tail), WRITTEN_AT_ONCE):
            columns = (c[at : at + WRITTEN_AT_ONCE].tolist() for c in (tail, head, capacity))
            rows = zip(*columns, strict=True)
            file.write("".join([f"a {u} {v} {c!r}\n" for u, v, c in rows]).encode())


@contextlib.contextmanager
def _opened_to_write(path_or_file: PathOrFile) -> Iterator[IO[bytes]]:
    if not isinstance(path_or_file, str | os.PathLike):
        if isinstance(path_or_file, io.TextIOBase) or not hasattr(path_or_file, "write"):
            raise TypeError(
                "path_or_file must be a path or a file opened in binary mode, "
                f"not {type(path_or_file).__name__}"
            )
        yield path_or_file
        return
    with open(path_or_file, "wb") as file:
        if Path(path_or_file).suffix != ".gz":
            yield file
            return
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            yield cast(IO[bytes], packed)


def _arcs(
    problem: FlowProblem,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], tuple[int, int]]:
    """Tails, heads (numbers of the file) and capacities of the arcs, and the two terminals."""
    _check(problem)
    nodes = problem.source.shape[0]
    s, t = problem.terminals or (1, nodes + 2)
    wide = value_dtype(problem.capacity.dtype)
    direct = problem.direct if wide.is_floating_point else operator.index(cast(int, problem.direct))
    number = to_numpy(problem.numbers())
    tail, head = number[to_numpy(problem.edge_index)]
    source, sink, forward, backward = (
        to_numpy(c.to(wide))
        for c in (problem.source, problem.sink, problem.capacity, problem.reverse_capacity)
    )
    tails = np.concatenate([[s], np.full(nodes, s), number, tail, head])
    heads = np.concatenate([[t], number, np.full(nodes, t), head, tail])
    straight = np.array([direct], dtype=source.dtype)
    capacities = np.concatenate([straight, source, sink, forward, backward])
    used = capacities > 0
    return tails[used], heads[used], capacities[used], (s, t)


def _check(problem: FlowProblem) -> None:
    names = ("capacity", "reverse_capacity", "source", "sink")
    capacities: dict[str, Tensor] = {name: getattr(problem, name) for name in names}
    check_graph({"edge_index": problem.edge_index}, capacities)
    edges, nodes = problem.edge_index.shape[-1:].numel(), problem.source.shape[-1:].numel()
    shapes = {"edge_index": (2, edges), "capacity": (edges,), "reverse_capacity": (edges,)}
    for name, shape in {**shapes, "source": (nodes,), "sink": (nodes,)}.items():
        if getattr(problem, name).shape != shape:
            found = tuple(getattr(problem, name).shape)
            raise ValueError(f"{name} must have shape {shape}, not {found}")
    outside = ((problem.edge_index < 0) | (problem.edge_index >= nodes)).nonzero()
    if len(outside):
        place = outside[0].tolist()
        number = problem.edge_index[tuple(place)]
        raise IndexError(f"edge_index{place} = {number} is out of range for {nodes} nodes")
    for name, tensor in capacities.items():
        wrong = (~(tensor >= 0)).nonzero()
        if len(wrong):
            raise ValueError(f"{name} is {tensor[wrong[0, 0]]} at {wrong[0, 0]}; it must be >= 0")
    if not problem.direct >= 0:
        raise ValueError(f"direct is {problem.direct}; it must be >= 0")
    if not problem.capacity.is_floating_point() and problem.direct > INT64_MAX:
        raise ValueError(f"direct overflows int64: {problem.direct}")
    s, t = problem.terminals or (1, nodes + 2)
    if s == t or not (1 <= s <= nodes + 2 and 1 <= t <= nodes + 2):
        raise ValueError(f"terminals are {s} and {t}; they must differ, in 1..{nodes + 2}")
