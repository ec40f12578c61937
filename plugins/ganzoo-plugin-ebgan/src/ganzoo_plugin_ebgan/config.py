"""Hyper-parameters; defaults are those of the paper's faces (section 4.3 and appendix C)."""

from typing import Literal

from pydantic import Field

from ganzoo_core.components import Config


class AutoencoderConfig(Config):
    """The discriminator: a convolutional autoencoder in the style of DCGAN."""

    image_size: Literal[16, 32, 64, 128] = 64
    channels: int = Field(default=3, ge=1, le=64)
    width: int = Field(default=64, ge=1, le=4096)
    """Feature maps of the first layer; they double with every halving of the resolution."""
    slope: float = Field(default=0.0, ge=0, le=1)
    """Of the rectifiers, where they are negative; 0 is the paper's ReLU."""
    init_deviation: float = Field(default=0.002, gt=0, le=1)
    """Weights begin normal with this standard deviation."""


class EnergyLossConfig(Config):
    """The margin, and the repelling of images that are alike."""

    margin: float = Field(default=20.0, gt=0, le=1e6)
    """m of equation 1: energy above which fakes are left alone, an L2 norm over all pixels of an
    image in [-1, 1]. The paper takes 10 for MNIST, 20 for CelebA and 80 for LSUN (64 pixels), 40
    and 80 for ImageNet at 128 and 256 pixels."""
    pulling_away: float = Field(default=0.1, ge=0, le=1000)
    """Weight of the pulling-away term in the generator's loss: the paper's EBGAN-PT has 0.1, its
    EBGAN 0."""


CONFIGS: dict[str, type[Config]] = {
    "discriminator/autoencoder": AutoencoderConfig,
    "loss/ebgan": EnergyLossConfig,
}
