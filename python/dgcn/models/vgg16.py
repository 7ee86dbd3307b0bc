"""VGG16 at stride 8 (Simonyan and Zisserman 2015, arXiv:1409.1556)."""

from __future__ import annotations

from torch import Tensor, nn

from dgcn.models.backbone import Backbone, HeadKind, checked_images, initialise

_WIDTHS = (64, 128, 256, 512, 512)
_DEPTHS = (2, 2, 3, 3, 3)


class VGG16(Backbone):
    """The convolutions of VGG16, whose last two poolings keep the resolution.

    Parameters have torchvision's names (``features.0.weight`` ... ``features.28.bias``); the fully
    connected layers ``classifier.*`` of published files are left out, the heads stand in their
    place. As in DeepLab (Chen et al. 2015) the poolings are 3x3, padded by 1, of stride 2 (the
    first three) or 1, and the convolutions after the fourth are dilated by 2.

    =====  ======================  ========  ======
    stage  after                   channels  stride
    =====  ======================  ========  ======
    0      features.3, conv1_2     64        1
    1      features.8, conv2_2     128       2
    2      features.15, conv3_3    256       4
    3      features.22, conv4_3    512       8
    4      features.30, pool5      512       8
    =====  ======================  ========  ======

    14,714,688 parameters. Without weights the convolutions are initialised by He's method.
    """

    channels = _WIDTHS
    strides = (1, 2, 4, 8, 8)
    taps = (2, 3, 4)
    normalised = False
    head: HeadKind = "aspp"
    hidden_head = True
    left_out = ("classifier.",)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        ends, before = [], 3
        for block, (width, depth) in enumerate(zip(_WIDTHS, _DEPTHS, strict=True)):
            dilation = 2 if block == 4 else 1
            for _ in range(depth):
                layers += [
                    nn.Conv2d(before, width, 3, padding=dilation, dilation=dilation),
                    nn.ReLU(),
                ]
                before = width
            ends.append(len(layers) - 1)
            layers.append(nn.MaxPool2d(3, 2 if block < 3 else 1, padding=1))
        self._ends = frozenset((*ends[:4], len(layers) - 1))
        self.features = nn.Sequential(*layers)
        initialise(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the five stages; see `Backbone.forward`."""
        x = checked_images(x)
        stages = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._ends:
                stages.append(x)
        return stages
