"""Hyper-parameters; defaults are those of the paper's MNIST experiment (section 4.1)."""

from typing import Literal

from pydantic import Field

from ganzoo_core.components import Config

ImageSize = Literal[16, 32, 64, 128]


class ConditionalMLPConfig(Config):
    """The generator: the latent and the class each to a hidden layer, then one for both."""

    image_size: int = Field(default=28, ge=1, le=256)
    channels: int = Field(default=1, ge=1, le=64)
    classes: int = Field(default=10, ge=1, le=100_000)
    latent_size: int = Field(default=100, ge=1, le=65536)
    latent_width: int = Field(default=200, ge=1, le=65536)
    """Units of the latent's hidden layer."""
    class_width: int = Field(default=1000, ge=1, le=65536)
    """Units of the class's hidden layer."""
    width: int = Field(default=1200, ge=1, le=65536)
    """Units of the layer for both."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Of each hidden layer, while training."""
    init_range: float = Field(default=0.05, gt=0, le=1)
    """Weights begin uniform in ± this."""


class ConditionalMaxoutConfig(Config):
    """The discriminator: the image and the class each to maxout units, then some for both."""

    image_size: int = Field(default=28, ge=1, le=256)
    channels: int = Field(default=1, ge=1, le=64)
    classes: int = Field(default=10, ge=1, le=100_000)
    image_width: int = Field(default=240, ge=1, le=65536)
    """Maxout units of the image."""
    image_pieces: int = Field(default=5, ge=1, le=64)
    """Linear pieces of each."""
    class_width: int = Field(default=50, ge=1, le=65536)
    """Maxout units of the class."""
    class_pieces: int = Field(default=5, ge=1, le=64)
    """Linear pieces of each."""
    width: int = Field(default=240, ge=1, le=65536)
    """Maxout units of the layer for both."""
    pieces: int = Field(default=4, ge=1, le=64)
    """Linear pieces of each."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Of each hidden layer, while training."""
    init_range: float = Field(default=0.005, gt=0, le=1)
    """Weights begin uniform in ± this."""


class ConditionalDCGANGeneratorConfig(Config):
    """DCGAN's generator (Radford et al. 2016), told a class."""

    image_size: ImageSize = 32
    channels: int = Field(default=3, ge=1, le=64)
    classes: int = Field(default=10, ge=1, le=100_000)
    latent_size: int = Field(default=100, ge=1, le=65536)
    embedding_size: int = Field(default=16, ge=1, le=4096)
    """Numbers that stand for a class, beside the latent."""
    width: int = Field(default=64, ge=1, le=4096)
    """Feature maps below the last layer; they double with every halving of the resolution."""


class ConditionalDCGANDiscriminatorConfig(Config):
    """DCGAN's discriminator (Radford et al. 2016), told a class."""

    image_size: ImageSize = 32
    channels: int = Field(default=3, ge=1, le=64)
    classes: int = Field(default=10, ge=1, le=100_000)
    embedding_size: int = Field(default=16, ge=1, le=4096)
    """Channels that stand for a class, beside those of the image (Chintala et al. 2016, "How to
    train a GAN?", tip 16)."""
    width: int = Field(default=64, ge=1, le=4096)
    """Feature maps of the first layer; they double with every halving of the resolution."""


CONFIGS: dict[str, type[Config]] = {
    "generator/conditional-mlp": ConditionalMLPConfig,
    "generator/conditional-dcgan": ConditionalDCGANGeneratorConfig,
    "discriminator/conditional-maxout": ConditionalMaxoutConfig,
    "discriminator/conditional-dcgan": ConditionalDCGANDiscriminatorConfig,
}
