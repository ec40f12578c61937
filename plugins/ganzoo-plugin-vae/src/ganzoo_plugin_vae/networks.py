"""Encoders that answer with a Gaussian, and decoders that know how likely an image is.

Either is made of layers between an image and a list of numbers; the paper's are perceptrons
(appendix C), those of the papers that followed are convolutional. Layers see pixels from 0 to 1, as
the papers have them, and images outside are in [-1, 1].
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganzoo_core.components import Code, Decoder, Encoder
from ganzoo_plugin_vae.config import (
    ConvolutionalConfig,
    ConvolutionalDecoderConfig,
    MLPConfig,
    MLPDecoderConfig,
)
from ganzoo_plugin_vae.likelihoods import bernoulli_log_likelihood, gaussian_log_likelihood

LEAST_LOG_VARIANCE = -8.0
"""Of a learned Gaussian pixel: one that is the same in all images would otherwise be infinitely
likely."""


class VAEEncoder(Encoder):
    """Images to the mean and the variance of a Gaussian over codes."""

    def __init__(self, config: MLPConfig | ConvolutionalConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.latent_size,)
        self.layers = (
            _perceptron(config) if isinstance(config, MLPConfig) else _convolutions(config)
        )

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1]: means and log-variances [N, latent_size]."""
        numbers: Tensor = self.layers((images + 1) / 2)
        mean, log_variance = numbers.chunk(2, dim=1)
        return Code(mean, log_variance)


class VAEDecoder(Decoder):
    """Codes to the distribution of each pixel; the image that it makes is the pixels' means."""

    def __init__(self, config: MLPDecoderConfig | ConvolutionalDecoderConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.latent_size,)
        self.likelihood = config.likelihood
        self.deviation = config.deviation
        learned = config.likelihood == "gaussian" and config.deviation is None
        maps = config.channels * (2 if learned else 1)
        self.layers = (
            _mirrored_perceptron(config, maps)
            if isinstance(config, MLPConfig)
            else _mirrored_convolutions(config, maps)
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of latents [N, latent_size]: the pixels' means."""
        logits = self.layers(latents)[:, : self.image_shape[0]]
        # 2 σ(a) − 1, the pixels' mean on the zoo's scale.
        return torch.tanh(logits / 2)

    def log_likelihood(self, images: Tensor, latents: Tensor) -> Tensor:
        """Return log p(x|z) in nats of images [N, C, H, W] in [-1, 1]: [N].

        A Gaussian's is a density over pixels on the scale from 0 to 1.
        """
        pixels = (images + 1) / 2
        said: Tensor = self.layers(latents)
        if self.likelihood == "bernoulli":
            return bernoulli_log_likelihood(pixels, said)
        mean = torch.sigmoid(said[:, : self.image_shape[0]])
        if self.deviation is not None:
            log_variance = torch.full_like(mean, 2 * math.log(self.deviation))
        else:
            log_variance = said[:, self.image_shape[0] :].clamp(min=LEAST_LOG_VARIANCE)
        return gaussian_log_likelihood(pixels, mean, log_variance)


def _perceptron(config: MLPConfig) -> nn.Sequential:
    """Return layers from images to twice a code's numbers (equation 12, the other way round)."""
    pixels = config.channels * config.image_size**2
    layers = nn.Sequential(nn.Flatten())
    for inputs in (pixels, *[config.width] * (config.layers - 1)):
        layers.append(nn.Linear(inputs, config.width))
        layers.append(_activation(config))
    layers.append(nn.Linear(config.width, 2 * config.latent_size))
    _init_normal(layers, config.init_deviation)
    return layers


def _mirrored_perceptron(config: MLPConfig, maps: int) -> nn.Sequential:
    """Return layers from codes to `maps` numbers for each pixel (equations 11 and 12)."""
    layers = nn.Sequential()
    for inputs in (config.latent_size, *[config.width] * (config.layers - 1)):
        layers.append(nn.Linear(inputs, config.width))
        layers.append(_activation(config))
    layers.append(nn.Linear(config.width, maps * config.image_size**2))
    layers.append(nn.Unflatten(1, (maps, config.image_size, config.image_size)))
    _init_normal(layers, config.init_deviation)
    return layers


def _convolutions(config: ConvolutionalConfig) -> nn.Sequential:
    """Return layers from images down to 4×4 and on to twice a code's numbers."""
    maps = _maps(config)
    layers = nn.Sequential()
    for inputs, outputs in pairwise((config.channels, *maps)):
        layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1))
        layers.append(nn.ReLU(inplace=True))
    layers.append(nn.Flatten())
    for inputs, outputs in pairwise((maps[-1] * 4 * 4, *config.hidden)):
        layers.append(nn.Linear(inputs, outputs))
        layers.append(nn.ReLU(inplace=True))
    units = (maps[-1] * 4 * 4, *config.hidden)[-1]
    layers.append(nn.Linear(units, 2 * config.latent_size))
    return layers


def _mirrored_convolutions(config: ConvolutionalConfig, maps: int) -> nn.Sequential:
    """Return layers from codes up to 4×4 and on to `maps` numbers for each pixel."""
    outwards = _maps(config)[::-1]
    layers = nn.Sequential()
    for inputs, outputs in pairwise(
        (config.latent_size, *config.hidden[::-1], outwards[0] * 4 * 4)
    ):
        layers.append(nn.Linear(inputs, outputs))
        layers.append(nn.ReLU(inplace=True))
    layers.append(nn.Unflatten(1, (outwards[0], 4, 4)))
    for inputs, outputs in pairwise(outwards):
        layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1))
        layers.append(nn.ReLU(inplace=True))
    layers.append(nn.ConvTranspose2d(outwards[-1], maps, 4, 2, 1))
    return layers


def _maps(config: ConvolutionalConfig) -> list[int]:
    """Return the numbers of feature maps from the image's side to the 4×4 side."""
    halvings = config.image_size.bit_length() - 3
    return ([config.width] * 2 + [config.deep_width] * halvings)[:halvings]


def _activation(config: MLPConfig) -> nn.Module:
    return nn.Tanh() if config.activation == "tanh" else nn.ReLU(inplace=True)


def _init_normal(layers: nn.Sequential, deviation: float) -> None:
    for weight in layers.parameters():
        nn.init.normal_(weight, 0, deviation)
