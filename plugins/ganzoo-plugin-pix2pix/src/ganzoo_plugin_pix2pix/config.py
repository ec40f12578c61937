"""Hyper-parameters; defaults are the paper's (sections 3 and 6, "Appendix")."""

from typing import Literal, Self

from pydantic import Field, model_validator

from ganzoo_core.components import Adam, Config, Optimizer

Normalization = Literal["batch", "instance", "none"]
"""Over the batch, with learned gains; over each image, without any; or not at all."""

ReceptiveField = Literal[1, 16, 34, 70, 94, 142, 286]
"""Side in pixels of the patch that each judgement is of; 94 is PyTorch-GAN's, with strides only."""


class UNetConfig(Config):
    """The generator: an encoder down to one pixel, and a decoder that sees its layers again."""

    image_size: Literal[16, 32, 64, 128, 256, 512, 1024] = 256
    """Side of the images in pixels, and what sides of translated ones are multiples of: each level
    halves it, down to 1."""
    channels: int = Field(default=3, ge=1, le=64)
    width: int = Field(default=64, ge=1, le=1024)
    """Feature maps of the first level; they double with every level, up to eight times this."""
    normalization: Normalization = "batch"
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Probability, in the decoder's first three layers."""
    as_trained: bool = True
    """Whether translating is done as training is, which is the paper's way (section 3.4): dropout
    goes on, as the only source of noise, and batch normalisation takes the statistics of what is
    translated, of each image by itself. Else dropout rests and the statistics are the running
    averages of training."""
    slope: float = Field(default=0.2, ge=0, le=1)
    """Of the encoder's leaky rectifiers, where they are negative."""
    skip_slope: float = Field(default=0.0, ge=0, le=1)
    """Of the rectifiers through which the encoder's layers reach the decoder: the paper's let
    nothing negative through, PyTorch-GAN's are the encoder's."""
    last_upsampling: Literal["transposed", "nearest"] = "transposed"
    """What makes the image: a transposed convolution, or a convolution of repeated pixels as in
    PyTorch-GAN."""


class PatchGANConfig(Config):
    """The discriminator: a judgement of each patch, by convolutions alone."""

    image_size: int = Field(default=256, ge=1, le=4096)
    channels: int = Field(default=3, ge=1, le=64)
    width: int = Field(default=64, ge=1, le=1024)
    """Feature maps of the first layer; they double with every layer, up to eight times this."""
    receptive_field: ReceptiveField = 70
    normalization: Normalization = "batch"
    """Of all layers but the first and the last."""
    pairs: bool = False
    """Whether it judges pairs of images, the one behind the other: twice `channels`."""
    slope: float = Field(default=0.2, ge=0, le=1)
    """Of the leaky rectifiers, where they are negative."""

    @model_validator(mode="after")
    def _patches_fit(self) -> Self:
        smallest = 3 * 2 ** halvings(self.receptive_field)
        if self.receptive_field > 1 and self.image_size < smallest:
            raise ValueError(
                f"a receptive field of {self.receptive_field} takes images of {smallest} pixels "
                f"or more, and image_size is {self.image_size}; choose a smaller one"
            )
        return self


class PairedConfig(Config):
    """Section 3.1, equation 4, with the optimisers of section 3.3."""

    generator_optimizer: Optimizer = Adam(lr=2e-4, betas=(0.5, 0.999))
    discriminator_optimizer: Optimizer = Adam(lr=2e-4, betas=(0.5, 0.999))
    l1_weight: float = Field(default=100.0, ge=0, le=1e6)
    """λ of equation 4."""
    direction: Literal["ab", "ba"] = "ab"
    """Which image of a pair is given: the first, A, or the second, B."""
    decay_from: float = Field(default=1.0, ge=0, le=1)
    """Share of the steps after which the learning rates fall linearly to 0; 1 keeps them, as the
    paper does. The authors' code lets them fall from 0.5 on."""


def halvings(receptive_field: ReceptiveField) -> int:
    """Return how many layers of a PatchGAN halve the resolution."""
    return {1: 0, 16: 1, 34: 2, 70: 3, 94: 4, 142: 4, 286: 5}[receptive_field]


CONFIGS: dict[str, type[Config]] = {
    "generator/unet": UNetConfig,
    "discriminator/patchgan": PatchGANConfig,
    "trainer/paired": PairedConfig,
}
