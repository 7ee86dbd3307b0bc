"""Ctrl-C during long calls: KeyboardInterrupt at once, and graphs that are usable after it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

# Calls that take far longer than the test may. A thread sends SIGINT once they are under way.
START = """
import os, signal, sys, threading, time
import numpy as np, torch
import graphcut_ext as gx

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored

def interrupt_soon(seconds=0.5):
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()

def problem(nodes):
    random = torch.Generator().manual_seed(0)
    ends = torch.randint(nodes, (2, 20 * nodes), generator=random)
    capacity = torch.randint(1, 1000, (20 * nodes,), generator=random)
    source = torch.zeros(nodes, dtype=torch.int64)
    source[: nodes // 50] = 10**6
    sink = source.flip(0)
    return ends, capacity, source, sink
"""
MAXFLOW = """
edge_index, capacity, source, sink = problem(20_000)
sources, sinks = source.expand(5000, -1), sink.expand(5000, -1)
interrupt_soon()
try:
    gx.maxflow(edge_index, capacity, source=sources, sink=sinks, num_threads=THREADS)
except KeyboardInterrupt:
    print("interrupted")
"""
DENSE_CRF = """
image = torch.rand(BATCH, 3, 700, 900) * 255
probabilities = torch.rand(BATCH, 21, 700, 900).softmax(1)
torch.set_num_threads(THREADS)
interrupt_soon()
try:
    gx.dense_crf(probabilities, image.byte(), iterations=100_000)
except KeyboardInterrupt:
    print("interrupted")
"""
MOVES = """
edge_index, weights, *_ = problem(100_000)
unary = torch.randint(0, 20_000, (100_000, 150), generator=torch.Generator().manual_seed(1))
interrupt_soon(4)  # the arguments are checked by then
try:
    gx.OPERATOR(edge_index, unary, weights)
except KeyboardInterrupt:
    print("interrupted")
"""
KNN_MAXFLOW = """
ends, capacity, source, sink = problem(20_000)
sources, sinks = source.expand(1, 5000, -1), sink.expand(1, 5000, -1)
interrupt_soon()
try:
    gx.knn_maxflow(ends[0].view(1, 20_000, 20), capacity.view(1, 20_000, 20), sources, sinks)
except KeyboardInterrupt:
    print("interrupted")
"""
GRADIENT = """
image = torch.rand(1, 3, 300, 400) * 255
probabilities = torch.rand(1, 21, 300, 400).softmax(1).requires_grad_()
marginals = gx.dense_crf(probabilities, image.byte(), iterations=100)
interrupt_soon()
try:
    while True:
        marginals.square().sum().backward(retain_graph=True)
except KeyboardInterrupt:
    print("interrupted")
"""
SEGMENT = """
image = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
interrupt_soon()
try:
    gx.segment(image, box=(100, 100, 500, 700), iterations=10**6)
except KeyboardInterrupt:
    print("interrupted")
"""
MIN_MARGINALS = """
graph = gx.Graph.grid((400, 400), 3, connectivity=8, dtype="int64")
draw = np.random.default_rng(0)
graph.add_terminals(graph.nodes, draw.integers(0, 30, (400, 400)), draw.integers(0, 30, (400, 400)))
graph.solve()
interrupt_soon()
try:
    gx.min_marginals(graph)
except KeyboardInterrupt:
    print("interrupted")
"""
KNN = """
x = torch.randn(1, POINTS, CHANNELS)
interrupt_soon()
try:
    gx.knn(x, 9)
except KeyboardInterrupt:
    print("interrupted")
"""
GRAPH = """
edge_index, capacity, source, sink = (t.numpy() for t in problem(20_000))
graph = gx.Graph(dtype="int64")
graph.add_nodes(len(source))
graph.add_edges(*edge_index, capacity, capacity)
graph.add_terminals(np.arange(len(source)), source, sink)
def solve_for_long():
    while True:
        graph.solve(reuse=False)
interrupt_soon()
try:
    solve_for_long()
except KeyboardInterrupt:
    print("interrupted")
twin = gx.Graph(dtype="int64")
twin.add_nodes(len(source))
twin.add_edges(*edge_index, capacity, capacity)
twin.add_terminals(np.arange(len(source)), source, sink)
assert graph.solve() == twin.solve()
assert np.array_equal(graph.source_side, twin.source_side)
"""


def run(code: str, **names: object) -> None:
    given = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    done = subprocess.run(
        [sys.executable, "-c", START + given + code],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


@pytest.mark.parametrize("threads", [1, 2])
def test_maxflow(threads: int) -> None:
    run(MAXFLOW, THREADS=threads)


@pytest.mark.parametrize(("batch", "threads"), [(1, 2), (4, 2)])
def test_dense_crf(batch: int, threads: int) -> None:
    run(DENSE_CRF, BATCH=batch, THREADS=threads)


@pytest.mark.parametrize("operator", ["alpha_expansion", "alpha_beta_swap"])
def test_moves(operator: str) -> None:
    run(MOVES.replace("OPERATOR", operator))


@pytest.mark.parametrize(("points", "channels"), [(400_000, 64), (4_000_000, 3)])
def test_knn(points: int, channels: int) -> None:
    run(KNN, POINTS=points, CHANNELS=channels)


@pytest.mark.parametrize(
    "code",
    [KNN_MAXFLOW, GRADIENT, SEGMENT, MIN_MARGINALS],
    ids=["knn_maxflow", "gradient of dense_crf", "segment", "min_marginals"],
)
def test_other_calls(code: str) -> None:
    run(code)


def test_graph_is_solved_from_scratch_after_it() -> None:
    run(GRAPH)
