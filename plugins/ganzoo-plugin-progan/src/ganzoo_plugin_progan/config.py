"""Hyper-parameters; defaults are the paper's (table 2 and appendix A.1)."""

from typing import Annotated, Literal

from ganzoo_plugin_gan.config import AdversarialConfig
from pydantic import Field, field_validator, model_validator

from ganzoo_core.components import Adam, Config, Optimizer

ImageSize = Literal[4, 8, 16, 32, 64, 128, 256, 512, 1024]
Maps = Annotated[int, Field(ge=1, le=65536)]
Side = Annotated[int, Field(ge=4, le=1024)]


class NetworkConfig(Config):
    """What both networks of table 2 are made from, each the other's mirror image."""

    image_size: ImageSize = 1024
    channels: int = Field(default=3, ge=1, le=64)
    classes: int = Field(default=0, ge=0, le=65536)
    width: Maps = 512
    """Feature maps at the lowest sizes, the most that there are anywhere."""
    capacity: int = Field(default=16384, ge=4, le=2**26)
    """Feature maps times the side of an image, from the size on where `width` is more: at 64 pixels
    256 maps, at 1024 pixels 16."""
    maps: tuple[Maps, ...] = ()
    """Feature maps at 4, 8, 16 … pixels, where `width` and `capacity` do not say them."""

    @model_validator(mode="after")
    def _has_maps_for_each_size(self) -> "NetworkConfig":
        sizes = self.image_size.bit_length() - 2
        if self.maps and len(self.maps) != sizes:
            raise ValueError(
                f"an image of {self.image_size} pixels needs maps at {sizes} sizes, not "
                f"{len(self.maps)}"
            )
        return self

    def maps_at(self) -> list[int]:
        """Return the numbers of feature maps at 4, 8, 16 … pixels."""
        if self.maps:
            return list(self.maps)
        sizes = (4 << level for level in range(self.image_size.bit_length() - 2))
        return [max(1, min(self.width, self.capacity // size)) for size in sizes]


class ProGANGeneratorConfig(NetworkConfig):
    """The generator of table 2."""

    latent_size: int = Field(default=512, ge=1, le=65536)


class ProGANDiscriminatorConfig(NetworkConfig):
    """The discriminator of table 2; with classes it names them, as AC-GAN's does."""

    group: int = Field(default=4, ge=1, le=65536)
    """Images over which the minibatch standard deviation is taken (the authors' code)."""


class DriftConfig(Config):
    """The fourth term of the critic's loss."""

    weight: float = Field(default=0.001, gt=0, le=1e6)
    """ε_drift."""


class ProgressiveConfig(AdversarialConfig):
    """Growing from `start_size` to the networks' size, and the game at each size.

    Durations are relative: how long a training takes in all is `training.steps`.
    """

    discriminator_optimizer: Optimizer = Adam(lr=0.001, betas=(0.0, 0.99))
    generator_optimizer: Optimizer = Adam(lr=0.001, betas=(0.0, 0.99))
    start_size: ImageSize = 4
    """Side of the first images, in pixels."""
    duration: float = Field(default=800.0, gt=0, le=1e9)
    """Thousands of images for which a size is faded in, and as many for which it is trained
    afterwards."""
    durations: dict[Side, Annotated[float, Field(gt=0, le=1e9)]] = Field(default_factory=dict)
    """The same for single sizes, where it is another."""
    batch_sizes: dict[Side, Annotated[int, Field(ge=1, le=2**20)]] = Field(
        default_factory=lambda: {256: 14, 512: 6, 1024: 3}
    )
    """Images a batch for single sizes, where it is not `training.batch_size`."""
    learning_rates: dict[Side, Annotated[float, Field(gt=0, le=1000)]] = Field(default_factory=dict)
    """Factors on both learning rates for single sizes, where it is not 1."""
    class_weight: float = Field(default=1.0, ge=0, le=1e6)
    """Weight of the class's cross-entropy beside the game, where the discriminator names classes
    (the authors' code)."""

    @field_validator("durations", "batch_sizes", "learning_rates")
    @classmethod
    def _names_sizes(cls, by_size: dict[int, float]) -> dict[int, float]:
        for size in by_size:
            if size & (size - 1):
                raise ValueError(f"images grow by doubling from 4 pixels and never have {size}")
        return by_size


CONFIGS: dict[str, type[Config]] = {
    "generator/progan": ProGANGeneratorConfig,
    "discriminator/progan": ProGANDiscriminatorConfig,
    "regularizer/drift": DriftConfig,
    "trainer/progressive": ProgressiveConfig,
}
