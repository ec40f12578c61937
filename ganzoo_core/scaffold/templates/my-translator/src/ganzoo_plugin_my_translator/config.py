"""Hyper-parameters; defaults are the paper's.

`image_size` and `channels` mean the same in every plugin and are filled in from the data.
"""

from ganzoo_core.components import Adam, Config, Optimizer
from pydantic import Field


class TranslatorConfig(Config):
    """The network that translates."""

    image_size: int = Field(default=32, ge=1, le=1024)
    channels: int = Field(default=3, ge=1, le=64)
    width: int = Field(default=32, ge=1, le=4096)
    """Feature maps of each hidden layer."""
    blocks: int = Field(default=3, ge=1, le=64)
    """Residual blocks between the first layer and the last."""


class DiscriminatorConfig(Config):
    """The discriminator of pairs."""

    image_size: int = Field(default=32, ge=1, le=1024)
    channels: int = Field(default=3, ge=1, le=64)
    """Of one image; the discriminator sees two, one behind the other."""
    width: int = Field(default=32, ge=1, le=4096)
    """Feature maps of each hidden layer."""
    pairs: bool = True
    """Says that it judges pairs, and so sees twice the channels."""


class TrainerConfig(Config):
    """The training procedure."""

    translator_optimizer: Optimizer = Adam(lr=1e-3, betas=(0.5, 0.999))
    discriminator_optimizer: Optimizer = Adam(lr=1e-3, betas=(0.5, 0.999))
    distance_weight: float = Field(default=100.0, ge=0, le=1e6)
    """Weight of the distance to the truth beside the game."""


CONFIGS: dict[str, type[Config]] = {
    "generator/my-translator": TranslatorConfig,
    "discriminator/my-translator": DiscriminatorConfig,
    "trainer/my-translator": TrainerConfig,
}
