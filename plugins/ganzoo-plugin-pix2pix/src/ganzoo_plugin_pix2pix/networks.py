"""The networks of section 3.2 and of the appendix (section 6.1).

Convolutions that a normalisation follows have no bias: it would take it out again.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad, relu

from ganzoo_core.components import Discriminator, DiscriminatorOutput, Translator
from ganzoo_core.nn import Dropout, init_normal
from ganzoo_plugin_pix2pix.config import PatchGANConfig, UNetConfig, halvings
from ganzoo_plugin_pix2pix.layers import (
    LastingDropout,
    NearestConv2d,
    normalization_of,
)

DROPPED = 3
"""Layers of the decoder that have dropout: the CD512 of section 6.1.1."""


class UNet(Translator):
    """An encoder down to one pixel and a decoder that mirrors it, level beside level."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.multiple = config.image_size
        self.slope, self.skip_slope = config.slope, config.skip_slope
        maps = _maps(config.width, config.image_size.bit_length() - 1)
        self.downs = nn.ModuleList([_Down(config, config.channels, maps[0], normalized=False)])
        for level, (inputs, outputs) in enumerate(pairwise(maps), 2):
            # The last level is a single pixel, which has no statistics of its own.
            self.downs.append(_Down(config, inputs, outputs, normalized=level < len(maps)))
        self.ups = nn.ModuleList()
        inputs = maps[-1]
        for number, outputs in enumerate(maps[-2::-1]):
            self.ups.append(_Up(config, inputs, outputs, drops=number < DROPPED))
            inputs = 2 * outputs
        self.to_image: nn.Module
        if config.last_upsampling == "nearest":
            self.to_image = NearestConv2d(inputs, config.channels, 4)
        else:
            self.to_image = nn.ConvTranspose2d(inputs, config.channels, 4, 2, 1)
        init_normal(self, gains=True)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Translate images [N, C, H, W] in [-1, 1], their sides multiples of `multiple`."""
        levels = [self.downs[0](latents)]
        for down in self.downs[1:]:
            levels.append(down(leaky_relu(levels[-1], self.slope)))
        activations = leaky_relu(levels.pop(), self.skip_slope)
        for up in self.ups:
            skipping = leaky_relu(levels.pop(), self.skip_slope)
            activations = torch.cat([skipping, relu(up(activations))], 1)
        return torch.tanh(self.to_image(activations))


class _Down(nn.Module):
    """Ck of the encoder, without its rectifier: the decoder has another one for it."""

    def __init__(self, config: UNetConfig, inputs: int, outputs: int, *, normalized: bool) -> None:
        super().__init__()
        kind = config.normalization if normalized else "none"
        self.normalization = normalization_of(kind, outputs, as_trained=config.as_trained)
        self.convolution = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=self.normalization is None)

    def forward(self, activations: Tensor) -> Tensor:
        activations = self.convolution(activations)
        return activations if self.normalization is None else self.normalization(activations)


class _Up(nn.Module):
    """Ck or CDk of the decoder, without its rectifier."""

    def __init__(self, config: UNetConfig, inputs: int, outputs: int, *, drops: bool) -> None:
        super().__init__()
        self.normalization = normalization_of(
            config.normalization, outputs, as_trained=config.as_trained
        )
        self.convolution = nn.ConvTranspose2d(
            inputs, outputs, 4, 2, 1, bias=self.normalization is None
        )
        self.dropout: nn.Module | None = None
        if drops:
            kind = LastingDropout if config.as_trained else Dropout
            self.dropout = kind(config.dropout)

    def forward(self, activations: Tensor) -> Tensor:
        activations = self.convolution(activations)
        if self.normalization is not None:
            activations = self.normalization(activations)
        return activations if self.dropout is None else self.dropout(activations)


class PatchGAN(Discriminator):
    """Judges every patch of an image by itself (section 3.2.2).

    Its answer is a map of logits, one for each patch; a field of 1 makes it a PixelGAN.
    """

    def __init__(self, config: PatchGANConfig) -> None:
        super().__init__()
        channels = config.channels * (2 if config.pairs else 1)
        self.image_shape = (channels, config.image_size, config.image_size)
        self.slope = config.slope
        halved = halvings(config.receptive_field)
        strides_only = config.receptive_field == 94
        maps = _maps(config.width, halved + (not strides_only) if halved else 2)
        layers = [_Judge(config, channels, maps[0], stride=2, normalized=False)]
        for number, (inputs, outputs) in enumerate(pairwise(maps), 1):
            layers.append(_Judge(config, inputs, outputs, stride=2 if number < halved else 1))
        self.layers = nn.ModuleList(layers)
        kernel, padding = _kernel(config)
        self.to_logits = nn.Conv2d(maps[-1], 1, kernel, 1, padding)
        # With strides only, a judgement for each feature: a kernel of 4 needs a border of 3 for it.
        self.margin = (1, 0, 1, 0) if strides_only else (0, 0, 0, 0)
        init_normal(self, gains=True)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge images [N, C, H, W] in [-1, 1]: logits [N, rows, columns]."""
        features = images
        for layer in self.layers:
            features = leaky_relu(layer(features), self.slope)
        return DiscriminatorOutput(self.to_logits(pad(features, self.margin)).squeeze(1), features)


class _Judge(nn.Module):
    """Ck of the discriminator, without its rectifier."""

    def __init__(
        self,
        config: PatchGANConfig,
        inputs: int,
        outputs: int,
        *,
        stride: int,
        normalized: bool = True,
    ) -> None:
        super().__init__()
        kernel, padding = _kernel(config)
        self.normalization = normalization_of(
            config.normalization if normalized else "none", outputs
        )
        self.convolution = nn.Conv2d(
            inputs,
            outputs,
            kernel,
            stride if kernel > 1 else 1,
            padding,
            bias=self.normalization is None,
        )

    def forward(self, activations: Tensor) -> Tensor:
        activations = self.convolution(activations)
        return activations if self.normalization is None else self.normalization(activations)


def _kernel(config: PatchGANConfig) -> tuple[int, int]:
    """Return the side of all kernels, and their padding."""
    return (1, 0) if config.receptive_field == 1 else (4, 1)


def _maps(width: int, levels: int) -> list[int]:
    """Return the numbers of feature maps, level by level."""
    return [width * min(2**level, 8) for level in range(levels)]
