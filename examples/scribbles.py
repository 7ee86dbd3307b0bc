# %% [markdown]
# # Scribbles on a photograph
#
# A few strokes say what is the aeroplane and what is not; one minimum cut says it of every pixel.
# The plane is as grey as the cloud behind it and the deck below: colour alone does not tell them
# apart. Photograph: 6246572127 of Flickr, CC BY 2.0.

# %%
import argparse
import itertools
import time
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.draw
import skimage.io
import skimage.measure

import graphcut_ext as gx

parser = argparse.ArgumentParser(description="Segment a photograph from scribbles.")
parser.add_argument("--out", type=Path, default=Path("runs/examples"))
options, _ = parser.parse_known_args()

# %%
# CC BY 2.0; graphcut_ext/_demo/README.md has the source.
photograph = skimage.io.imread(str(files("graphcut_ext") / "_demo" / "photograph.jpg"))
seeds = np.zeros(photograph.shape[:2], dtype=np.uint8)  # 0: unknown


def draw(mark: int, *strokes: list[tuple[int, int]]) -> None:
    """Mark polylines of (x, y), three pixels wide."""
    for stroke in strokes:
        for (x, y), (to_x, to_y) in itertools.pairwise(stroke):
            for shift in (-1, 0, 1):
                seeds[skimage.draw.line(y + shift, x, to_y + shift, to_x)] = mark


draw(1, [(82, 187), (135, 187), (200, 170), (345, 167)], [(30, 172), (215, 161)])
draw(1, [(232, 144), (286, 144)])
draw(2, [(15, 38), (240, 50), (465, 38)], [(15, 130), (42, 145)], [(5, 197), (38, 205)])
draw(2, [(145, 140), (190, 135), (262, 122), (335, 130), (420, 132)], [(370, 178), (465, 197)])
draw(2, [(15, 220), (230, 215), (465, 220)], [(15, 238), (465, 240)])

# %%
began = time.process_time()
found = gx.segment(photograph, seeds)
seconds = {"gx.segment": time.process_time() - began}

# %% [markdown]
# The cut has taken some of the fence, and a second aeroplane behind the wheel. Three strokes more,
# and it goes on from where it was.

# %%
first = seeds.copy()
draw(2, [(279, 200), (307, 204)], [(12, 209), (62, 209)], [(66, 211), (118, 211)])
began = time.process_time()
final = found.update(seeds)
seconds["update"] = time.process_time() - began

# %% [markdown]
# Where OpenCV is installed, its GrabCut is shown as well, with all strokes and one round.

# %%
masks = {
    "colour alone": found.probabilities > 0.5,
    "gx.segment": found.mask,
    "three strokes more: update": final.mask,
}
if find_spec("cv2"):
    import cv2

    trimap = np.select([seeds == 1, seeds == 2], [cv2.GC_FGD, cv2.GC_BGD], cv2.GC_PR_BGD)
    trimap = trimap.astype(np.uint8)
    began = time.process_time()
    cv2.grabCut(photograph[..., ::-1].copy(), trimap, None, None, None, 1, cv2.GC_INIT_WITH_MASK)
    seconds["OpenCV's GrabCut"] = time.process_time() - began
    masks["OpenCV's GrabCut"] = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD))

# %%
figure, axes = plt.subplots(2, 2, figsize=(7.4, 4.2), layout="constrained")
axes[0, 0].imshow(photograph)
axes[0, 0].set_title("strokes: aeroplane, background")
for axis, (title, mask) in zip(axes.flat[1:], masks.items(), strict=False):
    axis.imshow(np.where(mask[..., None], photograph, photograph // 5 + 204))
    axis.set_title(title)
for axis, marks in ((axes[0, 0], first), (axes[1, 1], np.where(first, 0, seeds))):
    colours = np.array([(0, 0, 0, 0), (40, 230, 60, 255), (230, 40, 200, 255)], dtype=np.uint8)
    axis.imshow(colours[marks])
for axis in axes.flat:
    axis.set_axis_off()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "scribbles.png", dpi=110)

for title, mask in masks.items():
    parts = skimage.measure.label(mask).max()
    print(f"{title}: {100 * mask.mean():.1f} % of the pixels, in {parts} parts")
print("milliseconds of processor time:")
for title, each in seconds.items():
    print(f"  {title}: {1000 * each:.0f}")
