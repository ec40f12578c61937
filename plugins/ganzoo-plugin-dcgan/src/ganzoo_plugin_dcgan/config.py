"""Hyper-parameters; defaults are the paper's (section 4 and figure 1)."""

from typing import Literal

from pydantic import Field

from ganzoo_core.components import Config

ImageSize = Literal[16, 32, 64, 128]


class DCGANGeneratorConfig(Config):
    """The generator of figure 1."""

    image_size: ImageSize = 64
    channels: int = Field(default=3, ge=1, le=64)
    latent_size: int = Field(default=100, ge=1, le=65536)
    width: int = Field(default=128, ge=1, le=4096)
    """Feature maps below the last layer; they double with every halving of the resolution."""
    prior: Literal["uniform", "normal", "sphere"] = "uniform"
    """Distribution of the latents: uniform in [-1, 1], standard normal, or uniform on the sphere of
    radius √latent_size, where nearly all of a normal one's mass is (White 2016, section 2)."""
    layer_noise: float = Field(default=0.0, ge=0, le=10)
    """Deviation of Gaussian noise on the activations of each hidden layer while training
    (Chintala et al. 2016, "How to train a GAN?", tip 13)."""


class DCGANDiscriminatorConfig(Config):
    """The discriminator, the generator's mirror image."""

    image_size: ImageSize = 64
    channels: int = Field(default=3, ge=1, le=64)
    width: int = Field(default=128, ge=1, le=4096)
    """Feature maps of the first layer; they double with every halving of the resolution."""
    normalization: Literal["batch", "layer", "none"] = "batch"
    """Of all layers but the first: over the batch (the paper), over each image (Ba et al. 2016), or
    none, as a penalty on the gradient at single images wants it (Gulrajani et al. 2017)."""
    slope: float = Field(default=0.2, ge=0, le=1)
    """Of the leaky rectifiers, where they are negative."""


CONFIGS: dict[str, type[Config]] = {
    "generator/dcgan": DCGANGeneratorConfig,
    "discriminator/dcgan": DCGANDiscriminatorConfig,
}
