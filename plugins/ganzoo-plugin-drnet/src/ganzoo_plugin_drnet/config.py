"""Hyper-parameters; defaults are those of the authors' code for moving digits of 64 pixels."""

from typing import Literal

from pydantic import Field

from ganzoo_core.components import Adam, Config, Optimizer

ImageSize = Literal[16, 32, 64, 128]


class _FramesConfig(Config):
    image_size: ImageSize = 64
    channels: int = Field(default=3, ge=1, le=64)
    width: int = Field(default=64, ge=1, le=1024)
    """Feature maps of the first layer; deeper ones have up to eight times as many."""


class ContentConfig(_FramesConfig):
    """E_c, of convolutions that halve (DCGAN) or of blocks with pooling between them (VGG)."""

    content_size: int = Field(default=128, ge=1, le=65536)
    """|h_c|, numbers of what stays."""
    skips: bool = True
    """Whether the decoder also takes the feature maps of each resolution (U-Net)."""


class PoseConfig(_FramesConfig):
    """E_p, of convolutions that halve (DCGAN) or of residual blocks (ResNet-18)."""

    pose_size: int = Field(default=10, ge=1, le=65536)
    """|h_p|, numbers of what moves: few, so that little else fits."""
    normalize: bool = False
    """Whether poses have length 1."""


class ComposerConfig(_FramesConfig):
    """D, which mirrors the content's encoder."""

    content_size: int = Field(default=128, ge=1, le=65536)
    pose_size: int = Field(default=10, ge=1, le=65536)
    skips: bool = True


class SceneConfig(Config):
    """C: two hidden layers on a pair of poses."""

    pose_size: int = Field(default=10, ge=1, le=65536)
    units: int = Field(default=100, ge=1, le=65536)
    """Of each hidden layer."""


class LSTMConfig(Config):
    """The network of section 3.1 that goes on with poses."""

    content_size: int = Field(default=128, ge=1, le=65536)
    pose_size: int = Field(default=10, ge=1, le=65536)
    cells: int = Field(default=256, ge=1, le=65536)
    """Of each layer."""
    layers: int = Field(default=2, ge=1, le=16)
    normalize: bool = False
    """Whether predicted poses have length 1, as those of the encoder then have."""


class DrNetConfig(Config):
    """Section 3, and section 3.1 as a second stage."""

    similarity_weight: float = Field(default=1.0, ge=0, le=1e6)
    """α."""
    adversarial_weight: float = Field(default=0.1, ge=0, le=1e6)
    """β."""
    max_step: int = Field(default=20, ge=2, le=100_000)
    """Frames among which the two of a clip are drawn: they are at most one less apart."""
    optimizer: Optimizer = Adam(lr=2e-3, betas=(0.9, 0.999))
    """Moves the encoders and the decoder."""
    scene_optimizer: Optimizer = Adam(lr=2e-3, betas=(0.9, 0.999))
    """Moves the scene discriminator."""
    past: int = Field(default=10, ge=1, le=10_000)
    """Frames that the LSTM sees before it predicts, the last of which gives the content."""
    future: int = Field(default=10, ge=1, le=10_000)
    """Frames after these that it learns to predict."""
    lstm_optimizer: Optimizer = Adam(lr=2e-4, betas=(0.9, 0.999))
    prediction_share: float = Field(default=1.0, gt=0, le=1000)
    """Weight of the LSTM's steps among all; the disentangling has 1."""


CONFIGS: dict[str, type[Config]] = {
    "encoder/dcgan-content": ContentConfig,
    "encoder/vgg-content": ContentConfig,
    "encoder/dcgan-pose": PoseConfig,
    "encoder/resnet-pose": PoseConfig,
    "composer/dcgan": ComposerConfig,
    "composer/vgg": ComposerConfig,
    "code_discriminator/scene": SceneConfig,
    "predictor/lstm": LSTMConfig,
    "trainer/drnet": DrNetConfig,
}
