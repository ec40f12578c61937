"""Hyper-parameters; defaults are those of the paper's MNIST experiment (appendix C.1, table 1)."""

from typing import Annotated, Literal, Self

from ganzoo_plugin_gan.config import AdversarialConfig
from pydantic import Field, field_validator, model_validator

from ganzoo_core.components import Config

ImageSize = Literal[16, 28, 32, 64]
Categories = Annotated[int, Field(ge=2, le=1000)]


class CodesConfig(Config):
    """Which codes the latent has besides its noise; generator and discriminator must agree."""

    categorical: tuple[Categories, ...] = Field(default=(10,), max_length=64)
    """Categories of each categorical code, which are drawn evenly: c1, and so on."""
    continuous: int = Field(default=2, ge=0, le=1024)
    """How many codes are uniform in [-1, 1]; they are named after the categorical ones."""

    @model_validator(mode="after")
    def _has_codes(self) -> Self:
        if not self.categorical and not self.continuous:
            raise ValueError("there must be a code, categorical or continuous")
        return self


class InfoGANGeneratorConfig(CodesConfig):
    """The generator of table 1: two linear layers, then two transposed convolutions."""

    image_size: ImageSize = 28
    channels: int = Field(default=1, ge=1, le=64)
    noise_size: int = Field(default=62, ge=1, le=65536)
    """Incompressible noise z beside the codes, uniform in [-1, 1]."""
    width: int = Field(default=64, ge=1, le=4096)
    """Feature maps below the last layer; twice as many below that."""
    hidden: int = Field(default=1024, ge=1, le=65536)
    """Units of the first layer."""


class InfoGANDiscriminatorConfig(CodesConfig):
    """The discriminator D and the recognition network Q of table 1, which share a trunk."""

    image_size: ImageSize = 28
    channels: int = Field(default=1, ge=1, le=64)
    width: int = Field(default=64, ge=1, le=4096)
    """Feature maps of the first layer; twice as many in the second."""
    hidden: int = Field(default=1024, ge=1, le=65536)
    """Units of the trunk's last layer."""
    recognition_width: int = Field(default=128, ge=1, le=65536)
    """Units of the layer that Q has for itself."""
    learned_deviation: bool = False
    """Whether Q also says how sure it is of a continuous code; else its Gaussian's deviation is 1,
    as in the authors' code for MNIST."""
    slope: float = Field(default=0.1, ge=0, le=1)
    """Of the leaky rectifiers, where they are negative."""


class InfoGANTrainerConfig(AdversarialConfig):
    """The adversarial game, less λ times the bound on the information for both players."""

    categorical_weight: float = Field(default=1.0, ge=0, le=1000)
    """λ of the categorical codes."""
    continuous_weight: float = Field(default=1.0, ge=0, le=1000)
    """λ of the continuous codes, whose entropy may be on another scale (section 5)."""

    @field_validator("history")
    @classmethod
    def _keeps_no_fakes(cls, history: int) -> int:
        if history:
            raise ValueError(
                "the codes of older fakes are not kept, and Q could not be held against them; "
                "leave it at 0"
            )
        return history


CONFIGS: dict[str, type[Config]] = {
    "generator/infogan": InfoGANGeneratorConfig,
    "discriminator/infogan": InfoGANDiscriminatorConfig,
    "trainer/infogan": InfoGANTrainerConfig,
}
