"""Hyper-parameters; defaults are those of the paper's convolutional experiments (appendix A.1)."""

from ganzoo_plugin_vae.config import VAEConfig
from pydantic import Field

from ganzoo_core.components import Adam, Config, Optimizer


class BetaVAEConfig(VAEConfig):
    """The training: a heavier divergence, which may be given room as the training goes on."""

    optimizer: Optimizer = Adam(lr=1e-4)
    beta: float = Field(default=4.0, ge=0, le=10_000)
    """Weight of the divergence, or of its distance from the capacity: β of Higgins et al. 2017,
    equation 4, or γ of Burgess et al. 2018, equation 8."""
    capacity: float = Field(default=0.0, ge=0, le=10_000)
    """Nats of divergence that the codes may have in the end; C of Burgess et al. 2018."""
    capacity_steps: int = Field(default=100_000, ge=1, le=10**9)
    """Steps in which the capacity grows, in a straight line from 0."""


CONFIGS: dict[str, type[Config]] = {"trainer/beta-vae": BetaVAEConfig}
