"""Hyper-parameters; defaults are within the ranges that the paper of 2010 searches (table 2)."""

from typing import Literal, Self

from ganzoo_plugin_autoencoder.config import ConvolutionalEncoderConfig, MLPEncoderConfig
from pydantic import Field, model_validator

from ganzoo_core.components import SGD, Config, Optimizer


class CorruptionConfig(Config):
    """How images are spoilt before an encoder sees them."""

    corruption: Literal["masking", "gaussian", "salt-and-pepper"] = "masking"
    level: float = Field(default=0.25, ge=0, le=10)
    """ν, the share of numbers that are spoilt; of `gaussian`, σ, where pixels go from 0 to 1."""

    @model_validator(mode="after")
    def _share_is_at_most_1(self) -> Self:
        if self.corruption != "gaussian" and self.level > 1:
            raise ValueError(f"the level of {self.corruption} is a share, at most 1")
        return self


class DenoisingMLPConfig(MLPEncoderConfig, CorruptionConfig):
    """The autoencoder's perceptrons on spoilt images."""


class DenoisingConvolutionalConfig(ConvolutionalEncoderConfig, CorruptionConfig):
    """The autoencoder's convolutions on spoilt images."""


class StackConfig(Config):
    """Logistic layers, as many units in each (table 2)."""

    image_size: int = Field(default=28, ge=1, le=256)
    channels: int = Field(default=1, ge=1, le=64)
    width: int = Field(default=1000, ge=1, le=65536)
    """Units of each layer; the paper tries 1,000, 2,000 and 3,000."""
    layers: int = Field(default=3, ge=1, le=16)


class StackedEncoderConfig(StackConfig, CorruptionConfig):
    """The stack, and a classifier above it where there are classes."""

    classes: int = Field(default=0, ge=0, le=65536)


class StackedTrainerConfig(Config):
    """Layer after layer, then all of them with the classifier."""

    pretraining: Optimizer = SGD(lr=0.01)
    """Moves one layer and its decoder."""
    finetuning: Optimizer = SGD(lr=0.1)
    """Moves all layers and the classifier."""
    layer_share: float = Field(default=1.0, gt=0, le=1000)
    """Weight of each layer's steps among all."""
    finetuning_share: float = Field(default=3.0, gt=0, le=1000)
    """Weight of the fine-tuning's steps among all."""


CONFIGS: dict[str, type[Config]] = {
    "encoder/denoising-mlp": DenoisingMLPConfig,
    "encoder/denoising-convolutional": DenoisingConvolutionalConfig,
    "encoder/stacked": StackedEncoderConfig,
    "generator/stacked": StackConfig,
    "trainer/stacked": StackedTrainerConfig,
}
