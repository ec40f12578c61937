"""The networks of section 4.1, and a convolutional pair in the manner of DCGAN."""

import math

import torch
from ganzoo_plugin_dcgan.config import DCGANDiscriminatorConfig, DCGANGeneratorConfig
from ganzoo_plugin_dcgan.networks import DCGANDiscriminator, DCGANGenerator
from ganzoo_plugin_gan.networks import Maxout
from torch import Tensor, nn

from ganzoo_core.components import Discriminator, DiscriminatorOutput, Generator, Noise
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.nn import Dropout
from ganzoo_plugin_cgan.config import (
    ConditionalDCGANDiscriminatorConfig,
    ConditionalDCGANGeneratorConfig,
    ConditionalMaxoutConfig,
    ConditionalMLPConfig,
)


class ConditionalMLPGenerator(Generator):
    """G(z|y): latents and classes to images through rectified layers and a sigmoid."""

    def __init__(self, config: ConditionalMLPConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.classes = config.classes
        self.of_latent = nn.Sequential(
            nn.Linear(config.latent_size, config.latent_width), nn.ReLU(), Dropout(config.dropout)
        )
        self.of_class = nn.Sequential(
            nn.Linear(config.classes, config.class_width), nn.ReLU(), Dropout(config.dropout)
        )
        self.of_both = nn.Sequential(
            nn.Linear(config.latent_width + config.class_width, config.width),
            nn.ReLU(),
            Dropout(config.dropout),
            nn.Linear(config.width, math.prod(self.image_shape)),
        )
        _init_uniform(self, config.init_range)

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw uniformly from the unit hypercube: [count, latent_size]."""
        return noise.uniform(count, *self.latent_shape)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of latents [N, latent_size] and labels [N]."""
        classes = one_hot(labels, self.classes, latents)
        hidden = torch.cat([self.of_latent(latents), self.of_class(classes)], 1)
        # tanh(x/2) is the paper's sigmoid moved from [0, 1] to [-1, 1].
        return torch.tanh(self.of_both(hidden) / 2).view(-1, *self.image_shape)


class ConditionalMaxoutDiscriminator(Discriminator):
    """D(x|y): images and classes through maxout units (Goodfellow et al. 2013) to one logit."""

    def __init__(self, config: ConditionalMaxoutConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.classes = config.classes
        self.of_image = nn.Sequential(
            Maxout(math.prod(self.image_shape), config.image_width, config.image_pieces),
            Dropout(config.dropout),
        )
        self.of_class = nn.Sequential(
            Maxout(config.classes, config.class_width, config.class_pieces),
            Dropout(config.dropout),
        )
        self.of_both = nn.Sequential(
            Maxout(config.image_width + config.class_width, config.width, config.pieces),
            Dropout(config.dropout),
        )
        self.to_logit = nn.Linear(config.width, 1)
        _init_uniform(self, config.init_range)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W] in [-1, 1] as ones of the classes [N]: logits [N]."""
        # The paper's pixels are in [0, 1], which matters under dropout and maxout.
        pixels = (images.flatten(1) + 1) / 2
        classes = one_hot(labels, self.classes, images)
        hidden = torch.cat([self.of_image(pixels), self.of_class(classes)], 1)
        features = self.of_both(hidden)
        return DiscriminatorOutput(self.to_logit(features).squeeze(1), features)


class ConditionalDCGANGenerator(Generator):
    """A DCGAN whose latent is joined by an embedding of the class."""

    def __init__(self, config: ConditionalDCGANGeneratorConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.classes = config.classes
        self.embedding = nn.Embedding(config.classes, config.embedding_size)
        self.dcgan = DCGANGenerator(
            DCGANGeneratorConfig(
                image_size=config.image_size,
                channels=config.channels,
                latent_size=config.latent_size + config.embedding_size,
                width=config.width,
            )
        )
        self.image_shape = self.dcgan.image_shape

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of latents [N, latent_size] and labels [N]."""
        embedded = self.embedding(needed(labels))
        images: Tensor = self.dcgan(torch.cat([latents, embedded], 1))
        return images


class ConditionalDCGANDiscriminator(Discriminator):
    """A DCGAN discriminator that sees an embedding of the class as further channels."""

    def __init__(self, config: ConditionalDCGANDiscriminatorConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.classes = config.classes
        self.embedding = nn.Embedding(config.classes, config.embedding_size)
        self.dcgan = DCGANDiscriminator(
            DCGANDiscriminatorConfig(
                image_size=config.image_size,
                channels=config.channels + config.embedding_size,
                width=config.width,
            )
        )

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W] in [-1, 1] as ones of the classes [N]: logits [N]."""
        embedded = self.embedding(needed(labels)).to(images.dtype)
        planes = embedded[:, :, None, None].expand(-1, -1, *images.shape[2:])
        output: DiscriminatorOutput = self.dcgan(torch.cat([images, planes], 1))
        return output


def one_hot(labels: Tensor | None, classes: int, like: Tensor) -> Tensor:
    """Return labels [N] as vectors [N, classes] of the type of `like`."""
    return nn.functional.one_hot(needed(labels), classes).to(like.dtype)


def needed(labels: Tensor | None) -> Tensor:
    """Return the labels.

    Raises:
        UnsupportedError: there are none.
    """
    if labels is None:
        raise UnsupportedError("a conditional network needs the classes of its images: labels [N]")
    return labels


def _init_uniform(network: nn.Module, bound: float) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)
