"""Write what the examples read of a network: `python network_outputs.py --weights FILE`.

FILE holds the ImageNet weights of EfficientNet-Lite0 under their published PyTorch names, as a
.safetensors file. For every photograph: log odds of its class against all others, cell by cell of a
grid of 41 x 41, and features of the last two stages on one of 28 x 28: 24 principal components.
"""

import argparse
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from dgcn.models import build_backbone

FOLDER = Path(__file__).parent / "data"
PHOTOGRAPHS = {  # file, and ImageNet's classes that are seen in it
    "bear": (FOLDER / "bear.jpg", (294, 295, 296, 297)),
    "aeroplane": (files("graphcut_ext") / "_demo" / "photograph.jpg", (404, 895, 908)),
}
MEAN, STD = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--weights", type=Path, required=True)
weights = parser.parse_args().weights
network = build_backbone("efficientnet_lite0", weights).eval()
last = load_file(weights)


@torch.no_grad()
def stages(photograph: Image.Image, side: int) -> list[torch.Tensor]:
    """Features of every stage, (C, h, w)."""
    pixels = np.asarray(photograph.resize((side, side), Image.Resampling.BILINEAR)) / np.float32(
        255
    )
    x = (torch.from_numpy(pixels).permute(2, 0, 1) - MEAN) / STD
    return [stage[0] for stage in network(x[None])]


def directions(stage: torch.Tensor) -> torch.Tensor:
    """Features of the cells (h w, C) less their mean, divided by their length."""
    cells = stage.flatten(1).T
    return torch.nn.functional.normalize(cells - cells.mean(0), dim=1)


for name, (path, classes) in PHOTOGRAPHS.items():
    photograph = Image.open(str(path)).convert("RGB")
    scores = torch.einsum("chw,kc->khw", stages(photograph, 321)[4], last["_fc.weight"].float())
    scores += last["_fc.bias"].float()[:, None, None]
    others = [k for k in range(len(scores)) if k not in classes]
    odds = scores[list(classes)].logsumexp(0) - scores[others].logsumexp(0)
    late = stages(photograph, 217)[3:]
    both = torch.cat([directions(late[0]), 0.25 * directions(late[1])], 1)
    u, s, _ = torch.linalg.svd(both - both.mean(0), full_matrices=False)
    features = (u[:, :24] * s[:24]).view(28, 28, 24)
    scale = features.abs().max() / 127
    np.savez_compressed(
        FOLDER / f"{name}.npz",
        log_odds=odds.numpy().astype(np.float16),
        features=(features / scale).round().to(torch.int8).numpy(),
        scale=np.float32(scale),
    )
