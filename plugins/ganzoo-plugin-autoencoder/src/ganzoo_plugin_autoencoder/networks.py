"""An encoder from images to points, and a decoder back, its mirror image.

Layers see pixels from 0 to 1, as the paper has them, and images outside are in [-1, 1].
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzoo_core.components import Code, Decoder, Encoder, Noise
from ganzoo_plugin_autoencoder.config import (
    Activation,
    ConvolutionalConfig,
    ConvolutionalEncoderConfig,
    MLPConfig,
    MLPEncoderConfig,
)

_WEIGHTED = nn.Linear | nn.Conv2d | nn.ConvTranspose2d

REMEMBERED = 0.99
"""Share of what was known of the codes that stays when a batch of others is seen."""


class AutoencoderEncoder(Encoder):
    """Images to codes, each a point."""

    def __init__(self, config: MLPEncoderConfig | ConvolutionalEncoderConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.latent_size,)
        self.layers = (
            _perceptron(config) if isinstance(config, MLPConfig) else _convolutions(config)
        )
        if config.code != "linear":
            self.layers.append(_activation(config.code))

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1]: [N, latent_size]."""
        return Code(self.layers((images + 1) / 2))


class AutoencoderDecoder(Decoder):
    """Codes to images, each pixel the probability of a white one.

    It has no prior of its own. So that there is something to draw, it keeps in mind which mean and
    which variance each number of the codes had that it was trained on; without training they are
    those of a standard normal.
    """

    code_mean: Tensor
    code_variance: Tensor

    def __init__(self, config: MLPConfig | ConvolutionalConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.latent_size,)
        self.layers = (
            _mirrored_perceptron(config)
            if isinstance(config, MLPConfig)
            else _mirrored_convolutions(config)
        )
        self.register_buffer("code_mean", torch.zeros(config.latent_size))
        self.register_buffer("code_variance", torch.ones(config.latent_size))

    def latents(self, count: int, noise: Noise) -> Tensor:
        """Draw each number of a code by itself, from a normal like that of the codes in training.

        Returns:
            [count, latent_size]
        """
        return self.code_mean + self.code_variance.sqrt() * noise.normal(count, *self.latent_shape)

    @torch.no_grad()
    def observe(self, codes: Tensor) -> None:
        """Keep in mind how the codes [N, latent_size] of a batch are spread."""
        codes = codes.float()
        self.code_mean.lerp_(codes.mean(0), 1 - REMEMBERED)
        self.code_variance.lerp_(codes.var(0, unbiased=False), 1 - REMEMBERED)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make images [N, C, H, W] in [-1, 1] of codes [N, latent_size]."""
        # 2 σ(a) − 1, the logistic unit on the zoo's scale.
        return torch.tanh(self.layers(latents) / 2)

    def log_likelihood(self, images: Tensor, latents: Tensor) -> Tensor:
        """Return Σ p log p̂ + (1 − p) log(1 − p̂), the paper's cross-entropy less its sign: [N].

        Args:
            images: [N, C, H, W] in [-1, 1]; p is a pixel's intensity from 0 to 1.
            latents: [N, latent_size], of which p̂ is made.
        """
        logits: Tensor = self.layers(latents)
        pixels = (images + 1) / 2
        costs = functional.binary_cross_entropy_with_logits(
            logits.float(), pixels.float(), reduction="none"
        )
        return -costs.flatten(1).sum(1)


def _perceptron(config: MLPConfig) -> nn.Sequential:
    pixels = config.channels * config.image_size**2
    layers = nn.Sequential(nn.Flatten())
    for inputs, outputs in pairwise((pixels, *config.hidden)):
        layers.append(nn.Linear(inputs, outputs))
        layers.append(_activation(config.activation))
    layers.append(nn.Linear((pixels, *config.hidden)[-1], config.latent_size))
    _init(layers, config.activation)
    return layers


def _mirrored_perceptron(config: MLPConfig) -> nn.Sequential:
    outwards = (config.latent_size, *config.hidden[::-1])
    layers = nn.Sequential()
    for inputs, outputs in pairwise(outwards):
        layers.append(nn.Linear(inputs, outputs))
        layers.append(_activation(config.activation))
    layers.append(nn.Linear(outwards[-1], config.channels * config.image_size**2))
    layers.append(nn.Unflatten(1, (config.channels, config.image_size, config.image_size)))
    _init(layers, config.activation)
    return layers


def _convolutions(config: ConvolutionalConfig) -> nn.Sequential:
    maps = _maps(config)
    layers = nn.Sequential()
    for inputs, outputs in pairwise((config.channels, *maps)):
        layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1))
        layers.append(_activation(config.activation))
    layers.append(nn.Flatten())
    layers.append(nn.Linear(maps[-1] * 4 * 4, config.latent_size))
    _init(layers, config.activation)
    return layers


def _mirrored_convolutions(config: ConvolutionalConfig) -> nn.Sequential:
    outwards = _maps(config)[::-1]
    layers = nn.Sequential(
        nn.Linear(config.latent_size, outwards[0] * 4 * 4), nn.Unflatten(1, (outwards[0], 4, 4))
    )
    for inputs, outputs in pairwise((*outwards, config.channels)):
        layers.append(_activation(config.activation))
        layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1))
    _init(layers, config.activation)
    return layers


def _maps(config: ConvolutionalConfig) -> list[int]:
    """Return the numbers of feature maps from the image's side to the 4×4 side."""
    halvings = config.image_size.bit_length() - 3
    return [config.width * 2**level for level in range(halvings)]


def _activation(name: Activation) -> nn.Module:
    return {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}[name]()


def _init(layers: nn.Sequential, activation: Activation) -> None:
    """Begin as Glorot and Bengio 2010 do, which is what makes training without RBMs possible.

    A logistic unit has a quarter of tanh's slope, and takes weights four times as large.
    """
    gain = {"sigmoid": 4.0, "tanh": 1.0, "relu": 2**0.5}[activation]
    *hidden, last = [layer for layer in layers if isinstance(layer, _WEIGHTED)]
    for layer in hidden:
        _begin(layer, gain)
    # What the last layer gives is no activation of the hidden kind, but a code or a logit.
    _begin(last, 1.0)


def _begin(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, gain: float) -> None:
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
