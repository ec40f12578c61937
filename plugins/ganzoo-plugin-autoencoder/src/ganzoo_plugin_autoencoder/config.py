"""Hyper-parameters; defaults are those of the paper's MNIST experiment."""

from typing import Annotated, Literal

from pydantic import Field

from ganzoo_core.components import Adam, Config, Optimizer

Activation = Literal["sigmoid", "tanh", "relu"]
Units = Annotated[int, Field(ge=1, le=65536)]


class CodeConfig(Config):
    """What only an encoder has: the units of its code."""

    code: Literal["linear", "sigmoid", "relu"] = "linear"
    """The paper's are linear; those of sparse and denoising autoencoders are logistic."""


class MLPConfig(Config):
    """Perceptrons between images and codes: 784-1000-500-250-30."""

    image_size: int = Field(default=28, ge=1, le=256)
    channels: int = Field(default=1, ge=1, le=64)
    latent_size: int = Field(default=30, ge=1, le=65536)
    """Units of the code."""
    hidden: tuple[Units, ...] = Field(default=(1000, 500, 250), max_length=16)
    """Units of the layers between image and code, in the encoder's order."""
    activation: Activation = "sigmoid"
    """Of the hidden layers; the paper's are logistic."""


class MLPEncoderConfig(MLPConfig, CodeConfig):
    """The half from images to codes."""


class ConvolutionalConfig(Config):
    """Strided convolutions between an image and 4×4, and a full connection on to the code."""

    image_size: Literal[8, 16, 32, 64, 128] = 32
    channels: int = Field(default=3, ge=1, le=64)
    latent_size: int = Field(default=64, ge=1, le=65536)
    """Units of the code."""
    width: int = Field(default=32, ge=1, le=4096)
    """Feature maps at the image's side; they double with every halving of the resolution."""
    activation: Activation = "relu"


class ConvolutionalEncoderConfig(ConvolutionalConfig, CodeConfig):
    """The half from images to codes."""


class AutoencoderConfig(Config):
    """The training by back-propagation."""

    optimizer: Optimizer = Adam(lr=1e-3)
    error: Literal["cross-entropy", "squared"] = "cross-entropy"
    """What a reconstruction costs; the paper minimises the first and reports the second."""


CONFIGS: dict[str, type[Config]] = {
    "encoder/autoencoder-mlp": MLPEncoderConfig,
    "encoder/autoencoder-convolutional": ConvolutionalEncoderConfig,
    "generator/autoencoder-mlp": MLPConfig,
    "generator/autoencoder-convolutional": ConvolutionalConfig,
    "trainer/autoencoder": AutoencoderConfig,
}
