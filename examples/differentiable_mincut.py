# %% [markdown]
# # A minimum cut as a loss
#
# The value of a minimum cut has a gradient: the arcs that are cut. So a network that makes
# capacities can be trained *through* the cut. Here it learns from the left part of a photograph and
# is tested on the right one, beside the same network trained pixel by pixel.
#
# With E(x) the cost of a labelling x and y the right one, the structured hinge loss (Taskar et al.
# 2003; Tsochantaridis et al. 2005)
#
#     E(y) - min over x of [E(x) - margin * (number of pixels where x differs from y)]
#
# is zero when y is the minimum cut, and cheaper by the margin than any other labelling. The
# minimum is one call of `gx.maxflow`; what differs from y is paid for by the terminals.
#
# Photograph: 6246572127 of Flickr, CC BY 2.0; outline: COCO, CC BY 4.0.

# %%
import argparse
import time
from importlib.resources import files
from pathlib import Path

import matplotlib.pyplot as plt
import skimage.io
import skimage.transform
import torch
from torch import Tensor, nn
from torch.nn import functional

import graphcut_ext as gx

parser = argparse.ArgumentParser(description="Train a network through minimum cuts.")
parser.add_argument("--out", type=Path, default=Path("runs/examples"))
parser.add_argument("--steps", type=int, default=200)
options, _ = parser.parse_known_args()
torch.set_num_threads(1)  # figures do not depend on the number of cores
here = Path(__file__).parent if "__file__" in globals() else Path()

# %%
height, width, border = 125, 240, 150  # the columns before the border are learnt from
photograph = skimage.io.imread(str(files("graphcut_ext") / "_demo" / "photograph.jpg"))
photograph = skimage.transform.resize(photograph, (height, width), anti_aliasing=True)
outline = skimage.io.imread(here / "data" / "aeroplane_mask.png") > 0
outline = torch.from_numpy(skimage.transform.resize(outline.astype(float), (height, width)) > 0.5)
photograph, outline = photograph[55:], outline[55:]  # without most of the sky
pixels = torch.from_numpy(photograph).permute(2, 0, 1)[None].float()
pixels = (pixels - pixels.mean()) / pixels.std()

# %% [markdown]
# The network: three convolutions, then for every pixel how much it would rather be aeroplane, and
# how much its links to the right and below should cost.


# %%
def new_network() -> nn.Module:
    """Three numbers a pixel, from 9 x 9 pixels around it."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, padding=2, padding_mode="replicate"),
        nn.ReLU(),
        nn.Conv2d(16, 16, 5, padding=2, padding_mode="replicate"),
        nn.ReLU(),
        nn.Conv2d(16, 3, 1),
    )


class Part:
    """Columns of the photograph: its pixels, the truth, and its grid of links."""

    def __init__(self, columns: slice) -> None:
        self.pixels, self.truth = pixels[..., columns], outline[:, columns]
        shape = tuple(self.truth.shape)
        self.ends = torch.from_numpy(gx.Graph.grid(shape, 1.0).edge_index)
        self.downwards = self.ends[1] - self.ends[0] == shape[1]

    def costs(self, network: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
        """Capacities of the links (E,), of the source and of the sink (N,)."""
        out, first = network(self.pixels)[0].flatten(1), self.ends[0]
        links = functional.softplus(torch.where(self.downwards, out[1, first], out[2, first]))
        return links, functional.relu(out[0]), functional.relu(-out[0])

    def hinge(self, network: nn.Module, margin: float = 0.5) -> Tensor:
        """The loss, a pixel."""
        links, source, sink = self.costs(network)
        y = self.truth.flatten()
        wrong = (y[self.ends[0]] != y[self.ends[1]]).float()
        right = (links * wrong).sum() + torch.where(y, sink, source).sum()
        # The margin off every wrong pixel is the margin on every right one, less a constant.
        cut = gx.maxflow(self.ends, links, source + margin * ~y, sink + margin * y)
        return (right - cut.value.to(right.dtype)) / len(y) + margin

    @torch.no_grad()
    def cut(self, network: nn.Module) -> Tensor:
        """The mask, by a minimum cut."""
        return gx.maxflow(self.ends, *self.costs(network)).source_side.view_as(self.truth)

    @torch.no_grad()
    def by_pixel(self, network: nn.Module) -> Tensor:
        """The mask, every pixel by itself."""
        return network(self.pixels)[0, 0] > 0

    def overlap(self, mask: Tensor) -> float:
        """Intersection over union with the truth."""
        return ((mask & self.truth).sum() / (mask | self.truth).sum()).item()


# %% [markdown]
# Beside it the same network, trained pixel by pixel by cross-entropy with as many steps.
#
# This is one photograph, and the border between the parts matters. Of 240 columns the first 150 are
# learnt from. With 140 and 130 the cuts are ahead as well (IoU 0.73 against 0.63, 0.65 against
# 0.57), with 120 they are behind (0.41 against 0.53).

# %%
seen, unseen = Part(slice(0, border)), Part(slice(border, width))
through_cuts, pixel_by_pixel = new_network(), new_network()


def train(network: nn.Module, loss_of: object) -> list[float]:
    """Losses of all steps."""
    optimiser, losses = torch.optim.Adam(network.parameters(), lr=5e-3), []
    for _ in range(options.steps):
        loss = loss_of(network)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def cross_entropy(network: nn.Module) -> Tensor:
    """Mean over the pixels of the part that is learnt from."""
    return functional.binary_cross_entropy_with_logits(
        network(seen.pixels)[0, 0], seen.truth.float()
    )


train(pixel_by_pixel, cross_entropy)
began = time.process_time()
losses = train(through_cuts, seen.hinge)
took = (time.process_time() - began) / options.steps
print(f"hinge loss: {losses[0]:.3f} at first, {losses[-1]:.3f} at the end")
masks = {
    "cut, untrained": unseen.cut(new_network()),
    "trained pixel by pixel": unseen.by_pixel(pixel_by_pixel),
    "trained through cuts": unseen.cut(through_cuts),
}
for title, mask in masks.items():
    print(f"{title}: IoU {unseen.overlap(mask):.3f} on the unseen part")
print(f"  {1000 * took:.0f} ms of processor time a step, of {seen.truth.numel()} pixels")

# %%
layout = [["loss", "photograph", "photograph"], ["first", "second", "third"]]
figure, axes = plt.subplot_mosaic(layout, figsize=(9, 5), layout="constrained")
axes["loss"].plot(losses)
axes["loss"].set(xlabel="step", title="hinge loss a pixel", ylim=(0, None))
axes["photograph"].imshow(photograph)
axes["photograph"].axvline(border, color="w", linestyle="--")
axes["photograph"].set_title("learnt from | tested on")
right = torch.from_numpy(photograph[:, border:])
panels = {"truth": unseen.truth, **dict(list(masks.items())[1:])}
for name, (title, mask) in zip(layout[1], panels.items(), strict=True):
    axes[name].imshow(torch.where(mask[..., None], right, right / 5 + 0.8))
    overlap = "" if title == "truth" else f": IoU {unseen.overlap(mask):.2f}"
    axes[name].set_title(title + overlap)
for name in ("photograph", *layout[1]):
    axes[name].set_axis_off()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "differentiable_mincut.png", dpi=100)
