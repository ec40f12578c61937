"""Hyper-parameters; defaults are those of equation 9, with which the paper trains its models."""

from typing import Self

from pydantic import Field, model_validator

from ganzoo_core.components import Config


class LeastSquaresConfig(Config):
    """The codes of equation 2, in units of the discriminator's unsquashed output.

    With b − c = 1 and b − a = 2, as a = −1, b = 1, c = 0 of equation 8, the generator minimises a
    Pearson χ² divergence; with c = b, as 0, 1, 1 of equation 9, it aims at the code of real images.
    """

    a: float = Field(default=0.0, ge=-100, le=100)
    """What the discriminator shall say of fakes."""
    b: float = Field(default=1.0, ge=-100, le=100)
    """What the discriminator shall say of real images."""
    c: float = Field(default=1.0, ge=-100, le=100)
    """What the generator wants the discriminator to say of fakes."""

    @model_validator(mode="after")
    def _codes_differ(self) -> Self:
        if self.a == self.b:
            raise ValueError("a and b must differ, or the discriminator has nothing to tell apart")
        return self


CONFIGS: dict[str, type[Config]] = {"loss/lsgan": LeastSquaresConfig}
