"""Hyper-parameters; defaults are those of Ganin and Lempitsky (2015) unless said otherwise."""

from typing import Annotated

from pydantic import AfterValidator, Field

from ganzoo_core.components import SGD, Config, Optimizer

IMAGE_SIZES = (16, 28, 32, 64, 128, 224)


def _is_supported(size: int) -> int:
    if size not in IMAGE_SIZES:
        raise ValueError(f"choose one of {', '.join(map(str, IMAGE_SIZES))}")
    return size


ImageSize = Annotated[int, AfterValidator(_is_supported)]
Maps = Annotated[int, Field(ge=1, le=4096)]


def pooled_side(image_size: int) -> int:
    """Return the side of the maps behind two convolutions of 5 pixels and two poolings by 2."""
    return ((image_size - 4) // 2 - 4) // 2


class ImagesConfig(Config):
    """What images the network takes, and how many classes it names."""

    image_size: ImageSize = 28
    channels: int = Field(default=3, ge=1, le=64)
    classes: int = Field(default=10, ge=2, le=65536)


class DannEncoderConfig(ImagesConfig):
    """Figure 4a of the appendix: two convolutions, and a classifier of two hidden layers."""

    first_maps: Maps = 32
    second_maps: Maps = 48
    hidden: int = Field(default=100, ge=1, le=65536)
    """Units of each hidden layer of the label predictor."""
    batch_normalization: bool = False
    """As fungtion/DANN has it and the paper has not."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Behind the second convolution and the first hidden layer; fungtion/DANN has 0.5."""


class LeNetConfig(ImagesConfig):
    """LeNet as Caffe has it, which Tzeng et al. (2017) take for digits."""

    channels: int = Field(default=1, ge=1, le=64)
    first_maps: Maps = 20
    second_maps: Maps = 50
    latent_size: int = Field(default=500, ge=1, le=65536)
    """Units of the hidden layer, which are the features."""


class DomainClassifierConfig(Config):
    """Which domain features are of."""

    latent_size: int | None = Field(default=None, ge=1, le=2**24)
    """Numbers of the features; unless it is set, those of the encoder `dann` with `second_maps` at
    `image_size`."""
    image_size: ImageSize = 28
    second_maps: Maps = 48
    width: int = Field(default=100, ge=1, le=65536)
    """Units of a hidden layer."""
    layers: int = Field(default=1, ge=1, le=16)
    """Hidden layers; for other images than MNIST's the paper has two of 1,024 units."""
    batch_normalization: bool = False
    """As fungtion/DANN has it and the paper has not."""

    @property
    def inputs(self) -> int:
        """How many numbers it takes."""
        return self.latent_size or self.second_maps * pooled_side(self.image_size) ** 2


class AnnealedConfig(Config):
    """Stochastic gradient descent whose rate falls as the paper's (section 4)."""

    optimizer: Optimizer = SGD(lr=0.01, momentum=0.9)
    """μ₀ = 0.01."""
    alpha: float = Field(default=10.0, ge=0, le=1e6)
    """α of the rate's factor 1 / (1 + α p)^β, where p goes from 0 to 1; 0 keeps the rate."""
    beta: float = Field(default=0.75, ge=0, le=100)
    """β of the same."""


class DannConfig(AnnealedConfig):
    """The gradient reversal and its schedule."""

    gamma: float = Field(default=10.0, ge=0, le=1e6)
    """γ of λ = 2 / (1 + exp(-γ p)) - 1."""
    reversal: float = Field(default=1.0, ge=0, le=1e6)
    """What λ tends to: a factor on it, 1 in the paper."""


class SourceOnlyConfig(AnnealedConfig):
    """Learning from the source alone."""


CONFIGS: dict[str, type[Config]] = {
    "encoder/dann": DannEncoderConfig,
    "encoder/lenet": LeNetConfig,
    "code_discriminator/domain": DomainClassifierConfig,
    "trainer/dann": DannConfig,
    "trainer/source-only": SourceOnlyConfig,
}
