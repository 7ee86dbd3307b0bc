"""Supervision against cuts made by PyMaxflow and by trying every labelling."""

from __future__ import annotations

import itertools
import math

import maxflow
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dgcn.supervision import GraphCut, Static
from dgcn.supervision.graph_cut import t_links

Links = dict[tuple[int, int], float]


def neighbours(features: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """The k nearest others of each row, by plain loops."""
    found = []
    for i, row in enumerate(features):
        order = sorted(
            (float(((row - other) ** 2).sum()), j) for j, other in enumerate(features) if j != i
        )
        found.append([j for _, j in order[:k]])
    return np.array(found)


def links_of(features: NDArray[np.float64], k: int, kind: str, sigma2: float | None) -> Links:
    """Undirected n-links, the two directions of a mutual pair summed."""
    near = neighbours(features, k)
    d2 = ((features[:, None] - features[near]) ** 2).sum(2)
    variance = d2.mean() if sigma2 is None else sigma2
    weights = np.ones_like(d2) if kind == "unit" else np.exp(-d2 / (2 * variance))
    links: Links = {}
    for i, j in itertools.product(range(len(features)), range(k)):
        pair = (min(i, int(near[i, j])), max(i, int(near[i, j])))
        links[pair] = links.get(pair, 0.0) + float(weights[i, j])
    return links


def capacities(
    belief: NDArray[np.float64], own: NDArray[np.bool_], other: NDArray[np.bool_], seed: float
) -> tuple[list[float], list[float]]:
    """Source and sink capacity of every node, by the table of the method."""
    source, sink = [], []
    for h, is_own, is_other in zip(belief, own, other, strict=True):
        if is_own:
            source.append(seed)
            sink.append(0.0)
        elif is_other:
            source.append(0.0)
            sink.append(seed)
        else:
            source.append(-math.log10(max(1 - h, 1e-7)))
            sink.append(-math.log10(max(h, 1e-7)))
    return source, sink


def cut_by_pymaxflow(links: Links, source: list[float], sink: list[float]) -> NDArray[np.bool_]:
    graph = maxflow.Graph[float](len(source), len(links))
    nodes = graph.add_nodes(len(source))
    for (i, j), weight in links.items():
        graph.add_edge(i, j, weight, weight)
    for node in nodes:
        graph.add_tedge(node, source[node], sink[node])
    graph.maxflow()
    return np.array([graph.get_segment(node) == 0 for node in nodes])


def cut_by_trying_all(links: Links, source: list[float], sink: list[float]) -> NDArray[np.bool_]:
    best, best_cost = (), math.inf
    for labels in itertools.product((False, True), repeat=len(source)):
        cost = sum(sink[i] if label else source[i] for i, label in enumerate(labels))
        cost += sum(weight for (i, j), weight in links.items() if labels[i] != labels[j])
        if cost < best_cost - 1e-12:
            best, best_cost = labels, cost
    return np.array(best)


def supervise(
    options: GraphCut,
    probabilities: NDArray[np.float64],
    features: NDArray[np.float64],
    cues: NDArray[np.bool_],
    present: NDArray[np.bool_],
    cut: object = cut_by_pymaxflow,
) -> NDArray[np.bool_]:
    """One image (L, h, w) by loops over classes and positions."""
    classes = len(probabilities)
    p = probabilities.reshape(classes, -1)
    if options.image_labels_only:
        p = p * present[:, None]
        p = p / p.sum(0)
    x = features.reshape(len(features), -1).T
    seeds = cues.reshape(classes, -1)
    links = links_of(x, options.k, options.edge_weights, options.sigma2)
    capacity = options.cue_capacity
    if capacity == "hard":
        at = [sum(w for pair, w in links.items() if i in pair) for i in range(len(x))]
        capacity = 1 + max(at)
    result = seeds.copy()
    winner = np.full(len(x), -1.0)
    for c in range(0 if options.cut_background else 1, classes):
        if not present[c]:
            continue
        other = seeds.any(0) & ~seeds[c]
        side = cut(links, *capacities(p[c], seeds[c], other, capacity))  # type: ignore[operator]
        for u in np.flatnonzero(side & (p[c] > options.theta) & (p[c] > winner)):
            result[:, u] = False
            result[c, u] = True
            winner[u] = p[c, u]
    return result.reshape(cues.shape)


def scene(
    rng: np.random.Generator, classes: int, h: int, w: int, channels: int, sharpness: float
) -> tuple[NDArray[np.float64], ...]:
    """Random probabilities, features that follow them, cues and labels."""
    logits = sharpness * rng.standard_normal((classes, h, w))
    probabilities = np.exp(logits) / np.exp(logits).sum(0)
    probabilities = probabilities.astype(np.float32).astype(np.float64)
    mixing = rng.standard_normal((channels, classes))
    features = np.einsum("cl,lhw->chw", mixing, probabilities)
    features += 0.3 * rng.standard_normal(features.shape)
    features = features.astype(np.float32).astype(np.float64)
    present = rng.random(classes) < 0.7
    present[0] = True
    cues = np.zeros((classes, h, w), dtype=bool)
    label = rng.integers(0, classes, (h, w))
    for c in range(classes):
        if present[c]:
            cues[c] = (label == c) & (rng.random((h, w)) < 0.3)
    return probabilities, features, cues, present


def tensors(*arrays: NDArray[np.float64] | NDArray[np.bool_]) -> list[Tensor]:
    return [
        torch.from_numpy(a if a.dtype == bool else a.astype(np.float32)).unsqueeze(0)
        for a in arrays
    ]


@pytest.mark.parametrize("edge_weights", ["unit", "gaussian"])
@pytest.mark.parametrize("cue_capacity", [3.3, "hard"])
@pytest.mark.parametrize("theta", [0.0, 0.3, 0.7])
def test_equals_pymaxflow_on_a_batch(
    edge_weights: str, cue_capacity: float | str, theta: float
) -> None:
    rng = np.random.default_rng(5)
    # A capacity that no sum of unit weights equals: PyMaxflow's choice between equal cuts differs.
    options = GraphCut(
        k=4,
        theta=theta,
        edge_weights=edge_weights,  # type: ignore[arg-type]
        cue_capacity=cue_capacity,  # type: ignore[arg-type]
    )
    items = [scene(rng, 5, 9, 7, 6, sharpness) for sharpness in (0.5, 1.5, 3.0, 6.0)]
    expected = np.stack([supervise(options, *item) for item in items])
    batch = [torch.cat(parts) for parts in zip(*(tensors(*item) for item in items), strict=True)]
    found = options(*batch)
    assert found.dtype == torch.bool
    np.testing.assert_array_equal(found.numpy(), expected)
    changed = (expected != np.stack([item[2] for item in items])).any()
    assert changed, "a case in which the cuts change nothing proves nothing"


@pytest.mark.parametrize("image_labels_only", [False, True])
@pytest.mark.parametrize("cut_background", [False, True])
def test_variants_equal_pymaxflow(image_labels_only: bool, cut_background: bool) -> None:
    rng = np.random.default_rng(5)
    options = GraphCut(
        k=2,
        theta=0.3,
        cue_capacity=2.3,
        image_labels_only=image_labels_only,
        cut_background=cut_background,
    )
    items = [scene(rng, 5, 9, 7, 6, sharpness) for sharpness in (0.5, 1.5, 3.0)]
    for _, _, cues, present in items:
        present[2] = cues[2] = False
    expected = np.stack([supervise(options, *item) for item in items])
    batch = [torch.cat(parts) for parts in zip(*(tensors(*item) for item in items), strict=True)]
    np.testing.assert_array_equal(options(*batch).numpy(), expected)
    plain = GraphCut(k=2, theta=0.3, cue_capacity=2.3)
    differs = bool((plain(*batch).numpy() != expected).any())
    assert differs == (image_labels_only or cut_background)


def test_marginals_of_the_crf_take_the_place_of_the_networks_probabilities() -> None:
    rng = np.random.default_rng(2)
    options = GraphCut(k=2, theta=0.3, cue_capacity=2.3, image_labels_only=True, unary="crf")
    marginals, features, cues, present = scene(rng, 5, 9, 7, 6, 1.5)
    network = scene(rng, 5, 9, 7, 6, 1.5)[0]
    expected = supervise(options, marginals, features, cues, present)
    batch = tensors(network, features, cues, present)
    found = options(*batch, marginals=lambda: tensors(marginals)[0])
    np.testing.assert_array_equal(found[0].numpy(), expected)
    assert (supervise(options, network, features, cues, present) != expected).any()
    with pytest.raises(ValueError, match='marginals must be given: unary "crf" reads'):
        options(*batch)
    with pytest.raises(ValueError, match="marginals must give the shape of probabilities"):
        options(*batch, marginals=lambda: tensors(marginals[1:])[0])


@pytest.mark.parametrize("cut_background", [False, True])
def test_cutting_for_absent_classes_changes_nothing(
    cut_background: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On CUDA, where nobody waits for how many classes the fullest image has, all have a cut."""
    rng = np.random.default_rng(6)
    options = GraphCut(k=3, theta=0.2, cut_background=cut_background)
    items = [scene(rng, 6, 7, 8, 5, sharpness) for sharpness in (0.5, 1.5, 3.0)]
    items[1][2][1:] = items[1][3][1:] = False  # an image of background alone
    batch = [torch.cat(parts) for parts in zip(*(tensors(*item) for item in items), strict=True)]
    expected = options(*batch)
    everything = "dgcn.supervision.classes._largest_count"
    monkeypatch.setattr(everything, lambda wanted, solver: wanted.shape[1])
    assert (expected != batch[2]).any()
    torch.testing.assert_close(options(*batch), expected, rtol=0, atol=0)


@pytest.mark.parametrize("solver", ["bk", "push_relabel", "hpf"])
def test_solvers_agree(solver: str) -> None:
    rng = np.random.default_rng(7)
    batch = tensors(*scene(rng, 4, 9, 9, 6, 1.5))
    expected = GraphCut(k=4, theta=0.2, cue_capacity=3.3)(*batch)
    found = GraphCut(k=4, theta=0.2, cue_capacity=3.3, solver=solver)(*batch)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("seed", range(6))
def test_equals_trying_every_labelling(seed: int) -> None:
    rng = np.random.default_rng(seed)
    item = scene(rng, 3, 3, 4, 3, 2.0)
    options = GraphCut(k=3, theta=0.2, cue_capacity=2.0)
    expected = supervise(options, *item, cut=cut_by_trying_all)
    np.testing.assert_array_equal(options(*tensors(*item))[0].numpy(), expected)


def test_given_sigma2_is_used() -> None:
    rng = np.random.default_rng(1)
    item = scene(rng, 4, 8, 8, 4, 2.0)
    for sigma2 in (0.05, 0.5, 50.0):
        options = GraphCut(k=5, theta=0.1, edge_weights="gaussian", sigma2=sigma2)
        expected = supervise(options, *item)
        np.testing.assert_array_equal(options(*tensors(*item))[0].numpy(), expected)


def row(probability: list[float], values: list[float], cues: dict[int, int]) -> list[Tensor]:
    """One row of positions, one foreground class; cues: position -> class."""
    p = torch.tensor([[1 - x for x in probability], probability])[None, :, None, :]
    features = torch.tensor(values)[None, None, None, :]
    grid = torch.zeros(1, 2, 1, len(probability), dtype=torch.bool)
    for position, label in cues.items():
        grid[0, label, 0, position] = True
    return [p, features, grid, torch.tensor([[True, True]])]


def test_cue_spreads_to_its_neighbours_in_feature_space_only() -> None:
    # Positions 0, 2, 4 look alike, and so do 1, 3, 5: space does not matter.
    arguments = row(
        [0.75, 0.75, 0.75, 0.75, 0.75, 0.75], [0.0, 9.0, 0.1, 9.1, 0.2, 9.2], {0: 1, 1: 0}
    )
    found = GraphCut(k=2)(*arguments)[0, :, 0]
    assert found[1].tolist() == [True, False, True, False, True, False]
    assert found[0].tolist() == [False, True, False, False, False, False]


def test_probability_must_exceed_theta() -> None:
    # In float32, 0.75 and 0.5 are exact: equality is not enough.
    arguments = row([0.75, 0.75, 0.5, 0.875], [0.0, 0.1, 0.2, 0.3], {0: 1})
    found = GraphCut(k=2, theta=0.75)(*arguments)[0, 1, 0]
    assert found.tolist() == [True, False, False, True]  # the cue stays a cue whatever H says
    found = GraphCut(k=2, theta=0.4)(*arguments)[0, 1, 0]
    assert found.tolist() == [True, True, True, True]


def test_soft_seed_can_be_outvoted_and_hard_seed_cannot() -> None:
    # Position 0 is a background cue among positions that are surely class 1.
    sure = 1 - 2**-20
    arguments = row([sure] * 6, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], {0: 0})
    soft = GraphCut(k=5, cue_capacity=2.0)(*arguments)[0]
    assert soft[1, 0].all()
    assert not soft[0, 0].any()
    hard = GraphCut(k=5, cue_capacity="hard")(*arguments)[0]
    assert hard[0, 0].tolist() == [True, False, False, False, False, False]
    assert hard[1, 0].tolist() == [False, True, True, True, True, True]


def test_t_links_follow_the_table() -> None:
    belief = torch.tensor([0.1, 0.1, 0.1, 0.0, 1.0], dtype=torch.float64)
    own = torch.tensor([True, False, False, False, False])
    other = torch.tensor([False, True, False, False, False])
    source, sink = t_links(belief, own, other, 10.0)
    log = math.log10
    assert source.tolist() == pytest.approx([10, 0, -log(0.9), 0, 7])
    assert sink.tolist() == pytest.approx([0, 10, 1, 7, 0])


def test_image_without_foreground_keeps_its_cues_beside_one_with_three_classes() -> None:
    rng = np.random.default_rng(0)
    first, second = scene(rng, 4, 6, 6, 5, 3.0), scene(rng, 4, 6, 6, 5, 3.0)
    first[3][:] = True
    second[3][1:] = False
    second[2][1:] = False
    options = GraphCut(k=3, theta=0.2)
    batch = [torch.cat(parts) for parts in zip(tensors(*first), tensors(*second), strict=True)]
    found = options(*batch).numpy()
    np.testing.assert_array_equal(found[0], supervise(options, *first))
    np.testing.assert_array_equal(found[1], second[2])
    alone = options(*tensors(*second)).numpy()
    np.testing.assert_array_equal(alone[0], second[2])


def test_result_does_not_depend_on_the_batch_or_the_gradient() -> None:
    rng = np.random.default_rng(3)
    items = [tensors(*scene(rng, 4, 7, 7, 5, 2.0)) for _ in range(3)]
    options = GraphCut(k=4, theta=0.3)
    together = options(*(torch.cat(parts) for parts in zip(*items, strict=True)))
    for index, item in enumerate(items):
        item[0].requires_grad_()
        assert torch.equal(options(*item)[0], together[index])
    assert not together.requires_grad


def test_inputs_are_left_as_they_are() -> None:
    arguments = tensors(*scene(np.random.default_rng(2), 3, 6, 6, 4, 4.0))
    before = [argument.clone() for argument in arguments]
    GraphCut(k=3, theta=0.1)(*arguments)
    assert all(torch.equal(a, b) for a, b in zip(arguments, before, strict=True))


def test_static_returns_the_cues() -> None:
    arguments = tensors(*scene(np.random.default_rng(0), 3, 5, 5, 4, 1.0))
    assert torch.equal(Static()(*arguments), arguments[2])


@pytest.mark.parametrize("kind", [Static(), GraphCut(k=3)])
@pytest.mark.parametrize(
    ("position", "shape", "name"),
    [
        (0, (3, 5, 5), "probabilities"),
        (1, (1, 4, 5, 6), "features"),
        (2, (1, 2, 5, 5), "cues"),
        (3, (1, 4), "present"),
    ],
)
def test_wrong_shape_is_named(
    kind: Static | GraphCut, position: int, shape: tuple[int, ...], name: str
) -> None:
    arguments = tensors(*scene(np.random.default_rng(0), 3, 5, 5, 4, 1.0))
    arguments[position] = torch.zeros(shape, dtype=arguments[position].dtype)
    with pytest.raises(ValueError, match=rf"^{name} must have"):
        kind(*arguments)


def test_two_cues_at_one_position_are_refused() -> None:
    arguments = tensors(*scene(np.random.default_rng(0), 3, 5, 5, 4, 1.0))
    arguments[2][0, :, 3, 2] = True
    with pytest.raises(ValueError, match=r"cues: image 0 has two classes at row 3, column 2"):
        GraphCut(k=3)(*arguments)


def test_more_neighbours_than_positions_are_refused() -> None:
    arguments = tensors(*scene(np.random.default_rng(0), 3, 3, 3, 4, 1.0))
    with pytest.raises(ValueError, match="k must be below the number of cells 9, got 9"):
        GraphCut(k=9)(*arguments)
