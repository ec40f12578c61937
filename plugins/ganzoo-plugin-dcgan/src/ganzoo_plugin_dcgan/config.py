"""Hyper-parameters; defaults are the paper's (section 4 and figure 1)."""

from typing import Literal

from pydantic import Field

from ganzoo_core.components import Config

ImageSize = Literal[16, 32, 64, 128]


class DCGANGeneratorConfig(Config):
    """The generator of figure 1."""

    image_size: ImageSize = 64
    channels: int = Field(default=3, ge=1, le=64)
    latent_size: int = Field(default=100, ge=1, le=65536)
    width: int = Field(default=128, ge=1, le=4096)
    """Feature maps below the last layer; they double with every halving of the resolution."""
    prior: Literal["uniform", "normal"] = "uniform"
    """Distribution of the latents: uniform in [-1, 1], or standard normal."""


class DCGANDiscriminatorConfig(Config):
    """The discriminator, the generator's mirror image."""

    image_size: ImageSize = 64
    channels: int = Field(default=3, ge=1, le=64)
    width: int = Field(default=128, ge=1, le=4096)
    """Feature maps of the first layer; they double with every halving of the resolution."""
    slope: float = Field(default=0.2, ge=0, le=1)
    """Of the leaky rectifiers, where they are negative."""


CONFIGS: dict[str, type[Config]] = {
    "generator/dcgan": DCGANGeneratorConfig,
    "discriminator/dcgan": DCGANDiscriminatorConfig,
}
