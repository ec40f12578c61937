"""The networks: from 4×4 feature maps up to an image, and from an image down to 4×4."""

from itertools import pairwise

from ganzoo_core.components import Discriminator, DiscriminatorOutput, Generator
from torch import Tensor, nn

from ganzoo_plugin_my_gan.config import (
    DiscriminatorConfig,
    GeneratorConfig,
)


class MyGanGenerator(Generator):
    """Latents to images by transposed convolutions; latents are standard normal."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        maps = _feature_maps(config.width, config.image_size)[::-1]
        self.layers = nn.Sequential(
            nn.Linear(config.latent_size, maps[0] * 4 * 4),
            nn.Unflatten(1, (maps[0], 4, 4)),
            nn.BatchNorm2d(maps[0]),
            nn.ReLU(),
        )
        for inputs, outputs in pairwise(maps):
            self.layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1))
            self.layers.append(nn.BatchNorm2d(outputs))
            self.layers.append(nn.ReLU())
        self.layers.append(nn.ConvTranspose2d(maps[-1], config.channels, 4, 2, 1))
        self.layers.append(nn.Tanh())

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of latents [N, latent_size]."""
        images: Tensor = self.layers(latents)
        return images


class MyGanDiscriminator(Discriminator):
    """Images to one logit by strided convolutions."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        maps = _feature_maps(config.width, config.image_size)
        self.features = nn.Sequential()
        for inputs, outputs in pairwise([config.channels, *maps]):
            self.features.append(nn.Conv2d(inputs, outputs, 4, 2, 1))
            self.features.append(nn.LeakyReLU(0.2))
        self.to_logit = nn.Linear(maps[-1] * 4 * 4, 1)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W] in [-1, 1]: logits [N], above 0 where they seem real."""
        features: Tensor = self.features(images)
        return DiscriminatorOutput(self.to_logit(features.flatten(1)).squeeze(1), features)


def _feature_maps(width: int, image_size: int) -> list[int]:
    """Return the numbers of feature maps from the image's side to the 4×4 side."""
    doublings = image_size.bit_length() - 3
    return [width * 2**level for level in range(doublings)]
