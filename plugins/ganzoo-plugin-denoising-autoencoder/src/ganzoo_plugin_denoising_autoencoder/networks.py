"""Encoders that spoil what they learn from, and the stack of them with its decoders.

Layers see pixels from 0 to 1, as the papers have them, and images outside are in [-1, 1].
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from ganzoo_plugin_autoencoder.networks import AutoencoderEncoder
from torch import Tensor, nn

from ganzoo_core.components import Code, Encoder, Generator, Noise
from ganzoo_plugin_denoising_autoencoder.config import (
    DenoisingConvolutionalConfig,
    DenoisingMLPConfig,
    StackConfig,
    StackedEncoderConfig,
)
from ganzoo_plugin_denoising_autoencoder.corruption import corrupted


class DenoisingEncoder(AutoencoderEncoder):
    """The autoencoder's encoder, which learns from spoilt images."""

    denoises = True

    def __init__(self, config: DenoisingMLPConfig | DenoisingConvolutionalConfig) -> None:
        super().__init__(config)
        self.config = config

    def corrupt(self, images: Tensor, noise: Noise) -> Tensor:
        """Spoil images [N, C, H, W] in [-1, 1]; Gaussian noise may lead out of the range."""
        return corrupted((images + 1) / 2, self.config, noise) * 2 - 1


class StackedEncoder(Encoder):
    """Logistic layers, each of which denoises what the one below says, and a linear classifier."""

    denoises = True

    def __init__(self, config: StackedEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.width,)
        self.classes = config.classes
        self.layers = nn.ModuleList(
            nn.Sequential(_logistic(inputs, outputs), nn.Sigmoid())
            for inputs, outputs in pairwise(_units(config))
        )
        # Zero, as no class is likelier than another before the fine-tuning.
        self.head = nn.Linear(config.width, config.classes) if config.classes else None
        if self.head is not None:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def corrupt(self, images: Tensor, noise: Noise) -> Tensor:
        """Spoil images [N, C, H, W] in [-1, 1]; Gaussian noise may lead out of the range."""
        return corrupted((images + 1) / 2, self.config, noise) * 2 - 1

    def seen_by(self, number: int, images: Tensor) -> Tensor:
        """Return what layer `number`, from 0, sees of clean images: [N, units], in [0, 1]."""
        seen = ((images + 1) / 2).flatten(1)
        for layer in self.layers[:number]:
            seen = layer(seen)
        return seen

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1]: [N, width], and logits [N, classes]."""
        code = self.seen_by(len(self.layers), images)
        return Code(code, logits=None if self.head is None else self.head(code))


class StackedDecoder(Generator):
    """A decoder for each layer of a stack, which gives logits of what that layer saw."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.width,)
        self.layers = nn.ModuleList(
            _logistic(outputs, inputs) for inputs, outputs in pairwise(_units(config))
        )

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw what logistic units may say, from U[0, 1): [count, width]."""
        return noise.uniform(count, *self.latent_shape)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of the uppermost codes [N, width]."""
        *above, last = reversed(self.layers)
        for layer in above:
            latents = torch.sigmoid(layer(latents))
        # 2 σ(a) − 1, the logistic unit on the zoo's scale.
        return torch.tanh(last(latents) / 2).view(-1, *self.image_shape)


def _units(config: StackConfig) -> Sequence[int]:
    return (config.channels * config.image_size**2, *[config.width] * config.layers)


def _logistic(inputs: int, outputs: int) -> nn.Linear:
    """Return a layer for logistic units, which begins as Glorot and Bengio 2010 have it."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight, 4.0)
    nn.init.zeros_(layer.bias)
    return layer
