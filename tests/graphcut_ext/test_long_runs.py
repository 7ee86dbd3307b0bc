"""Many calls in one process, and calls in worker processes: nothing grows, nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

STEP = """
import multiprocessing, os, signal, sys
import numpy as np, torch
import graphcut_ext as gx

def step(seed):
    random = torch.Generator().manual_seed(seed)
    points = torch.rand(2, 48, 4, generator=random)
    near = gx.knn(points, 4)
    gx.knn(points.double(), 4)  # always by torch's products
    weights = gx.knn_weights(near.indices, near.distances, weighting="gaussian")
    source, sink = torch.rand(2, 2, 3, 48, generator=random)
    cut = gx.knn_maxflow(near.indices, weights, source, sink, num_threads=2)
    image = torch.randint(256, (1, 3, 12, 12), dtype=torch.uint8, generator=random)
    scores = torch.rand(1, 3, 12, 12, generator=random)  # torch's softmax hangs in a forked child
    marginals = gx.dense_crf(scores, image, iterations=2)
    gx.dense_crf(scores, image, iterations=2, method="exact")
    gx.dense_crf_features(scores.flatten(2), [(torch.rand(1, 144, 4, generator=random), 1.0)])
    graph = gx.Graph.grid((8, 8), np.ones((2, 8, 8), np.float32), connectivity=4)
    graph.add_terminals(np.arange(48), source[0, 0].numpy(), sink[0, 0].numpy())
    value = graph.solve()
    graph.set_terminals(np.arange(4), source=np.ones(4, np.float32))
    again = graph.solve()
    chain = torch.stack([torch.arange(47), torch.arange(1, 48)])
    moved = gx.alpha_expansion(chain, source[1].T)
    return float(cut.value.sum() + marginals.square().sum() + moved.energy) + value + again
"""
GROWTH = """
def used():
    with open("/proc/self/status") as file:
        found = dict(line.split(":", 1) for line in file)
    memory = int(found["VmRSS"].split()[0]) // 1024
    return memory, len(os.listdir("/proc/self/fd")), int(found["Threads"])

for seed in range(200):
    step(seed)
before = used()
for seed in range(1000):
    step(seed)
after = used()
print(*(b - a for a, b in zip(before, after)))
"""
FORKED = """
expected = step(1)
long_chain = torch.arange(40_000).unfold(0, 2, 1).T, torch.rand(40_000, 4)
for _ in range(3):
    torch.rand(2_000_000).log_()  # starts OpenMP's threads, which a child does not have
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        assert step(1) == expected
        gx.alpha_expansion(*long_chain)
        os._exit(0)
    children.append(child)
print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""
POOL = """
if __name__ == "__main__":
    expected = [step(seed) for seed in range(6)]
    with multiprocessing.get_context("METHOD").Pool(2) as pool:
        print(pool.map_async(step, range(6)).get(timeout=60) == expected)
"""


def output_of(script: str) -> str:
    several = {**os.environ, "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, env=several)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_memory_files_and_threads_do_not_grow() -> None:
    memory, files, threads = map(int, output_of(STEP + GROWTH).split())
    assert memory <= 8  # MB; a kept result of each step would take more
    assert (files, threads) == (0, 0)


def test_forked_children_do_not_hang_after_openmp() -> None:
    assert output_of(STEP + FORKED) == "0 0 0"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_workers(method: str, tmp_path: os.PathLike[str]) -> None:
    script = os.path.join(tmp_path, "pool.py")
    with open(script, "w") as file:
        file.write(STEP + POOL.replace("METHOD", method))
    result = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert result.stdout.strip() == "True", result.stderr
