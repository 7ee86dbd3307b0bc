# %% [markdown]
# # Depth from two views, by alpha expansion
#
# Every pixel of the left view gets a disparity: how far to the left its like lies in the right
# one. Matching pixel by pixel is noise; expansion moves, each an exact minimum cut, lower an
# energy that also pays for jumps between neighbours, less where the colour jumps too. The views are
# those of a motorcycle, Middlebury 2014, that come with scikit-image.

# %%
import argparse
import time
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
import skimage.transform
import torch

import graphcut_ext as gx

parser = argparse.ArgumentParser(description="Disparities of a stereo pair.")
parser.add_argument("--out", type=Path, default=Path("runs/examples"))
parser.add_argument("--height", type=int, default=200, help="rows of the pictures")
options, _ = parser.parse_known_args()

# %%
left, right, truth = skimage.data.stereo_motorcycle()  # Middlebury 2014, with scikit-image
scale = options.height / left.shape[0]
shape = (options.height, round(left.shape[1] * scale))
left, right = (skimage.transform.resize(view, shape, anti_aliasing=True) for view in (left, right))
known = np.isfinite(truth) & (truth > 0)
rows = (np.arange(shape[0]) / scale).astype(int)
columns = (np.arange(shape[1]) / scale).astype(int)
truth, known = truth[np.ix_(rows, columns)] * scale, known[np.ix_(rows, columns)]
labels = int(np.ceil(truth[known].max())) + 1
print(f"{shape[1]} x {shape[0]} pixels, {labels} disparities")

# %% [markdown]
# The cost of a disparity is the difference of colours over a window of three by three pixels, cut
# off so that what is hidden in one view does not count for more than any other mistake.

# %%
cost = np.full((labels, *shape), 0.15)
for d in range(labels):
    difference = np.abs(left[:, d:] - right[:, : shape[1] - d]).mean(axis=2)
    padded = np.pad(difference, 1, mode="edge")
    window = sum(
        padded[i : i + shape[0], j : j + difference.shape[1]] for i in range(3) for j in range(3)
    )
    cost[d, :, d:] = np.minimum(window / 9, 0.15)
unary = torch.from_numpy(cost.reshape(labels, -1).T.copy())

# %%
grid = gx.Graph.grid(shape, 1.0)
ends = grid.edge_index
colours = left.reshape(-1, 3)
contrast = np.abs(colours[ends[0]] - colours[ends[1]]).mean(axis=1)
weights = torch.from_numpy(np.where(contrast < 0.04, 0.008, 0.004))
apart = (torch.arange(labels)[:, None] - torch.arange(labels)).abs()
jump = apart.clamp(max=3).double()  # a metric: no jump costs more than one of three

by_pixel = unary.argmin(1)
began = time.process_time()
found = gx.alpha_expansion(torch.from_numpy(ends), unary, weights, jump)
took = time.process_time() - began
best = found.labels


# %%
def bad(disparity: torch.Tensor) -> float:
    """Share of the pixels, where the depth is known, that are off by more than one."""
    return float((np.abs(disparity.numpy().reshape(shape) - truth) > 1)[known].mean())


print(f"pixel by pixel: {100 * bad(by_pixel):.1f} % off by more than one")
print(f"alpha expansion: {100 * bad(best):.1f} %, energy {found.energy.item():.1f}")
print(f"  {took:.1f} s of processor time")

# %% [markdown]
# Where OpenCV is installed, its semi-global matcher is shown as well. It is made for speed, and it
# leaves out pixels that it is not sure of: these count as wrong.

# %%
if find_spec("cv2"):
    import cv2

    matcher = cv2.StereoSGBM.create(
        numDisparities=16 * -(-labels // 16), blockSize=3, P1=8 * 27, P2=32 * 27, mode=2
    )
    views = [(255 * view[..., ::-1]).round().astype(np.uint8).copy() for view in (left, right)]
    began = time.process_time()
    matched = torch.from_numpy(matcher.compute(*views).ravel() / 16.0)
    took = time.process_time() - began
    print(f"OpenCV's StereoSGBM: {100 * bad(matched):.1f} % off by more than one")
    print(f"  {took:.2f} s of processor time")

# %%

figure, axes = plt.subplots(1, 4, figsize=(11, 2.3), layout="constrained")
axes[0].imshow(left)
axes[0].set_title("left view")
pictures = {
    f"pixel by pixel: {100 * bad(by_pixel):.0f} % off": by_pixel.numpy().reshape(shape),
    f"alpha expansion: {100 * bad(best):.0f} % off": best.numpy().reshape(shape),
    "measured": np.where(known, truth, np.nan),
}
for axis, (title, picture) in zip(axes[1:], pictures.items(), strict=True):
    axis.imshow(picture, cmap="turbo", vmin=0, vmax=labels - 1)
    axis.set_title(title)
for axis in axes:
    axis.set_axis_off()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "stereo.png", dpi=110)
