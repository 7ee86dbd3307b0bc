"""compat.gco against every labelling of small graphs, and gco-wrapper where it is installed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphcut_ext.compat.gco as gco


@st.composite
def problems(draw, labels=(1, 4)):
    nodes, count = draw(st.integers(1, 5)), draw(st.integers(*labels))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pairs = [p for p in itertools.combinations(range(nodes), 2) if rng.random() < 0.6]
    edges = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    pairwise = draw(st.integers(1, 2)) * np.minimum(apart, draw(st.integers(1, 3)))
    unary, weights = rng.integers(-2, 6, (nodes, count)), rng.integers(0, 4, len(edges))
    if draw(st.booleans()):
        unary, weights, pairwise = unary / 2, weights / 4, pairwise / 8
    return edges, weights, unary, pairwise


def energy(problem, labels):
    edges, weights, unary, pairwise = problem
    total = sum(unary[i, label] for i, label in enumerate(labels))
    return total + sum(
        w * pairwise[labels[u], labels[v]] for (u, v), w in zip(edges, weights, strict=True)
    )


def graph(problem, init=None):
    edges, weights, unary, pairwise = problem
    found = gco.GCO()
    found.create_general_graph(*unary.shape, unary.dtype.kind == "f")
    found.set_data_cost(unary)
    found.set_all_neighbors(edges[:, 0], edges[:, 1], weights)
    found.set_smooth_cost(pairwise)
    for site, label in enumerate([] if init is None else init):
        found.init_label_at_site(site, label)
    return found


def moved(labels, move):
    """Every labelling that an expansion (of one label) or a swap (of a pair) leads to."""
    takes = set(move)
    free = [
        [*({label} | takes)] if len(move) == 1 or label in takes else [label] for label in labels
    ]
    return itertools.product(*free)


@pytest.mark.parametrize("algorithm", ["expansion", "swap"])
@settings(max_examples=60, deadline=None)
@given(problem=problems())
def test_no_move_improves_the_labels(algorithm, problem):
    edges, weights, unary, pairwise = problem
    labels = gco.cut_general_graph(edges, weights, unary, pairwise, algorithm=algorithm)
    assert labels.dtype == np.int32
    least = energy(problem, labels)
    count = unary.shape[1]
    size = 1 if algorithm == "expansion" else 2
    for move in itertools.combinations(range(count), size):
        for other in moved(labels.tolist(), move):
            assert energy(problem, other) >= least - 1e-9
    if count == 2 and len(unary):
        every = itertools.product(range(2), repeat=len(unary))
        assert least == pytest.approx(min(energy(problem, x) for x in every))


@settings(max_examples=60, deadline=None)
@given(problem=problems(labels=(2, 4)), data=st.data())
def test_single_moves_are_the_best_of_their_kind(problem, data):
    nodes, count = problem[2].shape
    label = st.integers(0, count - 1)
    init = data.draw(st.lists(label, min_size=nodes, max_size=nodes))
    before = energy(problem, init)
    alpha, beta = data.draw(label), data.draw(label)
    found = graph(problem, init)
    assert found.compute_energy() == pytest.approx(before)
    fell = found.expansion_on_alpha(alpha)
    best = min(energy(problem, x) for x in moved(init, (alpha,)))
    assert found.compute_energy() == pytest.approx(best)
    assert fell == (best < before - 1e-9)
    found = graph(problem, init)
    found.alpha_beta_swap(alpha, beta)
    best = min(energy(problem, x) for x in moved(init, (alpha, beta)))
    assert found.compute_energy() == pytest.approx(best if alpha != beta else before)
    assert energy(problem, found.get_labels()) == pytest.approx(found.compute_energy())
    parts = found.compute_data_energy() + found.compute_smooth_energy()
    assert parts == pytest.approx(found.compute_energy())
    assert [found.get_label_at_site(i) for i in range(nodes)] == found.get_labels().tolist()


def scene():
    rng = np.random.default_rng(0)
    unary = rng.random((5, 6, 3))
    links = {
        "cost_v": rng.random((4, 6)),
        "cost_h": rng.random((5, 5)),
        "cost_dr": rng.random((4, 5)),
        "cost_dl": rng.random((4, 5)),
    }
    return unary, 0.4 * (1 - np.eye(3)), links


def looped_edges(links):
    """Edges and weights of the links, pixel by pixel."""
    steps = {
        "cost_v": ((0, 0), (1, 0)),
        "cost_h": ((0, 0), (0, 1)),
        "cost_dr": ((0, 0), (1, 1)),
        "cost_dl": ((0, 1), (1, 0)),
    }
    edges, weights = [], []
    for name, values in links.items():
        (a, b), (c, d) = steps[name]
        for i, j in np.ndindex(values.shape):
            edges.append(((i + a) * 6 + j + b, (i + c) * 6 + j + d))
            weights.append(values[i, j])
    return np.array(edges), np.array(weights)


@pytest.mark.parametrize("algorithm", ["expansion", "swap"])
@pytest.mark.parametrize("diagonals", [False, True])
def test_grids_are_general_graphs(algorithm, diagonals):
    unary, pairwise, links = scene()
    if not diagonals:
        links = {name: links[name] for name in ("cost_v", "cost_h")}
    found = gco.cut_grid_graph(unary, pairwise, **links, algorithm=algorithm)
    flat = unary.reshape(30, 3)
    expected = gco.cut_general_graph(*looped_edges(links), flat, pairwise, algorithm=algorithm)
    assert found.shape == (30,)
    assert (found == expected).all()
    assert len(set(found.tolist())) > 1
    if not diagonals:
        padded = [np.full((5, 6), 99.0) for _ in range(2)]
        padded[0][:-1], padded[1][:, :-1] = links["cost_v"], links["cost_h"]
        image = gco.cut_simple_vh(unary, pairwise, *padded, n_iter=-1, algorithm=algorithm)
        assert (image == expected.reshape(5, 6)).all()


@pytest.mark.parametrize("connect", [4, 8])
def test_links_of_weight_one(connect):
    unary, pairwise, links = scene()
    links = {name: np.ones_like(link) for name, link in links.items()}
    for name in ("cost_dr", "cost_dl"):
        links[name] *= np.sqrt(2)
    if connect == 4:
        links = {name: links[name] for name in ("cost_v", "cost_h")}
    pairwise = pairwise / 4
    found = gco.cut_grid_graph_simple(unary, pairwise, connect=connect)
    expected = gco.cut_grid_graph(unary, pairwise, **links)
    assert (found == expected).all()
    if connect == 4:
        assert (gco.cut_simple(unary, pairwise) == found.reshape(5, 6)).all()
    whole = (unary * 100).astype(np.int32)
    assert gco.cut_grid_graph_simple(whole, 10 - 10 * np.eye(3, dtype=int), connect=connect).any()


def test_graphs_of_pygco():
    edges, weights = looped_edges(scene()[2])
    unary = np.random.default_rng(1).integers(0, 50, (30, 3)).astype(np.int32)
    weights = (weights * 30).astype(np.int32)
    pairwise = (1 - np.eye(3)).astype(np.int32)
    found = gco.cut_from_graph(np.c_[edges, weights].astype(np.int32), unary, pairwise, n_iter=-1)
    assert (found == gco.cut_general_graph(edges, weights, unary, pairwise)).all()
    found = gco.cut_from_graph(edges.astype(np.int32), unary, 9 * pairwise, n_iter=-1)
    ones = np.ones(len(edges), int)
    assert (found == gco.cut_general_graph(edges, ones, unary, 9 * pairwise)).all()


def test_rounds_and_starts():
    unary, pairwise, links = scene()
    edges, weights = looped_edges(links)
    flat = unary.reshape(30, 3)
    start = np.random.default_rng(2).integers(0, 3, 30)
    none = gco.cut_general_graph(edges, weights, flat, pairwise, 0, init_labels=start)
    assert (none == start).all()
    assert not gco.cut_general_graph(edges, weights, flat, pairwise, 0).any()
    problem = edges, weights, flat, pairwise
    energies = []
    for rounds in (0, 1, 2, -1):
        labels = gco.cut_general_graph(*problem, rounds, "swap", start, down_weight_factor=3.0)
        energies.append(energy(problem, labels))
    assert energies == sorted(energies, reverse=True)
    assert energies[0] > energies[-1]


def test_names_of_the_edges():
    found = gco.get_images_edges_vh(2, 3)
    assert [x.tolist() for x in found] == [[0, 1, 2], [0, 1, 3, 4], [3, 4, 5], [1, 2, 4, 5]]
    found = gco.get_images_edges_diag(2, 3)
    assert [x.tolist() for x in found] == [[0, 1], [1, 2], [4, 5], [3, 4]]


def test_costs_one_by_one():
    found = gco.GCO()
    found.create_general_graph(3, 2)
    found.set_site_data_cost(0, 0, 7)
    found.set_site_data_cost(2, 1, 4)
    found.set_neighbor_pair(0, 1, 2)
    found.set_neighbor_pair(1, 2, 1)
    found.set_pair_smooth_cost(0, 1, 3)
    assert found.compute_energy() == 7
    assert found.expansion() == 3
    assert found.get_labels().tolist() == [1, 1, 0]
    assert found.swap() == 3
    assert found.handle is not None
    found.destroy_graph()
    assert not hasattr(found, "handle")


BAD = [
    (lambda g: g.set_data_cost(np.zeros((2, 2))), gco.ShapeMismatchError, "unary must have shape"),
    (lambda g: g.set_data_cost(np.full((3, 2), 0.5)), ValueError, r"unary is 0\.5 at entry 0"),
    (lambda g: g.set_all_neighbors([0], [3], [1]), gco.IndexOutOfBoundError, "s2 is 3"),
    (lambda g: g.set_all_neighbors([0], [1], [-1]), ValueError, "w is -1 at entry 0"),
    (lambda g: g.set_all_neighbors([0], [1], [1, 2]), gco.ShapeMismatchError, "1, 1 and 2"),
    (lambda g: g.set_smooth_cost([[0, 1], [2, 0]]), gco.DataTypeNotSupportedError, r"at \(0, 1\)"),
    (lambda g: g.set_smooth_cost(np.zeros((3, 3))), gco.ShapeMismatchError, "cost must have"),
    (lambda g: g.set_smooth_cost_function(3), TypeError, "fun must be callable, not int"),
    (lambda g: g.set_label_cost([1, 2, 3]), gco.ShapeMismatchError, "a number or 2 of them"),
    (lambda g: g.set_label_cost(0.5), ValueError, r"cost is 0\.5"),
    (lambda g: g.set_label_subset_cost([2], 1), gco.IndexOutOfBoundError, "labels is 2"),
    (lambda g: g.set_label_subset_cost([1], [1, 2]), gco.ShapeMismatchError, "must be a number"),
    (lambda g: g.init_label_at_site(0, 2), gco.IndexOutOfBoundError, "label is 2, of 2 labels"),
    (lambda g: g.get_label_at_site(-1), gco.IndexOutOfBoundError, "site is -1"),
    (lambda g: g.set_label_cost(-1), ValueError, "cost is -1"),
    (lambda g: g.expansion(-2), ValueError, "at least -1"),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input(case):
    call, error, message = BAD[case]
    found = gco.GCO()
    found.create_general_graph(3, 2)
    with pytest.raises(error, match=message):
        call(found)
    assert issubclass(gco.IndexOutOfBoundError, gco.PyGcoError)


def test_bad_arguments_of_the_calls():
    unary, pairwise, links = scene()
    squares = np.subtract.outer(range(3), range(3)) ** 2
    for arguments, message in (
        ((unary, pairwise, links["cost_h"], links["cost_h"]), "cost_v must have shape"),
        ((unary, pairwise, links["cost_v"], links["cost_h"], links["cost_dr"]), "both"),
        ((unary[0], pairwise, links["cost_v"], links["cost_h"]), "unary_cost must have shape"),
        ((unary, squares, links["cost_v"], links["cost_h"]), "not a metric"),
    ):
        with pytest.raises(ValueError, match=message):
            gco.cut_grid_graph(*arguments)
    with pytest.raises(ValueError, match="algorithm must be"):
        gco.cut_simple(unary, pairwise, algorithm="icm")
    with pytest.raises(ValueError, match="connect must be 4 or 8"):
        gco.cut_grid_graph_simple(unary, pairwise, connect=6)
    with pytest.raises(ValueError, match="edges must have shape"):
        gco.cut_from_graph([0, 1], unary[0], pairwise)


@pytest.mark.parametrize("algorithm", ["expansion", "swap"])
@settings(max_examples=60, deadline=None)
@given(problem=problems(labels=(2, 4)), data=st.data())
def test_costs_of_labels(algorithm, problem, data):
    nodes, count = problem[2].shape
    label_costs = np.array(data.draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)))
    subset = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    both = data.draw(st.integers(0, 5))

    def whole(labels):
        used = set(np.asarray(labels).tolist())
        return energy(problem, labels) + label_costs[list(used)].sum() + both * bool(used & subset)

    init = data.draw(st.lists(st.integers(0, count - 1), min_size=nodes, max_size=nodes))
    found = graph(problem, init)
    found.set_label_cost(label_costs)
    found.set_label_subset_cost(sorted(subset), both)
    assert found.compute_energy() == pytest.approx(whole(init))
    single = data.draw(st.integers(0, count - 1))
    found.expansion_on_alpha(single)
    best = min(whole(x) for x in moved(init, (single,)))
    assert found.compute_energy() == pytest.approx(best)
    reached = getattr(found, algorithm)()
    labels = found.get_labels().tolist()
    assert reached == pytest.approx(whole(labels))
    parts = found.compute_data_energy() + found.compute_smooth_energy()
    assert parts + found.compute_label_energy() == pytest.approx(reached)
    for move in itertools.combinations(range(count), 1 if algorithm == "expansion" else 2):
        assert min(whole(x) for x in moved(labels, move)) >= reached - 1e-9


def test_label_costs_of_the_calls():
    """Three levels at no cost of labels, one where labels are dear, whatever the call."""
    unary = np.abs(np.arange(6).reshape(2, 3, 1) - 2 * np.arange(3)) * 10
    pairwise = 1 - np.eye(3, dtype=int)
    edges = np.array([(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)])
    for dear, kinds in ((0, 3), (1000, 1), ([0, 1000, 1000], 1), ([0, 5, 1000], 2)):
        image = gco.cut_simple(unary, pairwise, label_cost=dear, n_iter=-1)
        flat = gco.cut_from_graph(edges, unary.reshape(6, 3), pairwise, dear, -1)
        assert len(np.unique(image)) == kinds
        assert (flat == image.ravel()).all()


@settings(max_examples=40, deadline=None)
@given(problem=problems(labels=(2, 3)), seed=st.integers(0, 999))
def test_smooth_costs_by_a_function(problem, seed):
    edges, weights, unary, pairwise = problem
    nodes = len(unary)
    factor = np.random.default_rng(seed).integers(0, 4, (nodes, nodes))

    def smooth(s1, s2, l1, l2):
        return factor[s1, s2] * pairwise[l1, l2]

    found = graph(problem)
    found.set_smooth_cost_function(smooth)
    each = weights * factor[edges[:, 0], edges[:, 1]]
    expected = graph((edges, each, unary, pairwise))
    assert found.expansion() == pytest.approx(expected.expansion())
    assert (found.get_labels() == expected.get_labels()).all()
    assert found.swap() == pytest.approx(expected.swap())
    found.set_smooth_cost(pairwise)  # takes the function's place
    assert found.compute_energy() == pytest.approx(energy(problem, found.get_labels()))


@settings(max_examples=100, deadline=None)
@given(problem=problems(labels=(2, 2)), algorithm=st.sampled_from(["expansion", "swap"]))
def test_the_original(problem, algorithm):
    """The energy of gco-wrapper's labels, where it is installed; two labels have one minimum."""
    original = pytest.importorskip("gco")
    edges, weights, unary, pairwise = problem
    if not len(edges) or unary.dtype.kind == "f":
        return
    found = original.GCO()
    found.create_general_graph(*unary.shape)
    found.set_data_cost(unary)
    found.set_all_neighbors(edges[:, 0], edges[:, 1], weights)
    found.set_smooth_cost(pairwise)
    expected = getattr(found, algorithm)()
    assert graph(problem).expansion() == expected
    assert energy(problem, found.get_labels()) == expected
