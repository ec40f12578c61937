"""The networks of table 2, with which the images grow from 4×4 pixels."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzoo_core.components import Discriminator, DiscriminatorOutput, Generator
from ganzoo_core.nn import EqualizedConv2d, EqualizedLinear, MinibatchStddev, PixelNorm
from ganzoo_plugin_progan.config import ProGANDiscriminatorConfig, ProGANGeneratorConfig
from ganzoo_plugin_progan.growing import Growing, enlarged, shrunk

SLOPE = 0.2
"""Of the leaky rectifiers, where they are negative."""


class ProGANGenerator(Generator, Growing):
    """Latents to images, each block of layers at twice the size of the one before.

    While it trains, its images have the size that it has grown to and any values; in eval mode they
    are enlarged to the full size and clamped.
    """

    linear = True

    def __init__(self, config: ProGANGeneratorConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.classes = config.classes
        maps = config.maps_at()
        self.normalize = PixelNorm()
        self.blocks = nn.ModuleList([_First(config.latent_size + config.classes, maps[0])])
        self.blocks.extend(_Enlarging(inputs, outputs) for inputs, outputs in pairwise(maps))
        self.to_image = nn.ModuleList(
            EqualizedConv2d(each, config.channels, 1, gain=1) for each in maps
        )
        self.start_grown()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images of latents [N, latent_size]: [N, C, size, size], as the class says."""
        if labels is not None:
            one_hot = functional.one_hot(labels, self.classes).to(latents)
            latents = torch.cat([latents, one_hot], 1)
        doublings, fraction = self.level()
        top = len(self.blocks) - 1 - doublings
        below = activations = self.normalize(latents)
        for block in self.blocks[: top + 1]:
            below, activations = activations, block(activations)
        images: Tensor = self.to_image[top](activations)
        if fraction:
            images = torch.lerp(images, enlarged(self.to_image[top - 1](below)), fraction)
        return images if self.training else enlarged(images, doublings).clamp(-1, 1)


class ProGANDiscriminator(Discriminator, Growing):
    """Images to one score, each block of layers at half the size of the one before.

    It takes images of the size that it has grown to, and shrinks those of the full size to it.
    """

    def __init__(self, config: ProGANDiscriminatorConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.classes = config.classes
        maps = config.maps_at()
        self.from_image = nn.ModuleList(EqualizedConv2d(config.channels, each, 1) for each in maps)
        self.blocks = nn.ModuleList([_Last(maps[0], config.group)])
        self.blocks.extend(self.shrinking(inputs, outputs) for outputs, inputs in pairwise(maps))
        self.to_logits = EqualizedLinear(maps[0], 1 + config.classes, gain=1)
        self.start_grown()

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W]: scores [N] and, with classes, heads["class"] [N, classes]."""
        features = self.features(images)
        answers = self.to_logits(features)
        heads = {"class": answers[:, 1:]} if self.classes else {}
        return DiscriminatorOutput(answers[:, 0], features, heads)

    def shrinking(self, inputs: int, outputs: int) -> nn.Module:
        """Return a block from feature maps of one size to those of half of it."""
        return _Shrinking(inputs, outputs)

    def features(self, images: Tensor) -> Tensor:
        """Return what is below the scores of images [N, C, H, W]: [N, maps]."""
        doublings, fraction = self.level()
        if doublings and images.shape[-1] == self.image_shape[-1]:
            images = shrunk(images, doublings)
        top = len(self.blocks) - 1 - doublings
        activations: Tensor = self.blocks[top](_rectified(self.from_image[top](images)))
        if fraction:
            below = _rectified(self.from_image[top - 1](shrunk(images)))
            activations = torch.lerp(activations, below, fraction)
        for level in range(top - 1, -1, -1):
            activations = self.blocks[level](activations)
        return activations


class _First(nn.Module):
    """A latent to feature maps at 4×4 pixels."""

    def __init__(self, inputs: int, maps: int) -> None:
        super().__init__()
        self.maps = maps
        # A quarter of He's gain, as the authors' code has it.
        self.spread = EqualizedLinear(inputs, maps * 16, gain=2**0.5 / 4)
        self.convolve = EqualizedConv2d(maps, maps, 3)
        self.normalize = PixelNorm()

    def forward(self, latents: Tensor) -> Tensor:
        spread = self.spread(latents).view(-1, self.maps, 4, 4)
        activations = self.normalize(_rectified(spread))
        return self.normalize(_rectified(self.convolve(activations)))  # type: ignore[no-any-return]


class _Enlarging(nn.Module):
    """Twice the size, then two convolutions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualizedConv2d(inputs, outputs, 3)
        self.second = EqualizedConv2d(outputs, outputs, 3)
        self.normalize = PixelNorm()

    def forward(self, activations: Tensor) -> Tensor:
        activations = self.normalize(_rectified(self.first(enlarged(activations))))
        return self.normalize(_rectified(self.second(activations)))  # type: ignore[no-any-return]


class _Shrinking(nn.Module):
    """Two convolutions, then half the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualizedConv2d(inputs, inputs, 3)
        self.second = EqualizedConv2d(inputs, outputs, 3)

    def forward(self, activations: Tensor) -> Tensor:
        activations = _rectified(self.first(activations))
        return shrunk(_rectified(self.second(activations)))


class _Last(nn.Module):
    """Feature maps at 4×4 pixels to features of the whole image."""

    def __init__(self, maps: int, group: int) -> None:
        super().__init__()
        self.compare = MinibatchStddev(group)
        self.convolve = EqualizedConv2d(maps + 1, maps, 3)
        self.gather = EqualizedLinear(maps * 16, maps)

    def forward(self, activations: Tensor) -> Tensor:
        activations = _rectified(self.convolve(self.compare(activations)))
        return _rectified(self.gather(activations.flatten(1)))


def _rectified(activations: Tensor) -> Tensor:
    return functional.leaky_relu(activations, SLOPE, inplace=True)
