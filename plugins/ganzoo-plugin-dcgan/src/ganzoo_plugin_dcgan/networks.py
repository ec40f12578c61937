"""The networks of section 3: strided convolutions throughout, batch normalisation, no pooling.

Every layer but the last and the first doubles or halves the resolution; the number of feature maps
goes the other way, so that a 64-pixel generator of width 128 has the 1024, 512, 256 and 128 maps of
figure 1.
"""

import math
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from ganzoo_core.components import Discriminator, DiscriminatorOutput, Generator, Noise
from ganzoo_core.nn import GaussianNoise
from ganzoo_plugin_dcgan.config import DCGANDiscriminatorConfig, DCGANGeneratorConfig


class DCGANGenerator(Generator):
    """Latents to images by fractionally strided convolutions, from 4×4 upwards."""

    def __init__(self, config: DCGANGeneratorConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.prior = config.prior
        maps = _maps(config.width, config.image_size)[::-1]
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(config.latent_size, maps[0], 4, bias=False),
            nn.BatchNorm2d(maps[0]),
            nn.ReLU(inplace=True),
            *_noise(config.layer_noise),
        )
        for inputs, outputs in pairwise(maps):
            self.layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False))
            self.layers.append(nn.BatchNorm2d(outputs))
            self.layers.append(nn.ReLU(inplace=True))
            self.layers.extend(_noise(config.layer_noise))
        self.layers.append(nn.ConvTranspose2d(maps[-1], config.channels, 4, 2, 1, bias=False))
        self.layers.append(nn.Tanh())
        _init_normal(self)

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw from the prior: [count, latent_size]."""
        if self.prior == "uniform":
            return noise.uniform(count, *self.latent_shape) * 2 - 1
        latents = noise.normal(count, *self.latent_shape)
        if self.prior == "normal":
            return latents
        return functional.normalize(latents, dim=1) * math.sqrt(latents.shape[1])

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of latents [N, latent_size]."""
        images: Tensor = self.layers(latents[:, :, None, None])
        return images


class DCGANDiscriminator(Discriminator):
    """Images to one logit by strided convolutions, down to 4×4."""

    def __init__(self, config: DCGANDiscriminatorConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        maps = _maps(config.width, config.image_size)
        # Without biases the layers only scale with their input, and layer normalisation takes the
        # scale away: such a critic could not tell an image from one of half the contrast.
        bias = config.normalization != "batch"
        self.features = nn.Sequential(
            nn.Conv2d(config.channels, maps[0], 4, 2, 1, bias=bias),
            nn.LeakyReLU(config.slope, inplace=True),
        )
        for inputs, outputs in pairwise(maps):
            self.features.append(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=bias))
            if config.normalization == "batch":
                self.features.append(nn.BatchNorm2d(outputs))
            elif config.normalization == "layer":
                self.features.append(nn.GroupNorm(1, outputs))
            self.features.append(nn.LeakyReLU(config.slope, inplace=True))
        self.to_logit = nn.Conv2d(maps[-1], 1, 4, bias=False)
        _init_normal(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W] in [-1, 1]: logits [N]."""
        features = self.features(images)
        return DiscriminatorOutput(self.to_logit(features).flatten(), features)


def _noise(deviation: float) -> list[nn.Module]:
    return [GaussianNoise(deviation)] if deviation else []


def _maps(width: int, image_size: int) -> list[int]:
    """Return the numbers of feature maps from the image side to the 4×4 side."""
    doublings = image_size.bit_length() - 3
    return [width * 2**level for level in range(doublings)]


def _init_normal(network: nn.Module) -> None:
    """Draw weights from N(0, 0.02) (section 4), and batch normalisation's gains from N(1, 0.02)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, 0.02)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, 0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.02)
            nn.init.zeros_(layer.bias)
