# %% [markdown]
# # Objects that nobody pointed at
#
# Every one of the 28 x 28 cells of a photograph asks in turn: which cells are more like me than
# like the border? That is 784 minimum cuts over one graph, solved by a single call. Masks that many
# cells agree on, and that are unlike the border, come first: the bear before the plants around it,
# the aeroplane only after the cloud and two parts of the sky.
#
# Photographs: 8002160025 and 6246572127 of Flickr, CC BY 2.0. The features are those of
# EfficientNet-Lite0, trained on ImageNet (`examples/data/README.md`).

# %%
import argparse
import time
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.io
import skimage.transform
import torch
from torch import Tensor

import graphcut_ext as gx

parser = argparse.ArgumentParser(description="Find objects by many cuts over one graph.")
parser.add_argument("--out", type=Path, default=Path("runs/examples"))
options, _ = parser.parse_known_args()
here = Path(__file__).parent if "__file__" in globals() else Path()
photographs = {
    "bear": here / "data" / "bear.jpg",
    "aeroplane": files("graphcut_ext") / "_demo" / "photograph.jpg",
}
side = 28
cells = side**2

# %% [markdown]
# Neighbours on the grid are joined the more closely the more alike their features are. A cell is
# worth the more to a seed the nearer its features are to the seed's and the further from those of
# the border; the border itself is background.

# %%
edges = torch.from_numpy(gx.Graph.grid((side, side), 1.0, connectivity=8).edge_index)
inside = torch.zeros(side, side, dtype=torch.bool)
inside[2:-2, 2:-2] = True
border = ~inside.flatten()


def graph_of(features: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Capacities (E,), those of every seed's terminals (784, 784), distances from the border."""
    apart = torch.cdist(features, features).square()
    steps = apart[edges[0], edges[1]]
    links = torch.exp(-steps / (2 * steps.mean()))
    unlike = apart / apart.mean()
    from_border = unlike[:, border].topk(12, largest=False).values.mean(1)
    worth = 5 * (from_border - unlike)
    worth[:, border] = -1000
    worth.fill_diagonal_(1000)  # the seed itself
    return links, worth.clamp(min=0), (-worth).clamp(min=0), from_border


def agreed(masks: Tensor, from_border: Tensor, most: int = 4) -> list[tuple[int, int]]:
    """Masks that overlap little, and how many seeds found about the same, the best first."""
    sets = masks.float()
    common, sizes = sets @ sets.T, sets.sum(1)
    overlap = common / (sizes[:, None] + sizes - common)
    distinct = (sets @ from_border / sizes).square()
    left, found = sizes >= 9, []
    for _ in range(most):
        votes = ((overlap > 0.7) & left).sum(1) * left
        best = int((votes * distinct).argmax())
        found.append((best, int(votes[best])))
        left &= overlap[best] < 0.2
    return found


# %%
figure, axes = plt.subplots(2, 5, figsize=(11, 3.6), layout="constrained")
for line, (name, path) in zip(axes, photographs.items(), strict=True):
    photograph = skimage.io.imread(str(path))
    stored = np.load(here / "data" / f"{name}.npz")
    features = torch.from_numpy(stored["features"] * stored["scale"]).view(cells, -1)
    links, source, sink, from_border = graph_of(features)
    began = time.process_time()
    masks = gx.maxflow(edges, links, source, sink).source_side
    took = time.process_time() - began
    best = agreed(masks, from_border)
    print(f"{name}: {len(masks)} cuts, {best[0][1]} seeds agree on the first mask")
    print(f"  gx.maxflow, one call: {1000 * took:.0f} ms of processor time")
    if find_spec("maxflow"):
        import maxflow

        began = time.process_time()
        for seed in range(cells):
            graph = maxflow.GraphFloat(cells, edges.shape[1])
            nodes = graph.add_grid_nodes(cells)
            graph.add_edges(*edges.numpy(), links.numpy(), links.numpy())
            graph.add_grid_tedges(nodes, source[seed].numpy(), sink[seed].numpy())
            graph.maxflow()
            assert np.array_equal(~graph.get_grid_segments(nodes), masks[seed].numpy())
        print(f"  PyMaxflow, cut by cut: {1000 * (time.process_time() - began):.0f} ms")
    line[0].imshow(photograph)
    line[0].set_title(f"{len(masks)} seeds")
    for axis, (seed, votes) in zip(line[1:], best, strict=True):
        mask = masks[seed].view(side, side).numpy().astype(float)
        large = skimage.transform.resize(mask, photograph.shape[:2]) > 0.5
        axis.imshow(np.where(large[..., None], photograph, photograph // 5 + 204))
        axis.set_title(f"found by {votes} seeds")
for axis in axes.flat:
    axis.set_axis_off()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "objects.png", dpi=100)
