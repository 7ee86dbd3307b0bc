"""Searches for nearest neighbours by name: x (B, N, C), k -> indices (B, N, k), unchecked."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import torch
from torch import Tensor

import graphcut_ext as gx

Search = Callable[[Tensor, int], Tensor]
CHUNK = 1024  # rows of a distance matrix that does not fit at once
LARGE = 50_000  # points from which only flat indices and trees are compared
WHOLE = 2**31  # bytes of a distance matrix up to which users take it at once
BARE = "torch.bmm alone"


def exact(x: Tensor, k: int) -> Tensor:
    """Ours."""
    return gx.knn(x, k).indices


def fast(x: Tensor, k: int) -> Tensor:
    """Ours, from TF32 products."""
    return gx.knn(x, k, precision="fast").indices


def bare_product(x: Tensor, k: int) -> Tensor:
    """Return the product that bounds all others from below; it finds nothing."""
    return torch.bmm(x, x.mT)


def cdist(x: Tensor, k: int) -> Tensor:
    """Write what users write."""
    return torch.cdist(x, x).topk(k + 1, largest=False).indices[..., 1:]


def chunked_cdist(x: Tensor, k: int) -> Tensor:
    """Write what users write once memory runs out."""
    rows = [
        torch.cdist(part, x).topk(k + 1, largest=False).indices[..., 1:]
        for part in x.split(CHUNK, 1)
    ]
    return torch.cat(rows, 1)


def matmul(x: Tensor, k: int) -> Tensor:
    """Rank by |x_j|^2 - 2 x_i x_j."""
    score = torch.baddbmm(x.square().sum(-1)[:, None], x, x.mT, alpha=-2)
    return score.topk(k + 1, largest=False).indices[..., 1:]


def scikit_learn(x: Tensor, k: int) -> Tensor:
    """Brute force, item by item."""
    from sklearn.neighbors import NearestNeighbors

    found = []
    for item in x.numpy():
        search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(item)
        found.append(torch.from_numpy(search.kneighbors(return_distance=False)))
    return torch.stack(found)


def scipy(x: Tensor, k: int) -> Tensor:
    """A k-d tree, item by item."""
    from scipy.spatial import cKDTree

    threads = torch.get_num_threads()
    found = [cKDTree(item).query(item, k + 1, workers=threads)[1][:, 1:] for item in x.numpy()]
    return torch.stack([torch.from_numpy(indices) for indices in found])


def faiss(x: Tensor, k: int) -> Tensor:
    """A flat index, item by item."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    found = []
    for item in x.numpy():
        index = faiss.IndexFlatL2(item.shape[1])
        index.add(item)
        found.append(torch.from_numpy(index.search(item, k + 1)[1][:, 1:]))
    return torch.stack(found)


def pykeops(x: Tensor, k: int) -> Tensor:
    """Reduce symbolic distances."""
    from pykeops.torch import LazyTensor

    distances = ((LazyTensor(x[:, :, None]) - LazyTensor(x[:, None])) ** 2).sum(-1)
    return distances.argKmin(k + 1, dim=2)[..., 1:]


def contenders(x: Tensor) -> dict[str, Search]:
    """Whatever can be run on x and is sensible for it."""
    batch, points, channels = x.shape
    whole = 4 * batch * points * points <= WHOLE
    found: dict[str, Search] = {"gx.knn": exact}
    if x.is_cuda:
        found["gx.knn, fast"] = fast
    if points < LARGE:
        found |= (
            {"torch.cdist + topk": cdist}
            if whole
            else {"torch.cdist + topk, chunks": chunked_cdist}
        )
    if whole:
        found |= {"torch.matmul + topk": matmul, BARE: bare_product}
    if x.is_cuda:
        return found | ({"pykeops": pykeops} if importlib.util.find_spec("pykeops") else {})
    if points < LARGE and importlib.util.find_spec("sklearn"):
        found["scikit-learn, brute"] = scikit_learn
    if channels <= 16 and importlib.util.find_spec("scipy"):
        found["SciPy cKDTree"] = scipy
    if importlib.util.find_spec("faiss"):
        found["faiss flat"] = faiss
    return found
