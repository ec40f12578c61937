"""Hyper-parameters; defaults are those of the authors' code for FFHQ, where the paper is silent."""

from ganzoo_plugin_progan.config import NetworkConfig, ProGANDiscriminatorConfig
from pydantic import Field

from ganzoo_core.components import Config


class StyleGANGeneratorConfig(NetworkConfig):
    """The style-based generator (figure 1b, section 2)."""

    latent_size: int = Field(default=512, ge=1, le=65536)
    style_size: int = Field(default=512, ge=1, le=65536)
    """Numbers of the intermediate latent w."""
    mapping_layers: int = Field(default=8, ge=1, le=64)
    mapping_width: int = Field(default=512, ge=1, le=65536)
    """Units of the mapping network's hidden layers."""
    mapping_rate: float = Field(default=0.01, gt=0, le=1)
    """Factor on the learning rate of the mapping network (appendix C)."""
    mixing: float = Field(default=0.9, ge=0, le=1)
    """Share of the images that are made of two styles in training (section 3.1, table 2)."""
    style_decay: float = Field(default=0.995, ge=0, lt=1)
    """Of the moving average of w, which truncation goes towards (the authors' code)."""
    truncation_cutoff: int | None = Field(default=8, ge=0, le=64)
    """Layers that truncation reaches unless told otherwise, from the first on: those up to 32²
    (appendix B); none for all of them."""
    epsilon: float = Field(default=1e-8, gt=0, le=1)
    """Added to the variance in AdaIN (the authors' code)."""
    shared_noise: bool = False
    """Give both layers of a resolution the same noise, as rosinality's port does."""
    bias_before_blur: bool = False
    """Add the bias of an upscaling layer before its blur, as rosinality's port does."""


class StyleGANDiscriminatorConfig(ProGANDiscriminatorConfig):
    """ProGAN's discriminator, with blurs; with classes it has a score for each of them."""


class R1Config(Config):
    """The zero-centred gradient penalty of Mescheder et al. 2018, section 4.1."""

    weight: float = Field(default=10.0, gt=0, le=1e6)
    """γ; half of it is what the squared gradient is multiplied by."""
    every: int = Field(default=1, ge=1, le=10_000)
    """At how many updates of the discriminator it is computed once, in an update of its own and
    so many times as heavy; Karras et al. 2020 (appendix B) take 16."""


CONFIGS: dict[str, type[Config]] = {
    "generator/stylegan": StyleGANGeneratorConfig,
    "discriminator/stylegan": StyleGANDiscriminatorConfig,
    "regularizer/r1": R1Config,
}
