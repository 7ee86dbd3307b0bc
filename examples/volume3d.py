# %% [markdown]
# # A volume, denoised by one cut
#
# A ball and a bent tube in a volume of 64 x 64 x 64 voxels, buried in noise. Thresholding each voxel by
# itself fails; a minimum cut that also pays for every side at which the label changes finds both.

# %%
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import graphcut_ext as gx

parser = argparse.ArgumentParser(description="Segment a noisy volume.")
parser.add_argument("--out", type=Path, default=Path("runs/examples"))
parser.add_argument("--side", type=int, default=64, help="voxels along each axis")
options, _ = parser.parse_known_args()

# %%
side = options.side
z, y, x = (np.indices((side,) * 3) + 0.5) / side
ball = (z - 0.35) ** 2 + (y - 0.35) ** 2 + (x - 0.4) ** 2 < 0.22**2
bend = 0.72 + 0.08 * np.sin(2 * np.pi * x)
tube = (y - bend) ** 2 + (z - 0.62) ** 2 < 0.09**2
truth = ball | tube
volume = truth + 1.2 * np.random.default_rng(0).standard_normal(truth.shape)

# %% [markdown]
# The cost of a voxel is the squared distance of its grey value to that of the label, 1 or 0. With 26
# neighbours a side's price depends less on its direction than with 6: links to further neighbours are
# cheaper, by their length.


# %%
def segmented(connectivity: int, strength: float) -> np.ndarray:
    """Voxels on the source side."""
    graph = gx.Graph.grid(volume.shape, 1.0, connectivity=connectivity)
    lengths = np.linalg.norm(graph.grid_offsets, axis=1)
    graph = gx.Graph.grid(volume.shape, strength / lengths, connectivity=connectivity)
    graph.set_terminals(np.arange(volume.size), volume.ravel() ** 2, (volume.ravel() - 1) ** 2)
    graph.solve()
    return graph.source_side.reshape(volume.shape)


def overlap(mask: np.ndarray) -> float:
    """Intersection over union with the truth."""
    return float((mask & truth).sum() / (mask | truth).sum())


found = {
    "threshold": volume > 0.5,
    "cut, 6 neighbours": segmented(6, 1.1),
    "cut, 26 neighbours": segmented(26, 0.42),
}
for title, mask in found.items():
    print(f"{title}: IoU {overlap(mask):.3f}")

# %%
figure, axes = plt.subplots(2, 5, figsize=(14, 6), layout="constrained")
for line, depth in zip(axes, (0.35, 0.62), strict=True):
    level = int(depth * side)
    line[0].set_ylabel(f"slice {level} of {side}")
    line[0].imshow(volume[level], cmap="gray")
    line[1].imshow(truth[level], cmap="gray")
    for axis, mask in zip(line[2:], found.values(), strict=True):
        axis.imshow(mask[level], cmap="gray")
titles = ["grey values", "truth", *(f"{t}: IoU {overlap(m):.2f}" for t, m in found.items())]
for axis, title in zip(axes[0], titles, strict=True):
    axis.set_title(title)
for axis in axes.flat:
    axis.set_xticks([])
    axis.set_yticks([])
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "volume3d.png", dpi=100)
