"""Hyper-parameters; defaults are those of the paper's MNIST experiments (appendix A).

Pixels and codes are in the paper's units: a deviation of input noise is that of pixels in [0, 1].
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ganzoo_core.components import SGD, Config, Optimizer

PriorName = Literal["gaussian", "mixture", "swiss-roll"]


class PerceptronConfig(Config):
    """What all networks share: two rectified layers."""

    latent_size: int = Field(default=8, ge=1, le=65536)
    """Numbers of the code; of its style z alone where it also has a label part y."""
    width: int = Field(default=1000, ge=1, le=65536)
    """Units of each of the two hidden layers."""
    init_deviation: float = Field(default=0.01, gt=0, le=1)
    """Weights begin as N(0, this²), biases at 0 (appendix A.1)."""


class ImageConfig(PerceptronConfig):
    """What encoders and decoders share."""

    image_size: int = Field(default=28, ge=1, le=256)
    channels: int = Field(default=1, ge=1, le=64)


class InputConfig(ImageConfig):
    """What encoders share: what happens to the images while training."""

    input_noise: float = Field(default=0.0, ge=0, le=10)
    """Deviation of Gaussian noise on the pixels, which are in [0, 1]."""
    input_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the pixels that are set to 0."""
    batch_normalization: bool = False
    """Of every layer of the encoder, the last one too (appendix A.3)."""


class EncoderConfig(InputConfig):
    """q(z|x) of section 2.1."""

    posterior: Literal["deterministic", "gaussian", "universal"] = "deterministic"
    """A point; a Gaussian; or any distribution, as a function of the image and of noise η."""
    noise_size: int = Field(default=100, ge=1, le=65536)
    """Numbers of η, standard normal, where the posterior is `universal`."""


class ClassesEncoderConfig(InputConfig):
    """q(y|x) and q(z|x) of section 5, where y is the image's class."""

    latent_size: int = Field(default=10, ge=1, le=65536)
    input_noise: float = Field(default=0.3, ge=0, le=10)
    classes: int = Field(default=10, ge=1, le=65536)


class ClustersEncoderConfig(InputConfig):
    """q(y|x) and q(z|x) of section 6, where y is a cluster."""

    latent_size: int = Field(default=5, ge=1, le=65536)
    width: int = Field(default=3000, ge=1, le=65536)
    input_dropout: float = Field(default=0.2, ge=0, lt=1)
    batch_normalization: bool = True
    clusters: int = Field(default=30, ge=2, le=65536)


class HeadsEncoderConfig(InputConfig):
    """The representation of section 7: a cluster's head plus a style, of `latent_size` numbers."""

    latent_size: int = Field(default=2, ge=1, le=65536)
    clusters: int = Field(default=20, ge=2, le=65536)
    batch_normalization: bool = True


class DecoderConfig(ImageConfig):
    """p(x|z), and the prior p(z) that is imposed on the code."""

    prior: PriorName = "gaussian"
    """N(0, deviation²); a mixture of 2-D Gaussians around the origin; or a 2-D Swiss roll."""
    deviation: float = Field(default=5.0, gt=0, le=1000)
    """Of the Gaussian prior (5 for MNIST, appendix A.1); the other two are enlarged by it."""
    components: int = Field(default=10, ge=1, le=65536)
    """Gaussians of the mixture, or parts of the Swiss roll, one for each class."""

    @model_validator(mode="after")
    def _fits_the_prior(self) -> Self:
        if self.prior != "gaussian" and self.latent_size != 2:
            raise PydanticCustomError(
                "prior", "the prior {prior} needs latent_size 2", {"prior": self.prior}
            )
        return self


class ClassesDecoderConfig(ImageConfig):
    """p(x|y, z) of sections 4 and 5, where y is the image's class."""

    latent_size: int = Field(default=10, ge=1, le=65536)
    deviation: float = Field(default=1.0, gt=0, le=1000)
    """Of the Gaussian prior of the style."""
    classes: int = Field(default=10, ge=1, le=65536)


class ClustersDecoderConfig(ImageConfig):
    """p(x|y, z) of section 6, where y is a cluster."""

    latent_size: int = Field(default=5, ge=1, le=65536)
    width: int = Field(default=3000, ge=1, le=65536)
    deviation: float = Field(default=1.0, gt=0, le=1000)
    """Of the Gaussian prior of the style."""
    clusters: int = Field(default=30, ge=2, le=65536)


class HeadsDecoderConfig(ImageConfig):
    """Images of the representation of section 7."""

    latent_size: int = Field(default=2, ge=1, le=65536)
    deviation: float = Field(default=1.0, gt=0, le=1000)
    """Of the Gaussian prior of the style."""
    clusters: int = Field(default=20, ge=2, le=65536)


class LabelledDiscriminatorConfig(PerceptronConfig):
    """The discriminator of section 2.3, to which labels choose what it compares with."""

    latent_size: int = Field(default=2, ge=1, le=65536)
    classes: int = Field(default=10, ge=1, le=65536)
    """Classes of the labelled images; unlabelled ones are one class more."""


class ClassesDiscriminatorConfig(Config):
    """Judges y of section 5."""

    width: int = Field(default=1000, ge=1, le=65536)
    init_deviation: float = Field(default=0.01, gt=0, le=1)
    classes: int = Field(default=10, ge=1, le=65536)
    """Length of y."""


class ClustersDiscriminatorConfig(Config):
    """Judges y of sections 6 and 7."""

    width: int = Field(default=1000, ge=1, le=65536)
    init_deviation: float = Field(default=0.01, gt=0, le=1)
    clusters: int = Field(default=30, ge=2, le=65536)
    """Length of y."""


Epochs = Annotated[float, Field(gt=0, le=1e9)]


class AAEConfig(Config):
    """The phases of section 2: reconstruction and regularisation.

    By default one pass through the encoder serves both: its code is decoded and judged, and the
    discriminator learns from the same code. `separate` goes through the encoder three times a step,
    as the paper tells it.
    """

    separate: bool = False
    """Reconstruction, discriminator and generator in turns of their own, each on fresh codes."""
    adversarial_weight: float = Field(default=1.0, ge=0, le=1e6)
    """Of the deception beside half the squared error. At 1 the default optimisers' steps agree
    with those of separate turns: 0.01 / (1 - 0.9) = 0.1 and 0.1 / (1 - 0.1) = 0.11."""
    reconstruction_optimizer: Optimizer = SGD(lr=0.01, momentum=0.9)
    """Of encoder and decoder."""
    generator_optimizer: Optimizer = SGD(lr=0.1, momentum=0.1)
    """Of the encoder as the generator of codes, where its turn is separate."""
    discriminator_optimizer: Optimizer = SGD(lr=0.1, momentum=0.1)
    drops: tuple[Epochs, ...] = (50.0, 1000.0)
    """After so many epochs all learning rates fall to a tenth."""


class LabelledConfig(AAEConfig):
    """Section 2.3: some labels help to shape the code."""

    labelled: int = Field(default=10_000, ge=1, le=10**9)
    """Images whose labels are used (figure 4)."""


class SemiSupervisedConfig(AAEConfig):
    """Section 5: the third phase learns the classes of a few images."""

    labelled: int = Field(default=100, ge=1, le=10**9)
    """Images whose labels are used, evenly of all classes."""
    classification_optimizer: Optimizer = SGD(lr=0.1, momentum=0.9)


class ClusteringConfig(AAEConfig):
    """Section 6: no labels at all."""

    drops: tuple[Epochs, ...] = (50.0,)


class DimensionalityConfig(ClusteringConfig):
    """Section 7: clusters have heads, which are kept apart; labels may help."""

    labelled: int = Field(default=0, ge=0, le=10**9)
    """Images whose labels are used; none where 0."""
    classification_optimizer: Optimizer = SGD(lr=0.1, momentum=0.9)
    head_distance: float = Field(default=6.0, gt=0, le=1000)
    """η: heads nearer to each other than this are penalised by how much nearer they are."""
    head_weight: float = Field(default=1.0, ge=0, le=1e6)


CONFIGS: dict[str, type[Config]] = {
    "encoder/aae": EncoderConfig,
    "encoder/aae-classes": ClassesEncoderConfig,
    "encoder/aae-clusters": ClustersEncoderConfig,
    "encoder/aae-heads": HeadsEncoderConfig,
    "generator/aae": DecoderConfig,
    "generator/aae-classes": ClassesDecoderConfig,
    "generator/aae-clusters": ClustersDecoderConfig,
    "generator/aae-heads": HeadsDecoderConfig,
    "code_discriminator/aae": PerceptronConfig,
    "code_discriminator/aae-labelled": LabelledDiscriminatorConfig,
    "code_discriminator/aae-classes": ClassesDiscriminatorConfig,
    "code_discriminator/aae-clusters": ClustersDiscriminatorConfig,
    "trainer/aae": AAEConfig,
    "trainer/aae-labelled": LabelledConfig,
    "trainer/aae-semi-supervised": SemiSupervisedConfig,
    "trainer/aae-clustering": ClusteringConfig,
    "trainer/aae-dimensionality": DimensionalityConfig,
}
