"""The networks of appendix A, table 2, at 16, 32 and 64 pixels."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ganzoo_core.components import Discriminator, DiscriminatorOutput, Generator
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.nn import Dropout, GaussianNoise, init_normal
from ganzoo_plugin_acgan.config import ACGANDiscriminatorConfig, ACGANGeneratorConfig

SMALLEST = 4
"""Side of the generator's first feature maps and of the discriminator's last."""


class ACGANGenerator(Generator):
    """G(c, z): a class and noise to images; the class joins the noise as a one-hot vector."""

    def __init__(self, config: ACGANGeneratorConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.classes = config.classes
        doublings = _doublings(config.image_size)
        maps = [config.width * 2**level for level in range(doublings)][::-1]
        self.first = nn.Linear(config.latent_size + config.classes, maps[0] * SMALLEST**2)
        self.layers = nn.Sequential(nn.ReLU())
        for inputs, outputs in pairwise(maps):
            self.layers.append(_doubling(inputs, outputs))
            self.layers.append(nn.BatchNorm2d(outputs))
            self.layers.append(nn.ReLU())
        self.layers.append(_doubling(maps[-1], config.channels))
        self.layers.append(nn.Tanh())
        init_normal(self)  # appendix A

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of latents [N, latent_size] and labels [N]."""
        if labels is None:
            raise UnsupportedError("an ACGAN's generator needs the classes to draw: labels [N]")
        classes = nn.functional.one_hot(labels, self.classes).to(latents.dtype)
        first = self.first(torch.cat([latents, classes], 1))
        images: Tensor = self.layers(first.unflatten(1, (-1, SMALLEST, SMALLEST)))
        return images


class ACGANDiscriminator(Discriminator):
    """P(S|X) and P(C|X): images to a logit of being real, and to logits of the classes.

    It learns classes and so has `classes`, but it is not told them: it does not look at labels.
    """

    def __init__(self, config: ACGANDiscriminatorConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.classes = config.classes
        layers = 2 * _doublings(config.image_size)
        maps = [config.channels, *(config.width * 2**level for level in range(layers))]
        self.features = nn.Sequential()
        for number, (inputs, outputs) in enumerate(pairwise(maps)):
            # The first of each pair halves the resolution; all but the very first are normalised.
            stride = 1 if number % 2 else 2
            self.features.append(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not number))
            if number:
                self.features.append(nn.BatchNorm2d(outputs))
            self.features.append(nn.LeakyReLU(config.slope))
            if config.activation_noise:
                self.features.append(GaussianNoise(config.activation_noise))
            self.features.append(Dropout(config.dropout))
        self.to_logits = nn.Linear(maps[-1] * SMALLEST**2, 1 + config.classes)
        init_normal(self)  # appendix A

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W] in [-1, 1]: logits [N], and heads["class"] [N, classes]."""
        features = self.features(images).flatten(1)
        logits = self.to_logits(features)
        return DiscriminatorOutput(logits[:, 0], features, heads={"class": logits[:, 1:]})


def _doublings(image_size: int) -> int:
    """Return how often 4 pixels double to the image's side."""
    return (image_size // SMALLEST).bit_length() - 1


def _doubling(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, output_padding=1)
