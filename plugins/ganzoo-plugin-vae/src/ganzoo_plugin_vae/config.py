"""Hyper-parameters; defaults are those of the paper's MNIST experiment (section 5 and appendix C).

The convolutional networks' defaults are those of Burgess et al. 2018 (appendix A.1).
"""

from typing import Annotated, Literal

from pydantic import Field

from ganzoo_core.components import Adagrad, Config, Optimizer

ConvolutionalSize = Literal[16, 32, 64, 128]
Units = Annotated[int, Field(ge=1, le=65536)]


class MLPConfig(Config):
    """Perceptrons between images and codes."""

    image_size: int = Field(default=28, ge=1, le=256)
    channels: int = Field(default=1, ge=1, le=64)
    latent_size: int = Field(default=20, ge=1, le=65536)
    """Numbers of the code; figure 2 has 3, 5, 10, 20 and 200."""
    width: int = Field(default=500, ge=1, le=65536)
    """Units of each hidden layer."""
    layers: int = Field(default=1, ge=1, le=64)
    """Hidden layers."""
    activation: Literal["tanh", "relu"] = "tanh"
    init_deviation: float = Field(default=0.1, gt=0, le=10)
    """Weights and biases begin normal with this deviation: the paper's N(0, 0.01), as a variance"""


class ConvolutionalConfig(Config):
    """Strided convolutions between an image and 4×4, and full connections between 4×4 and codes."""

    image_size: ConvolutionalSize = 64
    channels: int = Field(default=3, ge=1, le=64)
    latent_size: int = Field(default=10, ge=1, le=65536)
    width: int = Field(default=32, ge=1, le=4096)
    """Feature maps of the two layers next to the image."""
    deep_width: int = Field(default=32, ge=1, le=4096)
    """Feature maps of all layers beyond."""
    hidden: tuple[Units, ...] = Field(default=(256, 256), max_length=16)
    """Units of the fully connected layers, in the encoder's order."""


class PixelConfig(Config):
    """How a decoder says how likely pixels are, on the scale from 0 to 1."""

    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    """Appendix C.1, in which a grey pixel counts as the probability of a white one, or C.2."""
    deviation: float | None = Field(default=None, gt=0, le=10)
    """Of a Gaussian pixel; unless given, the decoder says one for each pixel, as in C.2."""


class MLPDecoderConfig(MLPConfig, PixelConfig):
    """The decoder of appendix C."""


class ConvolutionalDecoderConfig(ConvolutionalConfig, PixelConfig):
    """The convolutional encoder's mirror image."""


class VAEConfig(Config):
    """The training of Algorithm 1."""

    optimizer: Optimizer = Adagrad(lr=0.02, weight_decay=2e-5)
    """The paper takes the rate of 0.01, 0.02 and 0.1 that begins best. The decay is that of the
    prior N(0, I) on the weights, for 50,000 images."""
    samples: int = Field(default=1, ge=1, le=1000)
    """L of equation 10: codes drawn for each image."""
    beta: float = Field(default=1.0, ge=0, le=10_000)
    """Weight of the divergence; the bound is that of 1, others are of Higgins et al. 2017."""


CONFIGS: dict[str, type[Config]] = {
    "encoder/vae-mlp": MLPConfig,
    "encoder/vae-convolutional": ConvolutionalConfig,
    "generator/vae-mlp": MLPDecoderConfig,
    "generator/vae-convolutional": ConvolutionalDecoderConfig,
    "trainer/vae": VAEConfig,
}
