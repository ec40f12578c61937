"""The small classifier of 28×28 grey images whose activations the digit sets are scored by."""

from typing import NamedTuple

from torch import Tensor, nn

IMAGE_SIZE = 28
FEATURES = 128


class Activations(NamedTuple):
    """What the classifier makes of images."""

    maps: tuple[Tensor, ...]
    """After each block: [N, 24, 28, 28], [N, 48, 14, 14] and [N, 128, 7, 7]."""
    features: Tensor
    """[N, 128], the last maps averaged over their area."""
    logits: Tensor
    """[N, classes]"""


class ConvNet(nn.Module):
    """Five convolutions in three blocks, an average over the area, and one linear layer."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                _convolution(1, 24),
                nn.Sequential(nn.MaxPool2d(2), _convolution(24, 48), _convolution(48, 48)),
                nn.Sequential(nn.MaxPool2d(2), _convolution(48, 96), _convolution(96, FEATURES)),
            ]
        )
        self.to_logits = nn.Linear(FEATURES, classes)

    def forward(self, images: Tensor) -> Activations:
        """Classify images [N, 1, 28, 28] in [-1, 1]."""
        maps = []
        for block in self.blocks:
            images = block(images)
            maps.append(images)
        features = images.mean((2, 3))
        return Activations(tuple(maps), features, self.to_logits(features))


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
