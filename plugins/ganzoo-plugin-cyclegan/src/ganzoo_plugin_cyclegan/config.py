"""Hyper-parameters; defaults are the paper's (sections 3, 4 and 7)."""

from typing import Literal

from pydantic import Field

from ganzoo_core.components import Adam, Config, Optimizer


class ResNetConfig(Config):
    """The generator of section 7.2, after Johnson et al. 2016."""

    image_size: Literal[16, 32, 64, 96, 128, 192, 256, 320, 384, 512] = 256
    channels: int = Field(default=3, ge=1, le=64)
    width: int = Field(default=64, ge=1, le=1024)
    """Feature maps of the first layer; the blocks have four times as many."""
    blocks: int | None = Field(default=None, ge=1, le=64)
    """Residual blocks; by default 9 for images of 256 pixels or more, and 6 below."""
    normalization: Literal["instance", "batch", "none"] = "instance"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability within the blocks while training; the paper has none."""
    padding: Literal["reflect", "replicate", "zeros"] = "reflect"
    """What lies beyond the borders for the convolutions of the blocks. The first and the last layer
    always see reflections."""
    upsampling: Literal["transposed", "nearest"] = "transposed"
    """How the resolution is doubled: by transposed convolutions, the paper's, or by convolutions of
    repeated pixels, as in PyTorch-GAN."""


class LossConfig(Config):
    """The loss of this paper has no hyper-parameters."""


class CycleConfig(Config):
    """Section 3.3, equation 3, with the details of sections 4 and 5.2."""

    generator_optimizer: Optimizer = Adam(lr=2e-4, betas=(0.5, 0.999))
    discriminator_optimizer: Optimizer = Adam(lr=2e-4, betas=(0.5, 0.999))
    cycle_weight: float = Field(default=10.0, ge=0, le=1e6)
    """λ of equation 3."""
    identity_weight: float = Field(default=0.5, ge=0, le=100)
    """Of the identity loss (section 5.2), as a share of `cycle_weight`; 0 leaves it out, and saves
    a third of the generators' work. The paper has it for paintings and photographs."""
    history: int = Field(default=50, ge=0, le=100_000)
    """Translated images of each domain that are kept for its discriminator (section 4)."""
    decay_from: float = Field(default=0.5, ge=0, le=1)
    """Share of the steps after which the learning rates fall linearly to 0; 1 keeps them."""


CONFIGS: dict[str, type[Config]] = {
    "generator/resnet": ResNetConfig,
    "loss/least-squares": LossConfig,
    "trainer/cycle": CycleConfig,
}
