"""Layers of translators and their discriminators."""

from torch import Tensor, nn
from torch.nn.functional import instance_norm, interpolate, pad

from ganzoo_core.components import NoisyModule
from ganzoo_plugin_pix2pix.config import Normalization


class LastingDropout(NoisyModule):
    """Dropout that goes on when the network translates (section 3.4).

    It draws from the noise that `drawing_from` gives its network, so that a translation follows
    from its seed.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, activations: Tensor) -> Tensor:
        """Return activations of the same shape, [N, …], in train and eval mode alike."""
        if self.probability == 0:
            return activations
        kept = self.drawn_from().uniform(*activations.shape) >= self.probability
        return activations * kept / (1 - self.probability)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"probability={self.probability}"


class ImageBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that takes each image's own statistics when it rests.

    The paper normalises a translated batch by its own statistics; with its batches of one image
    that is this, which has an image's translation follow from the image alone.
    """

    def forward(self, activations: Tensor) -> Tensor:
        """Normalise [N, C, H, W]: over the batch in train mode, over each image in eval mode."""
        if self.training:
            return super().forward(activations)
        return instance_norm(activations, weight=self.weight, bias=self.bias, eps=self.eps)


class NearestConv2d(nn.Conv2d):
    """A convolution at twice the resolution: of each pixel repeated, with zeros beyond the borders.

    Sides of [N, C, H, W] become [N, outputs, 2 H, 2 W] for kernels of any size.
    """

    def forward(self, activations: Tensor) -> Tensor:
        """Double the sides of [N, C, H, W]."""
        (side, _), repeated = self.kernel_size, interpolate(activations, scale_factor=2.0)
        before, after = side // 2, (side - 1) // 2
        return super().forward(pad(repeated, (before, after, before, after)))


def normalization_of(
    kind: Normalization, maps: int, *, as_trained: bool = False
) -> nn.Module | None:
    """Return the layer that normalises `maps` feature maps; None where there is none."""
    if kind == "none":
        return None
    if kind == "instance":
        return nn.InstanceNorm2d(maps)
    return ImageBatchNorm2d(maps) if as_trained else nn.BatchNorm2d(maps)
