"""What is compared: our operators with every solver, and the peers, as work ready to be timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.peers import PEERS, REFERENCE, Answer
from benchmarks.problem import Batch, Problem

EDGE_LISTS, NEIGHBOURS = "gx.maxflow", "gx.knn_maxflow"


@dataclass(frozen=True)
class Contender:
    """A solver with the form of its input; plain values, so that it can go to another process."""

    operator: str  # EDGE_LISTS, NEIGHBOURS, or the name of a peer
    solver: str | None = None
    threads: int = 1
    merged: bool | None = None  # mutual pairs already summed; None where the question is moot

    @property
    def ours(self) -> bool:
        """Whether this is an operator of graphcut_ext."""
        return self.operator in (EDGE_LISTS, NEIGHBOURS)

    @property
    def reference(self) -> bool:
        """Whether this is the contender that stands at ratio 1."""
        return self.operator == REFERENCE and self.merged is not False

    @property
    def label(self) -> str:
        """One line for tables."""
        parts = [f"{self.operator} {self.solver}" if self.ours else self.operator]
        if self.merged is not None:
            parts.append("merged" if self.merged else "unmerged")
        if self.ours:
            parts.append(f"{self.threads} thread" + "s" * (self.threads > 1))
        return ", ".join(parts)


def lineup(
    batch: Batch, solvers: Sequence[str], threads: Sequence[int], peers: Sequence[str]
) -> list[Contender]:
    """Everything that is compared on a batch; further thread counts only where it has several."""
    counts = threads if len(batch.problems) > 1 else threads[:1]
    linked = batch.links is not None
    merged = True if linked else None
    found = []
    for solver in solvers:
        found += [Contender(EDGE_LISTS, solver, n, merged) for n in counts]
        if linked:
            found.append(Contender(EDGE_LISTS, solver, counts[0], False))
            found += [Contender(NEIGHBOURS, solver, n) for n in counts]
    for peer in peers:
        found.append(Contender(peer, merged=merged))
        if linked and peer == REFERENCE:
            found.append(Contender(peer, merged=False))
    return found


def prepare(contenders: Sequence[Contender], batch: Batch) -> dict[Contender, Callable[[], Any]]:
    """Work from arrays in memory to labels, for each contender; inputs are shared among ours."""
    shared: dict[tuple[str, bool | None], tuple[tuple[Any, ...], dict[str, Any]]] = {}
    work = {}
    for contender in contenders:
        if not contender.ours:
            work[contender] = peer_work(contender, batch)
            continue
        key = (contender.operator, contender.merged)
        if key not in shared:
            shared[key] = our_input(contender, batch)
        work[contender] = our_work(contender, *shared[key])
    return work


def peer_work(contender: Contender, batch: Batch) -> Callable[[], list[Answer]]:
    """A peer on one problem after the other."""
    peer = PEERS[contender.operator]
    suited = batch.to_integers() if peer.integers_only else batch
    inputs = [peer.arrays(p) for p in suited.listed(merged=contender.merged is not False)]
    return lambda: [peer.solve(*arrays) for arrays in inputs]


def our_input(contender: Contender, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of the operator: tensors over the whole batch."""
    import torch

    if contender.operator == NEIGHBOURS:
        links = batch.links
        assert links is not None
        arrays = (links.indices, links.weights, links.source, links.sink)
        return tuple(torch.from_numpy(a) for a in arrays), {}
    problems = batch.listed(merged=contender.merged is not False)
    ptr = np.cumsum([0, *(p.nodes for p in problems)])
    ends = [np.stack([p.tail, p.head]) + first for p, first in zip(problems, ptr, strict=False)]
    arguments = [torch.from_numpy(np.concatenate(ends, axis=1))]
    arguments += [joined(problems, name) for name in ("capacity", "source", "sink")]
    options = {"ptr": torch.from_numpy(ptr)} if len(problems) > 1 else {}
    if any(p.reverse is not None for p in problems):
        options["reverse_capacity"] = joined(problems, "backward")
    return tuple(arguments), options


def joined(problems: Sequence[Problem], name: str) -> Any:
    """One field of all problems, concatenated, as a tensor."""
    import torch

    return torch.from_numpy(np.concatenate([getattr(p, name) for p in problems]))


def our_work(
    contender: Contender, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Callable[[], Any]:
    """One call of the operator."""
    import graphcut_ext as gx

    operator: Callable[..., Any] = (
        gx.knn_maxflow if contender.operator == NEIGHBOURS else gx.maxflow
    )
    return lambda: operator(
        *arguments, **options, solver=contender.solver, num_threads=contender.threads
    )


def answers(result: Any, batch: Batch) -> list[Answer]:
    """Value and source side of every problem, whichever contender gave the result."""
    if isinstance(result, list):
        return result
    sides = np.split(
        result.source_side.numpy().ravel(), np.cumsum([p.nodes for p in batch.problems])[:-1]
    )
    return list(zip(result.value.ravel().tolist(), sides, strict=True))
