"""The families are what they say, all contenders agree on them, and the command runs."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("skimage")
from safetensors.torch import save_file
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_bipartite_matching

import graphcut_ext as gx
from benchmarks import crf, strokes, tables
from benchmarks.checks import check
from benchmarks.contenders import Contender, answers, lineup, prepare
from benchmarks.families import FAMILIES, HELD_OUT, dimacs, drawn, expansion, scenes
from benchmarks.knn import peak_bytes
from benchmarks.maxflow import installed, too_slow
from benchmarks.peers import PEERS, Peer
from benchmarks.plot import plot
from benchmarks.probe import probe
from benchmarks.problem import Batch, Problem
from benchmarks.report import family_result, rows
from dgcn.models import SmallNet
from graphcut_ext import SOLVERS

SCALE, GRAPHS = 0.07, 2
ROOT = Path(__file__).parents[1]
INSTALLED = [name for name, peer in PEERS.items() if peer.version is not None]


def arrays(batch: Batch) -> list[np.ndarray]:
    return [a for p in batch.problems for a in vars(p).values() if a is not None]


def same(one: Batch, other: Batch) -> bool:
    pairs = zip(arrays(one), arrays(other), strict=True)
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in pairs)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_deterministic_and_contenders_agree(family):
    batch = FAMILIES[family](SCALE, GRAPHS)
    assert same(batch, FAMILIES[family](SCALE, GRAPHS))
    for problem in batch.problems:
        assert problem.capacity.dtype in (np.float32, np.int32)
        assert problem.tail.max() < problem.nodes
        assert problem.head.max() < problem.nodes
    check(batch, lineup(batch, SOLVERS, [1, 2], INSTALLED))


@pytest.mark.parametrize("family", ["knn41", "photo4", "stereo"])
def test_batches_survive_storage(family, tmp_path):
    batch = FAMILIES[family](SCALE, GRAPHS)
    batch.save(tmp_path / "batch.npz")
    loaded = Batch.load(tmp_path / "batch.npz")
    assert same(batch, loaded)
    assert same(batch.to_integers(), loaded.to_integers())
    assert len(loaded.first().problems) == 1
    assert (loaded.links is None) == (batch.links is None)


def solved(problem: Problem) -> tuple[int, np.ndarray]:
    ends = torch.from_numpy(np.stack([problem.tail, problem.head]))
    capacity, reverse, source, sink = map(
        torch.from_numpy, (problem.capacity, problem.backward, problem.source, problem.sink)
    )
    cut = gx.maxflow(ends, capacity, source, sink, reverse_capacity=reverse)
    return cut.value.item(), cut.source_side.numpy()


def test_half_of_the_later_families_are_held_out():
    later = list(FAMILIES)[list(FAMILIES).index("denoise4") :]
    assert set(later[len(later) // 2 :]) == HELD_OUT


def test_matching_is_as_large_as_scipy_finds():
    (problem,) = FAMILIES["matching"](0.02, 1).problems
    left = int(problem.source.sum())
    pairs = coo_array((problem.capacity, (problem.tail, problem.head - left)), (left, left))
    matched = maximum_bipartite_matching(pairs.tocsr(), perm_type="column")
    assert solved(problem)[0] == (matched >= 0).sum() > 0


def test_surface_is_one_height_a_column_and_not_too_steep():
    (problem,) = FAMILIES["surface"](0.25, 1).problems
    side, depth = round(40 * 0.25), round(40 * 0.25)
    inside = solved(problem)[1].reshape(side, side, depth)
    height = inside.sum(axis=2)
    assert (inside == (np.arange(depth) < height[..., None])).all()
    assert height.min() >= 1
    for axis in (0, 1):
        assert np.abs(np.diff(height, axis=axis)).max() <= scenes.STEEPEST


def test_roof_duality_doubles_every_pixel():
    (problem,) = FAMILIES["roof-duality"](0.05, 1).problems
    value, side = solved(problem)
    pixels = problem.nodes // 2
    assert not (side[:pixels] & side[pixels:]).any()  # no pixel is itself and its complement
    mirrored = Problem(
        (problem.tail + pixels) % problem.nodes,
        (problem.head + pixels) % problem.nodes,
        problem.capacity,
        None,
        np.roll(problem.source, pixels),
        np.roll(problem.sink, pixels),
    )
    assert solved(mirrored)[0] == value


def test_genrmf_joins_frames_by_permutations():
    side, frames = 4, 5
    (problem,) = dimacs.genrmf(side, frames, 1.0, 1).problems
    node = np.arange(1, problem.nodes + 1)  # node 0 is the source, the last the sink
    frame = node // side**2
    onward = frame[problem.tail] != frame[problem.head]
    assert (frame[problem.head] - frame[problem.tail] == onward).all()
    assert len(np.unique(problem.head[onward])) == onward.sum()
    assert problem.capacity[onward].max() <= dimacs.LARGEST
    assert (problem.capacity[~onward] == dimacs.LARGEST * side**2).all()
    inner = 4 * side * (side - 1) * frames + side**2 * (frames - 1)
    terminal = 2 * (2 + 2) + 2  # two grid neighbours both ways, and one arc along, at either end
    assert problem.edges == inner - terminal


def test_random_levels_have_three_different_heads():
    width, levels = 6, 5
    (problem,) = dimacs.random_level(width, levels, 1.0, 1).problems
    heads = problem.head.reshape(-1, 3)
    assert all(len(set(row)) == 3 for row in heads.tolist())
    assert (problem.head // width == problem.tail // width + 1).all()
    assert (problem.source > 0).sum() == (problem.sink > 0).sum() == width


def test_expansion_move_costs_what_the_labelling_costs():
    rng = np.random.default_rng(0)
    tail, head = np.array([0, 1, 2, 0]), np.array([1, 2, 3, 2])
    labels, cost, weight = rng.integers(5, size=4), rng.integers(50, size=(5, 4)), np.full(4, 7)
    alpha = 3
    move = expansion.expansion_move(labels, alpha, cost, tail, head, weight)

    def energy(x: np.ndarray) -> int:
        jumps = np.minimum(np.abs(x[tail] - x[head]), expansion.JUMP_LIMIT)
        return int(cost[x, np.arange(4)].sum() + (weight * jumps).sum())

    sides = (np.array([i >> b & 1 for b in range(4)], dtype=bool) for i in range(16))
    offsets = {energy(np.where(side, labels, alpha)) - move.cut_value(side) for side in sides}
    assert len(offsets) == 1


def test_disagreement_is_found(monkeypatch):
    batch = FAMILIES["knn41"](SCALE, 1)

    def wrong(*arguments):
        value, side = PEERS["SciPy"].solve(*arguments)
        return value + 1, side

    broken = Peer("scipy", PEERS["SciPy"].arrays, wrong, integers_only=True)
    monkeypatch.setitem(PEERS, "wrong", broken)
    with pytest.raises(AssertionError, match="values differ"):
        check(batch, [Contender("gx.maxflow", "bk"), Contender("wrong")])


def test_missing_and_slow_peers_are_named(monkeypatch, capsys, tmp_path):
    absent = Peer("no-such-distribution", PEERS["SciPy"].arrays, PEERS["SciPy"].solve)
    monkeypatch.setitem(PEERS, "absent", absent)
    assert installed(["absent", "SciPy"]) == ["SciPy"]
    assert "absent is not installed" in capsys.readouterr().out
    batch = FAMILIES["knn41"](1.0, 64)
    batch.save(tmp_path / "batch.npz")
    reasons = too_slow(tmp_path / "batch.npz", [Contender("SciPy", merged=True)], 0.001)
    assert reasons == {"SciPy, merged": "did not end within 0.001 s"}


def test_memory_is_measured_above_the_input(tmp_path):
    nodes = 200_000
    chain, ones = np.arange(nodes - 1), np.ones(nodes, dtype=np.float32)
    batch = Batch((Problem(chain, chain + 1, ones[1:], None, ones, ones),))
    batch.save(tmp_path / "batch.npz")
    found = probe(tmp_path / "batch.npz", Contender("SciPy"), 60)
    assert found is not None
    if found.peak_bytes is None:
        pytest.skip("/proc/self/clear_refs cannot be written here")
    assert 20 < found.peak_bytes / batch.edges < 2000


def test_plot_shows_every_family(tmp_path):
    pytest.importorskip("matplotlib")
    batch = FAMILIES["knn41"](SCALE, GRAPHS)
    contenders = lineup(batch, ["bk"], [1], INSTALLED)
    for solve in prepare(contenders, batch).values():
        assert len(answers(solve(), batch)) == GRAPHS
    table = rows(batch, {c: [0.1 + i, 0.2, 0.3] for i, c in enumerate(contenders)}, {})
    plot({"knn41": family_result(batch, 0.0, table, {})}, str(tmp_path / "ratios.svg"))
    assert "knn41" in (tmp_path / "ratios.svg").read_text()


def test_the_command_runs(tmp_path):
    stored = tmp_path / "results.json"
    options = ["--families", "knn41", "--graphs", "2", "--repeats", "1", "--threads", "1", "--json"]
    command = [sys.executable, "-m", "benchmarks", "maxflow", *options, str(stored)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    family = json.loads(stored.read_text())["results"]["knn41"]
    assert family["problems"] == 2
    labels = {row["label"] for row in family["rows"]} | set(family["skipped"])
    assert {f"gx.knn_maxflow {solver}, 1 thread" for solver in SOLVERS} <= labels
    assert {f"{peer}, merged" for peer in INSTALLED} <= labels


def test_draws_of_either_half_share_neither_seed_nor_picture():
    even, odd = range(0, 12, 2), range(1, 12, 2)
    for of_draw in (drawn.seed, drawn.picture):
        assert not {of_draw(d) for d in even} & {of_draw(d) for d in odd}
    assert len({drawn.seed(d) for d in range(12)}) == 12


def test_the_command_of_the_choice_runs(tmp_path):
    stored = tmp_path / "results.json"
    options = ["--kinds", "matching", "--draws", "2", "--repeats", "1", "--json", str(stored)]
    done = run_benchmark("choice", *options)
    assert done.returncode == 0, done.stderr
    first, second = json.loads(stored.read_text())["results"]["matching"]
    assert (first["half"], second["half"]) == ("derived on", "checked on")
    own = {solver: first["seconds"][solver] for solver in SOLVERS if solver != "auto"}
    assert first["regret"] == first["seconds"]["auto"] / min(own.values())
    assert own[first["fastest"]] == min(own.values())


def test_the_memory_command_runs(tmp_path):
    stored = tmp_path / "results.json"
    options = ["--nodes", "10000", "--check-nodes", "400", "--solvers", *SOLVERS, "--json"]
    command = [sys.executable, "-m", "benchmarks", "memory", *options, str(stored)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    results = json.loads(stored.read_text())["results"]
    assert (results["nodes"], results["edges"]) == (10_000, 2 * 100 * 99)
    assert len({found["value"] for found in results["solvers"].values()}) == 1


def test_the_neighbour_command_runs(tmp_path):
    stored = tmp_path / "results.json"
    options = ["--shapes", "2x300x5", "3x40x30", "--k", "4", "--repeats", "1", "--no-memory"]
    command = [sys.executable, "-m", "benchmarks", "knn", *options, "--json", str(stored)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    results = json.loads(stored.read_text())["results"]
    for shape in ("2x300x5", "3x40x30"):
        assert {"gx.knn", "torch.cdist + topk", "torch.bmm alone"} <= set(results[shape])
        assert results[shape]["gx.knn"]["recall"] == 1
    assert ("SciPy cKDTree" in results["2x300x5"]) > ("SciPy cKDTree" in results["3x40x30"])


def test_memory_of_a_neighbour_search():
    options = argparse.Namespace(device="cpu", threads=1)
    found = peak_bytes("1x4000x20", "torch.cdist + topk", 4, options)
    if found is None:
        pytest.skip("/proc/self/clear_refs cannot be written here")
    matrix = 4000 * 4000 * 4
    assert matrix <= found < 4 * matrix


def run_benchmark(*arguments):
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
@pytest.mark.parametrize("name", ["cut_gpu", "supervision"])
def test_device_benchmarks_say_that_they_need_one(name):
    done = run_benchmark(name)
    assert done.returncode == 1
    assert f"{name} needs a CUDA device" in done.stderr


def test_the_cpu_rows_of_the_device_command(tmp_path):
    stored = tmp_path / "results.json"
    options = ["--cpu-only", "--graphs", 2, "--repeats", 1, "--threads", 2, "--json", stored]
    done = run_benchmark("cut_gpu", *options)
    assert done.returncode == 0, done.stderr
    results = json.loads(stored.read_text())["results"]
    assert set(results) == {"knn41, 2 graphs", "dgcn41, 2 graphs"}
    entries = 2 * 1681 * 9
    for found in results.values():
        assert {"CPU auto, 2 threads", "CPU bk, 2 threads"} <= set(found["rows"])
        assert found["bytes"] == entries * (8 + 4) + 2 * 1681 * (4 + 4 + 1) + 2 * 8


def test_the_supervision_command_runs(tmp_path):
    stored = tmp_path / "results.json"
    sizes = ["--batch", 2, "--channels", 32, "--side", 12, "--repeats", 1]
    done = run_benchmark("supervision", "--device", "cpu", *sizes, "--json", stored)
    assert done.returncode == 0, done.stderr
    content = json.loads(stored.read_text())
    assert content["machine"]["operations_of_products"] == 2 * 2 * 144**2 * 32
    rows = content["results"]
    assert {"knn", "knn_weights", "t-links", "knn_maxflow", "rule of theta", "whole"} <= set(rows)
    assert rows["knn_weights"]["bytes"] == 2 * 2 * 144 * 9 * 4


def test_the_precision_command_compares_both(tmp_path):
    torch.manual_seed(0)
    save_file(SmallNet().state_dict(), tmp_path / "small.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 50, 60, 3)).astype(np.uint8)
    images = [tmp_path / "one.png", tmp_path / "two.png"]
    for path, each in zip(images, pixels, strict=True):
        Image.fromarray(each).save(path)
    stored = tmp_path / "results.json"
    options = ["--weights", tmp_path / "small.safetensors", "--images", *images, "--size", 41]
    done = run_benchmark("precision", *options, "--repeats", 1, "--json", stored)
    assert done.returncode == 0, done.stderr
    assert "small: 32 bits" in done.stdout
    (row,) = json.loads(stored.read_text())
    assert 0 < row["logits"] < 0.2
    assert 0 < row["gradients"] < 0.5


def test_crf_contenders_agree_and_others_are_refused():
    case = crf.Case(2, 20, 24, (3.0, 3.0), (80.0, 13.0, 10.0))
    p, images = crf.scene(case)
    settings = argparse.Namespace(device="cpu", threads=[1, 2])
    work = {crf.PEER: crf.by_peer(case, p, images)} | crf.ours(case, p, images, settings)
    differences = crf.check(work)
    assert len(differences) == 3  # by one thread, by two, and with the gradient
    assert all(found["largest"] < 1e-2 for found in differences.values())
    with pytest.raises(AssertionError, match="turned: only 0"):
        crf.check(work | {"turned": lambda: p.flip(1)})


def test_the_segmentation_command_runs(tmp_path):
    """Two discs on a ground of another colour; a third image shows nothing and is left out."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((80, 100))
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name, radius in (("one", 25), ("two", 20), ("three", 0)):
        disc = np.hypot(rows - 40, columns - 45) < radius
        image = 80 + 90 * disc[..., None] + rng.normal(0, 30, (80, 100, 3))
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(
            tmp_path / "images" / f"{name}.png"
        )
        Image.fromarray(disc.astype(np.uint8)).save(tmp_path / "masks" / f"{name}.png")
    stored = tmp_path / "results.json"
    folders = ["--images", tmp_path / "images", "--masks", tmp_path / "masks"]
    done = run_benchmark("segment", *folders, "--json", stored)
    assert done.returncode == 0, done.stderr
    results = json.loads(stored.read_text())["results"]
    assert set(results["images"]) == {"one", "two"}
    assert results["mean"]["gx.segment"] > 0.95 > results["mean"]["colours alone"]
    assert results["mean"]["update"] >= results["mean"]["gx.segment"]


def test_simulated_boxes_are_those_of_connected_parts(tmp_path, capsys):
    mask = np.zeros((40, 50), dtype=np.uint8)
    mask[5:15, 10:30] = 2
    mask[20:38, 40:] = 2
    mask[:3, :4] = 1  # 12 of 2000 pixels
    mask[30:33, 3:6] = 1  # 9: too small
    mask[25:30, 20:25] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    (tmp_path / "classes.txt").write_text("background\ncat\ndog\n")
    out = tmp_path / "boxes.json"
    options = {"masks": tmp_path / "masks", "out": out, "boxes": tmp_path / "classes.txt"}
    strokes.run(argparse.Namespace(**options, nearest=False))
    assert "3 boxes in 1 images" in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["images"] == [{"id": 0, "file_name": "a.png", "height": 40, "width": 50}]
    assert [each["name"] for each in found["categories"]] == ["cat", "dog"]
    by_class = [(each["category_id"], each["bbox"]) for each in found["annotations"]]
    assert by_class == [(1, [0, 0, 4, 3]), (2, [10, 5, 20, 10]), (2, [40, 20, 10, 18])]


def test_simulated_strokes_lie_within_their_classes(tmp_path, capsys):
    """Every stroke has the mask's class; void is never drawn on, and thin strokes cover little."""
    masks, out = tmp_path / "masks", tmp_path / "strokes"
    masks.mkdir()
    mask = np.zeros((120, 160), dtype=np.uint8)
    mask[20:100, 30:90] = 3
    mask[40:80, 100:150] = 7
    mask[:, :10] = 255
    Image.fromarray(mask).save(masks / "a.png")
    strokes.run(argparse.Namespace(masks=masks, out=out, nearest=False, boxes=None))
    drawn = np.asarray(Image.open(out / "a.png"))
    set_ = drawn != 255
    assert drawn.shape == mask.shape
    assert (drawn[set_] == mask[set_]).all()
    assert set(drawn[set_].tolist()) == {0, 3, 7}
    assert 0.01 < set_.mean() < 0.2
    assert f"cover {100 * set_.mean():.1f} %" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no masks"):
        strokes.run(argparse.Namespace(masks=out / "none", out=out, nearest=False, boxes=None))
    strokes.run(argparse.Namespace(masks=masks, out=out, nearest=True, boxes=None))
    nearest = np.asarray(Image.open(out / "a.png"))
    apart = np.stack([distance_transform_edt(~(drawn == value)) for value in (0, 3, 7)])
    assert (nearest[set_] == drawn[set_]).all()
    chosen = np.take_along_axis(apart, np.searchsorted([0, 3, 7], nearest)[None], 0)[0]
    np.testing.assert_allclose(chosen, apart.min(0))


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.name)
def test_tables_are_those_of_the_stored_results(page: Path) -> None:
    """``python -m benchmarks tables`` has been run since the last measurement."""
    text = page.read_text(encoding="utf-8")
    assert tables.SLOT.search(text)
    assert tables.filled(text) == text
