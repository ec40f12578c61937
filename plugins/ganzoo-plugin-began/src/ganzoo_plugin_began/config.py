"""Hyper-parameters; defaults are the paper's (sections 3.4, 3.5 and 4.1)."""

from typing import Literal

from ganzoo_plugin_gan.config import AdversarialConfig
from pydantic import Field

from ganzoo_core.components import Config

ImageSize = Literal[16, 32, 64, 128]


class BEGANGeneratorConfig(Config):
    """The generator, and the autoencoder's decoder alike."""

    image_size: ImageSize = 64
    channels: int = Field(default=3, ge=1, le=64)
    latent_size: int = Field(default=64, ge=1, le=65536)
    """N_z of the paper."""
    width: int = Field(default=128, ge=1, le=4096)
    """n of the paper: feature maps of every layer."""
    repeats: int = Field(default=2, ge=1, le=16)
    """Convolutions at each resolution."""
    skip_connections: bool = False
    """Show the first 8×8 maps again at each resolution (section 3.5.1)."""
    vanishing_residuals: bool = False
    """Have shortcuts around the layers of equal size, which trainer.residual_steps lets vanish
    (section 3.5.1)."""


class BEGANAutoencoderConfig(Config):
    """The discriminator: an encoder that the decoder mirrors."""

    image_size: ImageSize = 64
    channels: int = Field(default=3, ge=1, le=64)
    hidden_size: int = Field(default=64, ge=1, le=65536)
    """N_h of the paper: size of the code."""
    width: int = Field(default=128, ge=1, le=4096)
    """n of the paper: feature maps of the decoder's layers and of the encoder's first ones; the
    encoder has n more at each lower resolution."""
    repeats: int = Field(default=2, ge=1, le=16)
    """Convolutions at each resolution."""
    skip_connections: bool = False
    """Show the decoder's first 8×8 maps again at each resolution (section 3.5.1)."""
    vanishing_residuals: bool = False
    """Have shortcuts around the layers of equal size, which trainer.residual_steps lets vanish
    (section 3.5.1)."""


class EquilibriumLossConfig(Config):
    """The balance between the two sides."""

    gamma: float = Field(default=0.5, ge=0, le=1)
    """γ, the diversity ratio: errors of fakes are to be this share of those of real images. Lower
    is sharper and less diverse; the paper shows 0.3, 0.5 and 0.7."""
    lambda_k: float = Field(default=0.001, ge=0, le=1)
    """λ_k, how fast k follows the balance."""
    initial_k: float = Field(default=0.0, ge=0, le=1)
    """k_0, how much the discriminator begins to heed the fakes."""


class EquilibriumTrainerConfig(AdversarialConfig):
    """The alternating game, and how long shortcuts last."""

    residual_steps: int = Field(default=16_000, ge=1, le=10**9)
    """Steps over which the shortcuts vanish in networks that have vanishing_residuals."""


CONFIGS: dict[str, type[Config]] = {
    "generator/began": BEGANGeneratorConfig,
    "discriminator/began": BEGANAutoencoderConfig,
    "loss/began": EquilibriumLossConfig,
    "trainer/began": EquilibriumTrainerConfig,
}
