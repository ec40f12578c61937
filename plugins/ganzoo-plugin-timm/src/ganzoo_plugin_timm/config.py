"""Hyper-parameters of the encoder."""

from pydantic import Field

from ganzoo_core.components import Config


class TimmEncoderConfig(Config):
    """A backbone and the code on top of it."""

    backbone: str = Field(default="resnet18", pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)?$")
    """Name in timm, with or without the tag of its weights, such as `resnet18.a1_in1k`."""
    pretrained: bool = False
    """Begin with timm's published weights, which are downloaded once."""
    image_size: int = Field(default=32, ge=1, le=4096)
    channels: int = Field(default=3, ge=1, le=64)
    latent_size: int = Field(default=64, ge=1, le=65536)
    classes: int = Field(default=0, ge=0, le=65536)
    """Classes that a linear layer on top of the code tells apart, or 0; variants that classify are
    told by the data."""
    gaussian: bool = False
    """Give a mean and a log-variance rather than a point."""


CONFIGS: dict[str, type[Config]] = {"encoder/timm": TimmEncoderConfig}
