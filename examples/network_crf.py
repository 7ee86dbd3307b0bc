# %% [markdown]
# # A CRF on the scores of a network
#
# A network that names images says of each cell of a coarse grid whether it sees a bear there. The
# dense CRF asks which pixels go together, by colour and place, and finds the bear. Where object and
# background have the same colours, as under the aeroplane, it helps little: both are shown.
#
# Photographs: 8002160025 and 6246572127 of Flickr, CC BY 2.0. The scores are those of
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
import torch
from torch.nn import functional

import graphcut_ext as gx

parser = argparse.ArgumentParser(description="Refine a network's scores by a dense CRF.")
parser.add_argument("--out", type=Path, default=Path("runs/examples"))
options, _ = parser.parse_known_args()
here = Path(__file__).parent if "__file__" in globals() else Path()
photographs = {
    "bear": here / "data" / "bear.jpg",
    "aeroplane": files("graphcut_ext") / "_demo" / "photograph.jpg",
}
truth = skimage.io.imread(here / "data" / "aeroplane_mask.png") > 0

# %% [markdown]
# The scores are log odds of the class on a grid of 41 x 41 cells. They are far too sure for a grid
# so coarse: divided by 8 they leave the CRF something to decide.


# %%
def probabilities_of(name: str, height: int, width: int) -> torch.Tensor:
    """Of background and object at every pixel, (2, H, W)."""
    odds = torch.from_numpy(np.load(here / "data" / f"{name}.npz")["log_odds"]).float()
    large = functional.interpolate(odds[None, None], (height, width), mode="bilinear")[0, 0] / 8
    return torch.stack([(-large).sigmoid(), large.sigmoid()])


def overlap(mask: np.ndarray) -> float:
    """Intersection over union with the outline of the aeroplane."""
    return float((mask & truth).sum() / (mask | truth).sum())


# %%
figure, axes = plt.subplots(2, 3, figsize=(9, 4.7), layout="constrained")
for line, (name, path) in zip(axes, photographs.items(), strict=True):
    photograph = skimage.io.imread(str(path))
    height, width = photograph.shape[:2]
    probabilities = probabilities_of(name, height, width)
    image = torch.from_numpy(photograph.copy()).permute(2, 0, 1)
    gx.dense_crf(probabilities[:, :9, :9], image[:, :9, :9])  # the first call is not timed
    began = time.process_time()
    marginals = gx.dense_crf(probabilities, image, bilateral=(60, 13, 10))
    took = time.process_time() - began
    before, mask = (each[1].numpy() > 0.5 for each in (probabilities, marginals))
    if name == "aeroplane":
        print(f"aeroplane: IoU {overlap(before):.2f} before, {overlap(mask):.2f} after the CRF")
    else:
        print(
            f"{name}: {100 * before.mean():.1f} % of the pixels before, {100 * mask.mean():.1f} %"
        )
    print(
        f"  gx.dense_crf, 10 iterations on {width} x {height} pixels: {1000 * took:.0f} ms of CPU"
    )
    if find_spec("pydensecrf"):
        from pydensecrf import densecrf
        from pydensecrf.utils import unary_from_softmax

        began = time.process_time()
        field = densecrf.DenseCRF2D(width, height, 2)
        field.setUnaryEnergy(unary_from_softmax(probabilities.numpy()))
        field.addPairwiseGaussian(3, 3)
        field.addPairwiseBilateral(60, 13, photograph.copy(), 10)
        theirs = np.array(field.inference(10))[1].reshape(height, width) > 0.5
        took = time.process_time() - began
        same = 100 * (theirs == mask).mean()
        print(f"  pydensecrf: {1000 * took:.0f} ms, the same label at {same:.1f} % of the pixels")
    line[0].imshow(photograph)
    line[0].set_title(name)
    line[1].imshow(probabilities[1], cmap="magma", vmin=0, vmax=1)
    line[1].set_title("what the network sees")
    line[2].imshow(np.where(mask[..., None], photograph, photograph // 5 + 204))
    line[2].set_title("after the dense CRF")
for axis in axes.flat:
    axis.set_axis_off()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "network_crf.png", dpi=100)
