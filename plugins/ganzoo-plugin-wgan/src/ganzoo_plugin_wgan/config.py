"""Hyper-parameters; defaults are those of Algorithm 1."""

from pydantic import Field

from ganzoo_core.components import Config


class WassersteinConfig(Config):
    """The loss of this paper has no hyper-parameters."""


class WeightClippingConfig(Config):
    """The box W that the critic's weights are kept in."""

    bound: float = Field(default=0.01, gt=0, le=100)
    """c of Algorithm 1: no weight is larger than this in absolute value."""


CONFIGS: dict[str, type[Config]] = {
    "loss/wgan": WassersteinConfig,
    "regularizer/weight-clipping": WeightClippingConfig,
}
