"""Hyper-parameters; defaults are those of the paper's CIFAR-10 model (appendix A, table 2)."""

from typing import Literal

from ganzoo_plugin_gan.config import AdversarialConfig
from pydantic import Field

from ganzoo_core.components import Config

ImageSize = Literal[16, 32, 64]


class ACGANGeneratorConfig(Config):
    """The generator: a linear layer to 4×4, then transposed convolutions of 5×5."""

    image_size: ImageSize = 32
    channels: int = Field(default=3, ge=1, le=64)
    classes: int = Field(default=10, ge=1, le=100_000)
    latent_size: int = Field(default=100, ge=1, le=65536)
    """Of the noise z; the class joins it as a one-hot vector."""
    width: int = Field(default=96, ge=1, le=4096)
    """Feature maps below the last layer; they double with every halving of the resolution."""


class ACGANDiscriminatorConfig(Config):
    """The discriminator: pairs of 3×3 convolutions, of which the first halves the resolution."""

    image_size: ImageSize = 32
    channels: int = Field(default=3, ge=1, le=64)
    classes: int = Field(default=10, ge=1, le=100_000)
    width: int = Field(default=16, ge=1, le=4096)
    """Feature maps of the first layer; they double with every layer."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Of every convolution's activations, while training."""
    activation_noise: float = Field(default=0.0, ge=0, le=10)
    """Deviation of Gaussian noise on every convolution's activations, while training; the paper
    searches over 0, 0.1 and 0.2."""
    slope: float = Field(default=0.2, ge=0, le=1)
    """Of the leaky rectifiers, where they are negative."""


class ACGANTrainerConfig(AdversarialConfig):
    """The adversarial game with the classifier's terms, which have no weights in the paper."""

    classify_fakes: bool = True
    """Whether the discriminator learns the classes of generated images too, as in (3). Without, it
    learns them of real images alone, and the two players cannot agree on a sign for a class that
    no real image bears, which is how training begins otherwise."""


CONFIGS: dict[str, type[Config]] = {
    "generator/acgan": ACGANGeneratorConfig,
    "discriminator/acgan": ACGANDiscriminatorConfig,
    "trainer/acgan": ACGANTrainerConfig,
}
