"""Operators as modules, to be put into networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from graphcut_ext._arguments import check_devices, check_integer, check_tensor, dtype_name
from graphcut_ext._crf.arguments import Method
from graphcut_ext._crf.dense_crf import dense_crf
from graphcut_ext._knn import knn as _knn
from graphcut_ext._maxflow.maxflow import maxflow
from graphcut_ext._maxflow.solvers import Solver, check_solver

__all__ = ["KNN", "DenseCRF", "MinCutLoss"]

REDUCTIONS = ("mean", "sum", "none")


class KNN(torch.nn.Module):
    """K nearest neighbours, as a module: :func:`graphcut_ext.knn` with kept settings.

    Parameters
    ----------
    k, squared, precision
        As in :func:`graphcut_ext.knn`.

    Examples
    --------
    >>> KNN(2)(torch.tensor([[0.0], [1.0], [3.0]])).indices.tolist()
    [[1, 2], [0, 2], [1, 0]]
    """

    def __init__(
        self, k: int, *, squared: bool = True, precision: _knn.Precision = "exact"
    ) -> None:
        super().__init__()
        self.k = check_integer("k", k, 1)
        self.squared = squared
        self.precision = precision

    def forward(
        self, x: Tensor, query: Tensor | None = None, lengths: Tensor | None = None
    ) -> _knn.KNN:
        """Return distances and indices of the neighbours, as :func:`graphcut_ext.knn`."""
        return _knn.knn(
            x,
            self.k,
            query=query,
            lengths=lengths,
            squared=self.squared,
            precision=self.precision,
        )

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"k={self.k}, squared={self.squared}, precision={self.precision!r}"


class DenseCRF(torch.nn.Module):
    """A fully connected CRF, as a module: :func:`graphcut_ext.dense_crf` with kept settings.

    Parameters
    ----------
    iterations, gaussian, bilateral, method, floor
        As in :func:`graphcut_ext.dense_crf`.
    compatibility : "potts" or Tensor, shape (L, L), default "potts"
        As there; a tensor is kept as a buffer, moves with the module and is saved with it.
    learn_weights : bool, default False
        Whether the kernels' weights are parameters: ``gaussian_log_weight`` and
        ``bilateral_log_weight``, their logarithms, so that the weights stay positive. The weights
        given are those to begin with.
    learn_compatibility : bool, default False
        Whether ``compatibility``, a tensor then, is a parameter. Its gradient is symmetric, and so
        it stays under torch's optimisers.

    Notes
    -----
    Gradients flow back to the probabilities and to the parameters, through all iterations: behind a
    network, the module is trained with it, as in "Conditional random fields as recurrent neural
    networks" by Zheng et al., ICCV 2015.

    Examples
    --------
    >>> image = torch.tensor([[[0.0, 0.0, 255.0]]]).expand(3, 1, 3)
    >>> p = torch.tensor([[[0.9, 0.4, 0.1]], [[0.1, 0.6, 0.9]]])
    >>> DenseCRF(iterations=5)(p, image).argmax(0)
    tensor([[0, 0, 1]])
    """

    compatibility: Tensor | None
    gaussian_log_weight: Tensor | None
    bilateral_log_weight: Tensor | None

    def __init__(
        self,
        *,
        iterations: int = 10,
        gaussian: Sequence[float] | None = (3.0, 3.0),
        bilateral: Sequence[float] | None = (80.0, 13.0, 10.0),
        compatibility: Literal["potts"] | Tensor = "potts",
        method: Method = "auto",
        floor: float = 1e-8,
        learn_weights: bool = False,
        learn_compatibility: bool = False,
    ) -> None:
        super().__init__()
        self.iterations = check_integer("iterations", iterations, 0)
        self.gaussian = None if gaussian is None else tuple(gaussian)
        self.bilateral = None if bilateral is None else tuple(bilateral)
        if not isinstance(compatibility, Tensor) and compatibility != "potts":
            raise ValueError(f"compatibility must be 'potts' or a tensor, not {compatibility!r}")
        kept = compatibility if isinstance(compatibility, Tensor) else None
        if not learn_compatibility:
            self.register_buffer("compatibility", kept)
        elif kept is None:
            raise ValueError(
                "learn_compatibility needs the costs to begin with, such as "
                "compatibility=1 - torch.eye(labels)"
            )
        else:
            self.register_parameter("compatibility", torch.nn.Parameter(kept.detach().clone()))
        for name in ("gaussian", "bilateral"):
            kernel = getattr(self, name)
            log_weight = None
            if learn_weights and kernel is not None:
                if not 0 < kernel[-1] < math.inf:
                    raise ValueError(
                        f"{name}: a weight that is learnt must be positive, not {kernel[-1]}"
                    )
                log_weight = torch.nn.Parameter(torch.tensor(math.log(kernel[-1])))
            self.register_parameter(f"{name}_log_weight", log_weight)
        self.method = method
        self.floor = floor

    def forward(self, probabilities: Tensor, image: Tensor) -> Tensor:
        """Return the marginals, as :func:`graphcut_ext.dense_crf`."""
        settings: dict[str, Any] = {
            name: getattr(self, name) for name in ("iterations", "method", "floor")
        }
        for name in ("gaussian", "bilateral"):
            kernel, log_weight = getattr(self, name), getattr(self, f"{name}_log_weight")
            settings[name] = kernel if log_weight is None else (*kernel[:-1], log_weight.exp())
        settings["compatibility"] = "potts" if self.compatibility is None else self.compatibility
        return dense_crf(probabilities, image, **settings)

    def extra_repr(self) -> str:
        """Return the settings."""
        return (
            f"iterations={self.iterations}, gaussian={self.gaussian}, bilateral={self.bilateral}, "
            f"method={self.method!r}"
        )


class MinCutLoss(torch.nn.Module):
    """How far a labelling is from being a minimum cut: a loss to learn capacities by.

    The loss of a graph is ``E(target) - min over x of (E(x) - margin * |x != target|)``, with E(x)
    the capacity of the cut that :func:`graphcut_ext.maxflow` minimises, and |x != target| the
    number of nodes where both differ. It is not negative, up to rounding. It is 0 just where the
    target costs less than any other labelling by ``margin`` for each node that differs. With margin
    0 it is the loss of the structured perceptron, otherwise the structured hinge loss.

    Parameters
    ----------
    margin : float, default 0
        Not negative, in units of the capacities. With 0, capacities of 0 have no loss: then, what
        makes them must not be able to vanish.
    reduction : {"mean", "sum", "none"}, default "mean"
        What is done with the losses of all graphs and cuts.
    solver : name of a solver, default "auto"
        As in :func:`graphcut_ext.maxflow`.

    Notes
    -----
    The loss is convex and piecewise linear in the capacities. Its gradient is the indicator of the
    arcs that the target cuts, less that of the arcs in the minimum cut.

    References
    ----------
    Collins, "Discriminative training methods for hidden Markov models", EMNLP 2002. Taskar,
    Guestrin, Koller, "Max-margin Markov networks", NIPS 2003.

    Examples
    --------
    >>> edges = torch.tensor([[0, 1], [1, 2]])
    >>> capacity = torch.tensor([3.0, 1.0], requires_grad=True)
    >>> source, sink = torch.tensor([5.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 4.0])
    >>> target = torch.tensor([True, False, False])  # on the source side; the minimum cut has 1
    >>> loss = MinCutLoss()(edges, capacity, source, sink, target)
    >>> loss.backward()
    >>> loss.item(), capacity.grad.tolist()
    (2.0, [1.0, -1.0])
    """

    def __init__(
        self,
        *,
        margin: float = 0.0,
        reduction: Literal["mean", "sum", "none"] = "mean",
        solver: Solver = "auto",
    ) -> None:
        super().__init__()
        if not 0 <= margin < math.inf:
            raise ValueError(f"margin must be finite and not negative, not {margin}")
        if reduction not in REDUCTIONS:
            allowed = ", ".join(map(repr, REDUCTIONS))
            raise ValueError(f"reduction must be one of {allowed}, not {reduction!r}")
        check_solver(solver)
        self.margin = float(margin)
        self.reduction = reduction
        self.solver = solver

    def forward(
        self,
        edge_index: Tensor,
        capacity: Tensor,
        source: Tensor,
        sink: Tensor,
        target: Tensor,
        *,
        reverse_capacity: Tensor | None = None,
        ptr: Tensor | None = None,
    ) -> Tensor:
        """Return the loss, float64: without axes, or of the shape of the cuts' values for "none".

        ``target``, bool (..., N), is True for nodes on the source side; its leading dimensions
        broadcast with those of the capacities, which are floating point. The others are as in
        :func:`graphcut_ext.maxflow`.
        """
        given = {"edge_index": edge_index, "capacity": capacity, "source": source, "sink": sink}
        if reverse_capacity is not None:
            given["reverse_capacity"] = reverse_capacity
        _check_target(target, **given)
        more = self.margin * target
        raised_source, raised_sink = source + (self.margin - more), sink + more
        lowest = maxflow(
            edge_index,
            capacity,
            raised_source.to(source.dtype),
            raised_sink.to(sink.dtype),
            reverse_capacity=reverse_capacity,
            ptr=ptr,
            solver=self.solver,
        ).value
        backward = capacity if reverse_capacity is None else reverse_capacity
        tail, head = target[..., edge_index[0]], target[..., edge_index[1]]
        of_nodes = _where(~target, source) + _where(target, sink) + self.margin
        of_edges = _where(tail & ~head, capacity) + _where(head & ~tail, backward)
        if ptr is None:
            cost = of_nodes.sum(-1) + of_edges.sum(-1)
        else:
            graph = torch.bucketize(
                torch.arange(target.shape[-1], device=ptr.device), ptr[1:], right=True
            )
            cost = torch.zeros_like(lowest)
            cost = cost.index_add(-1, graph, of_nodes.expand(*cost.shape[:-1], -1))
            cost = cost.index_add(-1, graph[edge_index[0]], of_edges.expand(*cost.shape[:-1], -1))
        loss: Tensor = cost - lowest
        if self.reduction == "none":
            return loss
        return loss.mean() if self.reduction == "mean" else loss.sum()

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"margin={self.margin}, reduction={self.reduction!r}, solver={self.solver!r}"


def _where(paid: Tensor, capacities: Tensor) -> Tensor:
    """Capacities that are paid, float64; infinite ones may be, which are not."""
    return torch.where(paid, capacities.double(), 0.0)


def _check_target(target: Tensor, **given: Tensor) -> None:
    tensors = {**given, "target": target}
    for name, tensor in tensors.items():
        check_tensor(name, tensor)
    if target.dtype != torch.bool:
        raise TypeError(f"target must be bool, not {dtype_name(target.dtype)}")
    capacity, source = given["capacity"], given["source"]
    if not capacity.is_floating_point():
        raise TypeError(f"capacity must be floating point, not {dtype_name(capacity.dtype)}")
    check_devices(tensors)
    if target.dim() == 0 or source.dim() == 0 or target.shape[-1] != source.shape[-1]:
        raise ValueError(
            f"target must have shape (..., {source.shape[-1] if source.dim() else 'N'}), "
            f"not {tuple(target.shape)}"
        )
    sink = given["sink"]
    if sink.dim() == 0 or sink.shape[-1] != source.shape[-1]:
        raise ValueError(f"sink must have shape (..., {source.shape[-1]}), not {tuple(sink.shape)}")
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items() if name != "edge_index"}
    try:
        torch.broadcast_shapes(*(shape[:-1] for shape in shapes.values()))
    except RuntimeError:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"leading dimensions do not broadcast: {listed}") from None
