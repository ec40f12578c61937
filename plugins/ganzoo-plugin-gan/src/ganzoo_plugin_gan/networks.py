"""The multilayer perceptrons of section 5."""

import math

import torch
from torch import Tensor, nn

from ganzoo_core.components import Discriminator, DiscriminatorOutput, Generator, Noise
from ganzoo_core.nn import Dropout
from ganzoo_plugin_gan.config import MaxoutDiscriminatorConfig, MLPGeneratorConfig


class MLPGenerator(Generator):
    """G(z): latents to images through two rectified layers and a sigmoid."""

    def __init__(self, config: MLPGeneratorConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.layers = nn.Sequential(
            nn.Linear(config.latent_size, config.width),
            nn.ReLU(),
            nn.Linear(config.width, config.width),
            nn.ReLU(),
            nn.Linear(config.width, math.prod(self.image_shape)),
        )
        _init_uniform(self, config.init_range)

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw from the uniform prior of unit variance: [count, latent_size]."""
        return (noise.uniform(count, *self.latent_shape) * 2 - 1) * math.sqrt(3)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of latents [N, latent_size]."""
        # tanh(x/2) is the paper's sigmoid moved from [0, 1] to [-1, 1].
        return torch.tanh(self.layers(latents) / 2).view(-1, *self.image_shape)


class MaxoutDiscriminator(Discriminator):
    """D(x): two layers of maxout units (Goodfellow et al. 2013) under dropout, to one logit."""

    def __init__(self, config: MaxoutDiscriminatorConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.features = nn.Sequential(
            Dropout(config.input_dropout),
            Maxout(math.prod(self.image_shape), config.width, config.pieces),
            Dropout(config.hidden_dropout),
            Maxout(config.width, config.width, config.pieces),
            Dropout(config.hidden_dropout),
        )
        self.to_logit = nn.Linear(config.width, 1)
        _init_uniform(self, config.init_range)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W] in [-1, 1]: logits [N]."""
        # The paper's pixels are in [0, 1], which matters under dropout and maxout.
        features = self.features((images.flatten(1) + 1) / 2)
        return DiscriminatorOutput(self.to_logit(features).squeeze(1), features)


class Maxout(nn.Module):
    """Units that output the largest of several linear pieces."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(inputs, units * pieces)

    def forward(self, activations: Tensor) -> Tensor:
        """Map [N, inputs] to [N, units]."""
        pieces: Tensor = self.linear(activations)
        return pieces.view(len(activations), -1, self.pieces).amax(2)


def _init_uniform(network: nn.Module, bound: float) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)
