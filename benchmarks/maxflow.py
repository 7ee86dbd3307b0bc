"""Minimum cuts of 64 graphs of 41 x 41 nodes: build, solve and labels, against PyMaxflow and SciPy.

Values are compared first, on integer capacities, where every solver is exact. PyMaxflow gets the
edges of mutual pairs already merged; graphcut_ext merges them within its time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import maxflow as pymaxflow
import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

import graphcut_ext as gx
from benchmarks.graphs import KnnGraphs, knn_family
from benchmarks.timing import interleaved, summary, write_json

FAMILIES = ("knn41", "dgcn41")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--graphs", type=int, default=64, help="graphs in a batch (default 64)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])


def run(arguments: argparse.Namespace) -> None:
    """Check, time, print and store."""
    results = {}
    for family in arguments.families:
        graphs = knn_family(family, arguments.graphs)
        check_values(graphs.to_integers())
        seconds = interleaved(contenders(graphs, arguments.threads), arguments.repeats)
        edges = sum(len(graphs.edges(g, merged=True)[0]) for g in range(arguments.graphs))
        rows = {name: summary(times) for name, times in seconds.items()}
        results[family] = {"edges_per_graph": edges / arguments.graphs, "rows": rows}
        peer = rows["PyMaxflow, merged edges"]["median_ms"]
        print(
            f"\n{family}: {arguments.graphs} graphs of {graphs.source.shape[1]} nodes, "
            f"{edges / arguments.graphs:.0f} merged edges; values equal on integers"
        )
        print(f"{'':38}{'ms':>9}{'q1':>9}{'q3':>9}{'graphs/s':>10}{'ns/edge':>9}{'ratio':>7}")
        for name, row in rows.items():
            ms = row["median_ms"]
            print(
                f"{name:38}{ms:9.1f}{row['q1_ms']:9.1f}{row['q3_ms']:9.1f}"
                f"{arguments.graphs / ms * 1e3:10.0f}{ms * 1e6 / edges:9.0f}{peer / ms:7.2f}"
            )
    write_json(arguments.json, results)


def contenders(graphs: KnnGraphs, threads: list[int]) -> dict[str, Callable[[], object]]:
    """Everything that is timed, from arrays in memory to labels."""
    source, sink = graphs.source.unsqueeze(1), graphs.sink.unsqueeze(1)
    merged = concatenate(graphs)
    work: dict[str, Callable[[], object]] = {}
    for n in threads:
        work[f"gx.knn_maxflow, {n} thread(s)"] = lambda n=n: gx.knn_maxflow(
            graphs.indices, graphs.weights, source, sink, solver="bk", num_threads=n
        )
        work[f"gx.maxflow, merged edges, {n} thread(s)"] = lambda n=n: gx.maxflow(
            *merged, solver="bk", num_threads=n, ptr=pointer(graphs)
        )
    for label, flag in (("merged", True), ("unmerged", False)):
        arrays = pymaxflow_arrays(graphs, merged=flag)
        work[f"PyMaxflow, {label} edges"] = lambda arrays=arrays: [
            solve_pymaxflow(pymaxflow.GraphFloat, *a) for a in arrays
        ]
    return work


def pointer(graphs: KnnGraphs) -> torch.Tensor:
    """Node offsets of the concatenated graphs."""
    count, nodes = graphs.source.shape
    return torch.arange(count + 1) * nodes


def concatenate(graphs: KnnGraphs) -> tuple[torch.Tensor, ...]:
    """All graphs as one edge list: edge_index, capacity, source, sink."""
    count, nodes = graphs.source.shape
    parts = [graphs.edges(g, merged=True) for g in range(count)]
    ends = np.concatenate(
        [np.stack([u, v]) + g * nodes for g, (u, v, _) in enumerate(parts)], axis=1
    )
    capacity = np.concatenate([c for _, _, c in parts])
    return (
        torch.as_tensor(ends),
        torch.as_tensor(capacity),
        graphs.source.flatten(),
        graphs.sink.flatten(),
    )


def pymaxflow_arrays(graphs: KnnGraphs, *, merged: bool) -> list[tuple[np.ndarray, ...]]:
    """What solve_pymaxflow takes, in PyMaxflow's own dtypes (int64 or float64)."""
    dtype = np.float64 if graphs.weights.is_floating_point() else np.int64
    return [
        (
            u,
            v,
            c.astype(dtype),
            graphs.source[g].numpy().astype(dtype),
            graphs.sink[g].numpy().astype(dtype),
        )
        for g, (u, v, c) in ((g, graphs.edges(g, merged=merged)) for g in range(len(graphs.source)))
    ]


def solve_pymaxflow(
    graph_type: type, u: np.ndarray, v: np.ndarray, c: np.ndarray, s: np.ndarray, t: np.ndarray
) -> tuple[float, np.ndarray]:
    """Value and labels (True: sink side) by PyMaxflow's vectorised calls."""
    graph = graph_type(len(s), len(u))
    nodes = graph.add_nodes(len(s))
    graph.add_edges(u, v, c, c)
    graph.add_grid_tedges(nodes, s, t)
    return graph.maxflow(), graph.get_grid_segments(nodes)


def solve_scipy(u: np.ndarray, v: np.ndarray, c: np.ndarray, s: np.ndarray, t: np.ndarray) -> int:
    """Value by SciPy's Dinic."""
    n = len(s)
    node, a, b = np.arange(n), np.full(n, n), np.full(n, n + 1)
    rows, columns = np.concatenate([u, v, a, node]), np.concatenate([v, u, node, b])
    graph = csr_array(
        (np.concatenate([c, c, s, t]).astype(np.int32), (rows, columns)), shape=(n + 2, n + 2)
    )
    return int(maximum_flow(graph, n, n + 1).flow_value)


def check_values(graphs: KnnGraphs) -> None:
    """Raise unless all solvers agree on the values, and our labels with PyMaxflow's up to ties."""
    cut = gx.knn_maxflow(
        graphs.indices,
        graphs.weights,
        graphs.source.unsqueeze(1),
        graphs.sink.unsqueeze(1),
        solver="bk",
    )
    listed = gx.maxflow(*concatenate(graphs), solver="bk", ptr=pointer(graphs))
    sides = listed.source_side.view(graphs.source.shape)
    for g, arrays in enumerate(pymaxflow_arrays(graphs, merged=True)):
        value, segments = solve_pymaxflow(pymaxflow.GraphInt, *arrays)
        ours = (cut.value[g, 0].item(), listed.value[g].item())
        if not value == solve_scipy(*arrays) == ours[0] == ours[1]:
            raise AssertionError(f"graph {g}: values differ: PyMaxflow {value}, ours {ours}")
        for side in (cut.source_side[g, 0], sides[g]):
            # PyMaxflow gives nodes that neither terminal reaches to the source, we to the sink.
            if (side.numpy() & segments).any():
                raise AssertionError(f"graph {g}: the source set is not within PyMaxflow's")
