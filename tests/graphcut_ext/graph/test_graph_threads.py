"""gx.Graph in several threads."""

from __future__ import annotations

import threading
import time

import numpy as np
from graphs import assert_solved_as_scipy

import graphcut_ext as gx


def test_threads_share_a_graph():
    """Changes and solves wait for each other, and none is lost."""
    graph = gx.Graph.grid((60, 60), 1, dtype=np.int64)
    graph.set_terminals(graph.nodes[0], source=9)

    def work(row: int) -> None:
        for node in graph.nodes[row]:
            graph.add_terminals(node, sink=1)
            graph.solve()

    threads = [threading.Thread(target=work, args=(row,)) for row in (20, 30, 40, 59)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert graph.sink.sum() == 4 * 60
    assert_solved_as_scipy(graph)


def test_results_are_read_while_nodes_are_added():
    """They are those of a solve, whole, or are said not to be known."""
    graph = gx.Graph()
    graph.add_nodes(3)
    graph.add_edges([0, 1], [1, 2], 1)
    wrong, done = [], threading.Event()

    def read() -> None:
        while not done.is_set():
            for name in ("source_side", "sink_side", "flow", "residual"):
                try:
                    getattr(graph, name)
                except RuntimeError as error:
                    if f"{name} is not known" not in str(error):
                        wrong.append(error)
                except Exception as error:
                    wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        graph.solve()
        node = graph.add_nodes(1)
        graph.add_edges(0, node, 1)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_solve_releases_the_gil():
    """Another thread runs Python code while a graph is solved."""
    rng = np.random.default_rng(6)
    graph = gx.Graph.grid((400, 400), rng.random((4, 400, 400)), connectivity=8)
    graph.set_terminals(graph.nodes, rng.random((400, 400)), rng.random((400, 400)))
    taken = []

    def solve() -> None:
        start = time.perf_counter()
        graph.solve()
        taken.append(time.perf_counter() - start)

    thread = threading.Thread(target=solve)
    thread.start()
    turns = [time.perf_counter()]
    while not taken:
        turns.append(time.perf_counter())
    thread.join()
    assert np.diff(turns).max() < taken[0] / 2
