# %% [markdown]
# # A minimum cut as a loss
#
# The value of a minimum cut has a gradient: the arcs that are cut. So a network that makes
# capacities can be trained *through* the cut. With E(x) the cost of a labelling x and y the right
# one, the structured hinge loss (Taskar et al. 2003; Tsochantaridis et al. 2005)
#
#     E(y) - min over x of [E(x) - margin * (number of pixels where x differs from y)]
#
# is zero when y is the minimum cut, and cheaper by the margin than any other labelling. The
# minimum is one call of `gx.maxflow` for a whole batch; what differs from y is paid for by the
# terminals.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional

import graphcut_ext as gx

parser = argparse.ArgumentParser(description="Train a network through minimum cuts.")
parser.add_argument("--out", type=Path, default=Path("runs/examples"))
parser.add_argument("--steps", type=int, default=150)
parser.add_argument("--side", type=int, default=48, help="pixels along each side")
options, _ = parser.parse_known_args()
torch.manual_seed(0)
side = options.side

# %% [markdown]
# Pictures: two overlapping discs, their grey values drowned in noise; beside each its mask.


# %%
def draw(count: int) -> tuple[Tensor, Tensor]:
    """Pictures (B, 1, side, side) and masks (B, side, side)."""
    rows, columns = torch.meshgrid(*[torch.linspace(0, 1, side)] * 2, indexing="ij")
    centres = 0.3 + 0.4 * torch.rand(2, 2, count, 1, 1)
    radii = 0.1 + 0.12 * torch.rand(2, count, 1, 1)
    apart = (rows - centres[0]).square() + (columns - centres[1]).square()
    masks = (apart < radii.square()).any(0)
    return (masks + 1.0 * torch.randn(masks.shape))[:, None], masks


# %% [markdown]
# The network: three convolutions, then for every pixel how much it would rather be foreground,
# and how much its links to the right and below should cost.

# %%
network = nn.Sequential(
    nn.Conv2d(1, 16, 5, padding=2),
    nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(16, 3, 1),
)
grid = gx.Graph.grid((side, side), 1.0)
ends = torch.from_numpy(grid.edge_index)
downwards = ends[1] - ends[0] == side


def costs(pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Capacities of the links (B, E), of the source and of the sink (B, N)."""
    out = network(pictures).flatten(2)
    links = functional.softplus(torch.where(downwards, out[:, 1, ends[0]], out[:, 2, ends[0]]))
    return links, functional.relu(out[:, 0]), functional.relu(-out[:, 0])


def hinge(pictures: Tensor, masks: Tensor, margin: float = 0.5) -> Tensor:
    """Mean of the loss per pixel."""
    links, source, sink = costs(pictures)
    y = masks.flatten(1)
    wrong = (y[:, ends[0]] != y[:, ends[1]]).float()
    right = (links * wrong).sum(1) + torch.where(y, sink, source).sum(1)
    # The margin off every wrong pixel is the margin on every right one, less a constant.
    cut = gx.maxflow(ends, links, source + margin * ~y, sink + margin * y)
    least = cut.value.to(right.dtype) - margin * y.shape[1]
    return (right - least).mean() / y.shape[1]


def overlap(found: Tensor, masks: Tensor) -> float:
    """Intersection over union, all pictures taken together."""
    return ((found & masks).sum() / (found | masks).sum()).item()


@torch.no_grad()
def cut_of(pictures: Tensor) -> Tensor:
    """Masks (B, side, side)."""
    return gx.maxflow(ends, *costs(pictures)).source_side.view(-1, side, side)


# %%
unseen, truth = draw(32)
before = cut_of(unseen)
optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
losses = []
for _ in range(options.steps):
    loss = hinge(*draw(8))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
after = cut_of(unseen)
with torch.no_grad():
    opinions = network(unseen)[:, 0] > 0
threshold = unseen[:, 0] > 0.5
print(f"hinge loss: {losses[0]:.3f} at first, {losses[-1]:.3f} at the end")
for title, found in {
    "threshold": threshold,
    "cut, untrained": before,
    "pixel by pixel, trained": opinions,
    "cut, trained": after,
}.items():
    print(f"{title}: IoU {overlap(found, truth):.3f} on {len(unseen)} unseen pictures")

# %%
figure, axes = plt.subplots(
    1, 6, figsize=(16, 2.9), layout="constrained", width_ratios=[1.4, *[1] * 5]
)
axes[0].plot(losses)
axes[0].set(xlabel="step", title="hinge loss per pixel", ylim=(0, None))
panels = {
    "unseen picture": unseen[0, 0],
    "threshold": threshold[0],
    "cut, untrained": before[0],
    "cut, trained": after[0],
    "truth": truth[0],
}
for axis, (title, panel) in zip(axes[1:], panels.items(), strict=True):
    axis.imshow(panel, cmap="gray")
    axis.set_title(title)
    axis.set_axis_off()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "differentiable_mincut.png", dpi=100)
