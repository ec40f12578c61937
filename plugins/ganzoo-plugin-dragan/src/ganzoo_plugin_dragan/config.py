"""Hyper-parameters; defaults are those of the paper and of the authors' code.

The code is DRAGAN.ipynb of github.com/kodalinaveen3/DRAGAN.
"""

from pydantic import Field

from ganzoo_core.components import Config


class DraganConfig(Config):
    """The penalty around real images."""

    weight: float = Field(default=10.0, gt=0, le=1e6)
    """λ."""
    norm: float = Field(default=1.0, ge=0, le=1e6)
    """k, the gradient norm that is wanted."""
    reach: float = Field(default=0.5, gt=0, le=100)
    """c as the authors' code has it: how far a pixel is moved at most, in standard deviations of
    the batch's pixels."""


CONFIGS: dict[str, type[Config]] = {"regularizer/dragan": DraganConfig}
