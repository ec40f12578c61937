"""Hyper-parameters; defaults are those of the paper's experiment on 2D Shapes (appendix A)."""

from ganzoo_plugin_vae.config import VAEConfig
from pydantic import Field

from ganzoo_core.components import Adam, Config, Optimizer


class FactorVAEDiscriminatorConfig(Config):
    """The discriminator of codes: six hidden layers of 1,000 units."""

    latent_size: int = Field(default=10, ge=1, le=65536)
    width: int = Field(default=1000, ge=1, le=65536)
    """Units of each hidden layer."""
    layers: int = Field(default=6, ge=1, le=64)
    """Hidden layers."""
    slope: float = Field(default=0.2, ge=0, le=1)
    """Of the leaky rectifiers, where they are negative; the paper gives none."""


class FactorVAEConfig(VAEConfig):
    """The training of Algorithm 2."""

    optimizer: Optimizer = Adam(lr=1e-4, betas=(0.9, 0.999))
    discriminator_optimizer: Optimizer = Adam(lr=1e-4, betas=(0.5, 0.9))
    gamma: float = Field(default=35.0, ge=0, le=10_000)
    """Weight of the total correlation, γ of equation 2."""


CONFIGS: dict[str, type[Config]] = {
    "code_discriminator/factor-vae": FactorVAEDiscriminatorConfig,
    "trainer/factor-vae": FactorVAEConfig,
}
