"""Hyper-parameters; defaults are those of Algorithm 1."""

from pydantic import Field

from ganzoo_core.components import Config


class GradientPenaltyConfig(Config):
    """The second term of equation 3."""

    weight: float = Field(default=10.0, gt=0, le=1e6)
    """λ."""


CONFIGS: dict[str, type[Config]] = {"regularizer/gradient-penalty": GradientPenaltyConfig}
