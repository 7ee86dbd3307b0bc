"""A labelling that moves improve, with gco-wrapper's ``GCO`` methods."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

import graphcut_ext as gx
from graphcut_ext.compat._values import numbers, refuse


class PyGcoError(Exception):
    """What is wrong with a problem."""


class ShapeMismatchError(PyGcoError, ValueError):
    """Arrays do not fit the graph."""


class DataTypeNotSupportedError(PyGcoError, ValueError):
    """Costs of a wrong kind."""


class IndexOutOfBoundError(PyGcoError, IndexError):
    """A site or label that the graph does not have."""


class GCO:
    """A graph of sites with costs of labels, and the labels that moves have found so far.

    All sites have label 0 at first. Costs are int64, or float64 where ``energy_is_float``.
    """

    def create_general_graph(
        self, num_sites: int, num_labels: int, energy_is_float: bool = False
    ) -> None:
        """Begin a graph of sites without edges and costs."""
        self.nb_sites = _count("num_sites", num_sites)
        self.handle = 0  # a number, as there, of no use
        self.nb_labels = _count("num_labels", num_labels)
        self.energy_is_float = bool(energy_is_float)
        self._dtype = np.dtype(np.float64 if energy_is_float else np.int64)
        self._unary = np.zeros((self.nb_sites, self.nb_labels), self._dtype)
        self._smooth: NDArray[Any] = (1 - np.eye(self.nb_labels)).astype(self._dtype)
        self._ends: list[NDArray[np.int64]] = []
        self._weights: list[NDArray[Any]] = []
        self._labels = np.zeros(self.nb_sites, np.int64)
        self._smooth_function: Callable[..., float] | None = None
        self._label_costs = np.zeros(self.nb_labels, self._dtype)
        self._subsets: list[tuple[NDArray[np.bool_], Any]] = []

    def destroy_graph(self) -> None:
        """Let go of the graph."""
        self.__dict__.clear()

    def set_data_cost(self, unary: ArrayLike) -> None:
        """Set the cost of every label at every site, (sites, labels)."""
        costs = numbers("unary", unary, self._dtype)
        if costs.shape != self._unary.shape:
            raise ShapeMismatchError(
                f"unary must have shape {self._unary.shape}, not {costs.shape}"
            )
        self._unary = costs.copy()

    def set_site_data_cost(self, site: int, label: int, e: float) -> None:
        """Set the cost of one label at one site."""
        self._unary[self._site("site", site), self._label("label", label)] = numbers(
            "e", e, self._dtype
        )

    def set_neighbor_pair(self, s1: int, s2: int, w: float) -> None:
        """Add an edge of a weight."""
        ends = self._site("s1", s1), self._site("s2", s2)
        self.set_all_neighbors([ends[0]], [ends[1]], [w])

    def set_all_neighbors(self, s1: ArrayLike, s2: ArrayLike, w: ArrayLike) -> None:
        """Add edges: sites and weights >= 0, three arrays of one length."""
        ends = []
        for name, sites in (("s1", s1), ("s2", s2)):
            array = np.asarray(sites)
            if array.dtype.kind not in "iu":
                raise DataTypeNotSupportedError(f"{name} must hold integers, not {array.dtype}")
            outside = (array < 0) | (array >= self.nb_sites)
            refuse(name, array, outside, f"of {self.nb_sites} sites", IndexOutOfBoundError)
            ends.append(array.astype(np.int64).ravel())
        weights = numbers("w", w, self._dtype).ravel()
        refuse("w", weights, ~((weights >= 0) & (weights < np.inf)), "must be finite and >= 0")
        if not len(ends[0]) == len(ends[1]) == len(weights):
            sizes = len(ends[0]), len(ends[1]), len(weights)
            raise ShapeMismatchError("s1, s2 and w have {}, {} and {} entries".format(*sizes))
        self._ends.append(np.stack(ends))
        self._weights.append(weights.copy())

    def set_smooth_cost(self, cost: ArrayLike) -> None:
        """Set the costs of the labels of neighbours, symmetric (labels, labels). Default: Potts."""
        costs = numbers("cost", cost, self._dtype)
        if costs.shape != (self.nb_labels, self.nb_labels):
            raise ShapeMismatchError(
                f"cost must have shape {self._smooth.shape}, not {costs.shape}"
            )
        if (costs != costs.T).any():
            u, v = np.argwhere(costs != costs.T)[0].tolist()
            raise DataTypeNotSupportedError(f"cost is not symmetric at {(u, v)}")
        self._smooth = costs.copy()
        self._smooth_function = None

    def set_pair_smooth_cost(self, l1: int, l2: int, cost: float) -> None:
        """Set the cost of one pair of labels, in both orders."""
        u, v = self._label("l1", l1), self._label("l2", l2)
        self._smooth[u, v] = self._smooth[v, u] = numbers("cost", cost, self._dtype)

    def set_smooth_cost_function(self, fun: Callable[..., float]) -> None:
        """Set the costs of neighbours' labels to ``fun(s1, s2, l1, l2)``, times the edge's weight.

        It is called for every edge and every pair of labels when moves begin.
        """
        if not callable(fun):
            raise TypeError(f"fun must be callable, not {type(fun).__name__}")
        self._smooth_function = fun

    def set_label_cost(self, cost: ArrayLike) -> None:
        """Set what every label in use costs once: a number for all, or one for each label."""
        costs = self._once("cost", cost)
        if costs.shape not in ((), (self.nb_labels,)):
            raise ShapeMismatchError(f"cost must be a number or {self.nb_labels} of them")
        self._label_costs = np.broadcast_to(costs, self.nb_labels).copy()

    def set_label_subset_cost(self, labels: ArrayLike, cost: float) -> None:
        """Add a cost that is due once where any of these labels is in use."""
        members = np.zeros(self.nb_labels, bool)
        for label in np.asarray(labels).ravel().tolist():
            members[self._label("labels", label)] = True
        value = self._once("cost", cost)
        if value.shape != ():
            raise ShapeMismatchError("cost must be a number")
        self._subsets.append((members, value))

    def expansion(self, niters: int = -1) -> Any:
        """Expand all labels in turn, ``niters`` times or until that fails; returns the energy."""
        return self._move(gx.alpha_expansion, _cycles(niters))

    def expansion_on_alpha(self, label: int) -> bool:
        """Expand one label; returns whether the energy fell."""
        alpha = self._label("label", label)
        candidates = np.stack([self._labels, np.full_like(self._labels, alpha)], 1)
        return self._restricted(gx.alpha_expansion, candidates)

    def swap(self, niters: int = -1) -> Any:
        """Swap all pairs of labels in turn, as :meth:`expansion`; returns the energy."""
        return self._move(gx.alpha_beta_swap, _cycles(niters))

    def alpha_beta_swap(self, l1: int, l2: int) -> None:
        """Swap one pair of labels."""
        pair = [self._label("l1", l1), self._label("l2", l2)]
        either = np.isin(self._labels, pair)[:, None]
        own = np.stack([self._labels, self._labels], 1)
        self._restricted(gx.alpha_beta_swap, np.where(either, pair, own))

    def compute_energy(self) -> Any:
        """Return the energy of the labels."""
        parts = self.compute_data_energy(), self.compute_smooth_energy()
        return sum(parts) + self.compute_label_energy()

    def compute_data_energy(self) -> Any:
        """Return what the labels cost at their sites."""
        return self._unary[np.arange(self.nb_sites), self._labels].sum().item()

    def compute_smooth_energy(self) -> Any:
        """Return what the labels of neighbours cost."""
        (tail, head), weights = self._edges()
        smooth, a, b = self._pairwise(), self._labels[tail], self._labels[head]
        costs = smooth[a, b] if smooth.ndim == 2 else smooth[np.arange(len(weights)), a, b]
        return (weights * costs).sum().item()

    def compute_label_energy(self) -> Any:
        """Return what the labels in use cost."""
        costs, members = self._sets()
        used = np.bincount(self._labels, minlength=self.nb_labels) > 0
        return costs[(members & used).any(1)].sum().item()

    def get_label_at_site(self, site: int) -> int:
        """Return the label of a site."""
        return int(self._labels[self._site("site", site)])

    def get_labels(self) -> NDArray[np.int32]:
        """Return all labels, (sites,) int32."""
        return self._labels.astype(np.int32)

    def init_label_at_site(self, site: int, label: int) -> None:
        """Set the label of a site."""
        self._labels[self._site("site", site)] = self._label("label", label)

    def _edges(self) -> tuple[NDArray[np.int64], NDArray[Any]]:
        ends = np.concatenate([np.zeros((2, 0), np.int64), *self._ends], axis=1)
        return ends, np.concatenate([np.zeros(0, self._dtype), *self._weights])

    def _pairwise(self) -> NDArray[Any]:
        """Return the costs of neighbours' labels: one table, or one for each edge by a function."""
        fun = self._smooth_function
        if fun is None:
            return self._smooth
        (tail, head), labels = self._edges()[0], range(self.nb_labels)
        ends = zip(tail.tolist(), head.tolist(), strict=True)
        values = [[[fun(u, v, a, b) for b in labels] for a in labels] for u, v in ends]
        shape = (len(tail), self.nb_labels, self.nb_labels)
        return numbers("the smooth cost", np.array(values).reshape(shape), self._dtype)

    def _sets(self) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the costs of sets of labels, (S,), and their labels, (S, L)."""
        costs = [*self._label_costs, *(cost for _, cost in self._subsets)]
        members = [np.eye(self.nb_labels, dtype=bool), *(m[None] for m, _ in self._subsets)]
        return np.array(costs, self._dtype), np.concatenate(members)

    def _once(self, name: str, cost: ArrayLike) -> NDArray[Any]:
        costs = numbers(name, cost, self._dtype)
        refuse(name, costs, ~((costs >= 0) & (costs < np.inf)), "must be finite and >= 0")
        return costs

    def _move(self, moves: Callable[..., gx.Labelling], cycles: int | None) -> Any:
        self._labels = self._improved(moves, self._unary, cycles)
        return self.compute_energy()

    def _improved(
        self,
        moves: Callable[..., gx.Labelling],
        unary: NDArray[Any],
        cycles: int | None,
        candidates: NDArray[np.int64] | None = None,
    ) -> NDArray[np.int64]:
        ends, weights = self._edges()
        edge_index, costs, w, pairwise, init = map(
            torch.from_numpy, (ends, unary, weights, self._pairwise(), self._labels)
        )
        options: dict[str, Any] = {"init": init, "max_cycles": cycles}
        set_costs, members = self._sets()
        if set_costs.any():
            options["label_costs"] = torch.from_numpy(set_costs)
            options["label_sets"] = torch.from_numpy(members)
        if candidates is not None:
            options["candidates"] = torch.from_numpy(candidates)
        if pairwise.dim() == 3 and not len(pairwise):  # no edges
            pairwise = torch.zeros(pairwise.shape[1:], dtype=pairwise.dtype)
        found = moves(edge_index, costs, w, pairwise, **options)
        labels: NDArray[np.int64] = found.labels.numpy()
        return labels

    def _restricted(
        self, moves: Callable[..., gx.Labelling], candidates: NDArray[np.int64]
    ) -> bool:
        """Make moves that give a site one of two labels; returns whether it helped."""
        before = self.compute_energy()
        unary = np.take_along_axis(self._unary, candidates, 1)
        candidates = candidates.copy()
        candidates[candidates[:, 0] == candidates[:, 1], 1] = -1
        labels, self._labels = self._labels, self._improved(moves, unary, 1, candidates)
        if self.compute_energy() < before:
            return True
        self._labels = labels
        return False

    def _site(self, name: str, value: int) -> int:
        return _within(name, value, self.nb_sites, "sites")

    def _label(self, name: str, value: int) -> int:
        return _within(name, value, self.nb_labels, "labels")


def _within(name: str, value: int, count: int, things: str) -> int:
    number = operator.index(value)
    if not 0 <= number < count:
        raise IndexOutOfBoundError(f"{name} is {number}, of {count} {things}")
    return number


def _count(name: str, value: int) -> int:
    number = operator.index(value)
    if number < 1:
        raise ValueError(f"{name} must be at least 1, not {number}")
    return number


def _cycles(niters: int) -> int | None:
    """Return the most rounds, None for as many as help, which -1 stands for."""
    number = operator.index(niters)
    if number < -1:
        raise ValueError(f"the number of iterations must be at least -1, not {number}")
    return None if number == -1 else number
