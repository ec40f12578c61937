"""Hyper-parameters; defaults are those of Tzeng et al. (2017), section 5.1."""

from pydantic import Field

from ganzoo_core.components import Adam, Config, Optimizer


class AddaConfig(Config):
    """The two stages."""

    pretraining: Optimizer = Adam(lr=1e-3, betas=(0.9, 0.999))
    """Of the source's encoder; the paper is silent, this is the authors' script for digits."""
    mapping: Optimizer = Adam(lr=2e-4, betas=(0.5, 0.999))
    """Of the target's encoder."""
    discriminator: Optimizer = Adam(lr=2e-4, betas=(0.5, 0.999))
    pretraining_share: float = Field(default=1.0, gt=0, le=1000)
    """Steps of the pretraining among all, in proportion to those of the adaptation."""
    adaptation_share: float = Field(default=1.0, gt=0, le=1000)


CONFIGS: dict[str, type[Config]] = {"trainer/adda": AddaConfig}
