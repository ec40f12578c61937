"""Hyper-parameters; defaults are the paper's.

`image_size`, `channels` and `latent_size` mean the same in every plugin; the first two are filled
in from the data.
"""

from typing import Literal

from ganzoo_core.components import Adam, Config, Optimizer
from pydantic import Field

ImageSize = Literal[8, 16, 32, 64, 128]


class NetworkConfig(Config):
    """The encoder, and the decoder, which is its mirror image."""

    image_size: ImageSize = 32
    channels: int = Field(default=3, ge=1, le=64)
    latent_size: int = Field(default=16, ge=1, le=65536)
    width: int = Field(default=32, ge=1, le=4096)
    """Feature maps at the image's side; they double with every halving of the resolution."""


class TrainerConfig(Config):
    """The training procedure."""

    optimizer: Optimizer = Adam(lr=3e-3)
    beta: float = Field(default=1.0, ge=0, le=1000)
    """Weight of the divergence: more of it samples better, less of it reconstructs better."""


CONFIGS: dict[str, type[Config]] = {
    "encoder/my-autoencoder": NetworkConfig,
    "generator/my-autoencoder": NetworkConfig,
    "trainer/my-autoencoder": TrainerConfig,
}
