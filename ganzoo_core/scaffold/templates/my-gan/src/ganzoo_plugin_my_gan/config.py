"""Hyper-parameters; defaults are the paper's.

`image_size` and `channels` mean the same in every plugin and are filled in from the data.
"""

from typing import Literal

from ganzoo_core.components import Config
from pydantic import Field

ImageSize = Literal[8, 16, 32, 64, 128]


class GeneratorConfig(Config):
    """The generator."""

    image_size: ImageSize = 32
    channels: int = Field(default=3, ge=1, le=64)
    latent_size: int = Field(default=64, ge=1, le=65536)
    width: int = Field(default=32, ge=1, le=4096)
    """Feature maps below the last layer; they double with every halving of the resolution."""


class DiscriminatorConfig(Config):
    """The discriminator."""

    image_size: ImageSize = 32
    channels: int = Field(default=3, ge=1, le=64)
    width: int = Field(default=32, ge=1, le=4096)
    """Feature maps of the first layer; they double with every halving of the resolution."""


CONFIGS: dict[str, type[Config]] = {
    "generator/my-gan": GeneratorConfig,
    "discriminator/my-gan": DiscriminatorConfig,
}
