# %% [markdown]
# # Scribbles on a photograph
#
# A few strokes say what is the cup with its saucer and what is the table; one minimum cut says it
# of every pixel. The links decide what counts as near: neighbours on the grid, or the nearest in
# colour and place, wherever they are.

# %%
import argparse
import itertools
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
import skimage.transform
import torch

import graphcut_ext as gx

parser = argparse.ArgumentParser(description="Segment a photograph from scribbles.")
parser.add_argument("--out", type=Path, default=Path("runs/examples"))
parser.add_argument("--height", type=int, default=160, help="rows of the photograph")
options, _ = parser.parse_known_args()

# %%
photograph = skimage.data.coffee()  # comes with scikit-image
height = options.height
width = height * photograph.shape[1] // photograph.shape[0]
rgb = skimage.transform.resize(photograph, (height, width), anti_aliasing=True)

# Strokes as polylines of (x, y), in shares of the width and the height.
STROKES = {
    "cup": [
        [(0.18, 0.45), (0.25, 0.78), (0.45, 0.91), (0.66, 0.80), (0.75, 0.55)],
        [(0.33, 0.20), (0.38, 0.45), (0.60, 0.45), (0.66, 0.20), (0.50, 0.09)],
        [(0.37, 0.67), (0.40, 0.35), (0.58, 0.35)],
    ],
    "table": [
        [(0.03, 0.05), (0.25, 0.08), (0.05, 0.40), (0.06, 0.95), (0.25, 0.96)],
        [(0.75, 0.08), (0.95, 0.20), (0.95, 0.90), (0.78, 0.92)],
    ],
}


def drawn(strokes: list[list[tuple[float, float]]]) -> np.ndarray:
    """Pixels of some polylines, three wide, as a mask."""
    mask = np.zeros((height, width), dtype=bool)
    for stroke in strokes:
        for (x0, y0), (x1, y1) in itertools.pairwise(stroke):
            steps = np.linspace(0, 1, 4 * height)
            rows = ((y0 + steps * (y1 - y0)) * (height - 1)).round().astype(int)
            columns = ((x0 + steps * (x1 - x0)) * (width - 1)).round().astype(int)
            for shift in (-1, 0, 1):
                mask[(rows + shift).clip(0, height - 1), columns] = True
    return mask


cup, table = drawn(STROKES["cup"]), drawn(STROKES["table"])

# %% [markdown]
# Scribbled pixels are tied to their terminal by `inf`, "never cut". All others hang on the
# terminals by how well their colour fits the one or the other: little, so that the links have
# their say.


# %%
def log_likelihood(pixels: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Of colours, under a normal density fitted to samples."""
    covariance = np.cov(samples, rowvar=False) + 1e-3 * np.eye(3)
    centred = pixels - samples.mean(axis=0)
    return -0.5 * np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred)


pixels = rgb.reshape(-1, 3)
fit = log_likelihood(pixels, rgb[cup]) - log_likelihood(pixels, rgb[table])
fit = 0.1 * np.clip(fit, -5, 5)
source = np.where(cup.ravel(), np.inf, np.where(table.ravel(), 0, fit.clip(0)))
sink = np.where(table.ravel(), np.inf, np.where(cup.ravel(), 0, (-fit).clip(0)))

# %% [markdown]
# The grid: `gx.Graph.grid`, links weighted by contrast.

# %%
grid = gx.Graph.grid((height, width), 0.0, connectivity=8)
tail, head = grid.edge_index
contrast = np.square(pixels[tail] - pixels[head]).sum(axis=1)
grid.set_capacities(np.arange(grid.num_edges), 5 * np.exp(-contrast / (2 * contrast.mean())))
grid.set_terminals(np.arange(height * width), source, sink)
grid.solve()
on_grid = grid.source_side.reshape(height, width)

# %% [markdown]
# The nearest neighbours in colour and place: `gx.knn`, `gx.knn_weights`, `gx.knn_maxflow`.

# %%
rows, columns = np.indices((height, width)) / height
features = np.stack([*(2.5 * rgb.transpose(2, 0, 1)), rows, columns], axis=-1).reshape(-1, 5)
points = torch.from_numpy(features).float()[None]
near = gx.knn(points, 12)
weights = gx.knn_weights(near.indices, near.distances, weighting="gaussian")
terminals = [torch.from_numpy(side).float()[None, None] for side in (source, sink)]
cut = gx.knn_maxflow(near.indices, 5 * weights, *terminals)
on_neighbours = cut.source_side[0, 0].numpy().reshape(height, width)

# %%
colour_alone = (fit > 0).reshape(height, width)
figure, axes = plt.subplots(1, 4, figsize=(11, 2.4), layout="constrained")
shown = rgb.copy()
shown[cup], shown[table] = (0.1, 0.9, 0.2), (0.9, 0.1, 0.9)
axes[0].imshow(shown)
axes[0].set_title("strokes: cup, table")
for axis, (title, mask) in zip(
    axes[1:],
    {
        "colour alone": colour_alone,
        "cut on the grid": on_grid,
        "cut on 12 nearest neighbours": on_neighbours,
    }.items(),
    strict=True,
):
    axis.imshow(np.where(mask[..., None], rgb, 0.25 * rgb + 0.75))
    axis.contour(mask, [0.5], colors="k", linewidths=0.8)
    axis.set_title(title)
for axis in axes:
    axis.set_axis_off()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "scribbles.png", dpi=110)

for title, mask in (("grid", on_grid), ("neighbours", on_neighbours)):
    parts = skimage.measure.label(mask).max()
    print(f"{title}: {100 * mask.mean():.1f} % of the pixels are cup, in {parts} parts")
