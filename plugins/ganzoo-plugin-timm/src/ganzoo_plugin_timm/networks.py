"""A backbone of timm (Wightman 2019) that encodes images."""

from typing import Any

import timm
import torch
from torch import Tensor, nn

from ganzoo_core.components import Code, Encoder
from ganzoo_core.errors import ConfigError, HubError, UnknownNameError
from ganzoo_plugin_timm.config import TimmEncoderConfig

SMALLEST_LOGARITHM, LARGEST_LOGARITHM = -10.0, 10.0
"""Bounds of the log-variance: its exponential must stay finite."""


class TimmEncoder(Encoder):
    """Images to codes: the backbone's pooled features, then one linear layer, then the classes."""

    def __init__(self, config: TimmEncoderConfig) -> None:
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.latent_size,)
        self.gaussian = config.gaussian
        self.classes = config.classes
        self.backbone = _backbone(config)
        # The mean and deviation that the published weights were trained under, in [-1, 1].
        about = self.backbone.pretrained_cfg
        for name in ("mean", "std"):
            values = about.get(name, (0.5,) * 3)
            values = values if len(values) == config.channels else (sum(values) / len(values),)
            self.register_buffer(f"pixel_{name}", torch.tensor(values).view(1, -1, 1, 1))
        self.to_code = nn.Linear(
            _features_of(self.backbone, config), config.latent_size * (2 if config.gaussian else 1)
        )
        self.to_classes = nn.Linear(config.latent_size, config.classes) if config.classes else None

    def forward(self, images: Tensor) -> Code:
        """Encode images [N, C, H, W] in [-1, 1]: codes [N, latent_size], and logits of classes."""
        mean, deviation = self.get_buffer("pixel_mean"), self.get_buffer("pixel_std")
        numbers: Tensor = self.to_code(self.backbone(((images + 1) / 2 - mean) / deviation))
        code, log_variance = numbers.chunk(2, dim=1) if self.gaussian else (numbers, None)
        if log_variance is not None:
            log_variance = log_variance.clamp(SMALLEST_LOGARITHM, LARGEST_LOGARITHM)
        return Code(code, log_variance, logits=self.to_classes(code) if self.to_classes else None)


def _features_of(backbone: nn.Module, config: TimmEncoderConfig) -> int:
    """Return how many features a backbone gives, which tells too whether it takes the images."""
    image = torch.zeros(1, config.channels, config.image_size, config.image_size)
    try:
        with torch.no_grad():
            features: Tensor = backbone.eval()(image)
    except RuntimeError as error:
        raise _unfit(config, error) from error
    backbone.train()
    return features.shape[1]


def _unfit(config: TimmEncoderConfig, error: Exception) -> ConfigError:
    said = " ".join(str(error).split())[:120].rstrip(".")
    return ConfigError(
        f"the backbone {config.backbone} does not take images of {config.image_size} pixels "
        f"({said}); choose another one or another --image-size"
    )


def _backbone(config: TimmEncoderConfig) -> Any:
    known = timm.list_models()
    name = config.backbone.partition(".")[0]
    if name not in known:
        raise UnknownNameError("backbone", config.backbone, known, "timm")
    # On the meta device no weight has a value: those that belong there are loaded afterwards.
    download = config.pretrained and torch.get_default_device().type != "meta"
    options: dict[str, Any] = {"in_chans": config.channels, "num_classes": 0}
    try:
        try:
            return timm.create_model(
                config.backbone, pretrained=download, img_size=config.image_size, **options
            )
        except TypeError:  # networks without position embeddings take images of any size
            return timm.create_model(config.backbone, pretrained=download, **options)
    except Exception as error:
        if not download:
            raise _unfit(config, error) from error
        said = " ".join(str(error).split())[:120].rstrip(".")
        raise HubError(
            f"the weights of {config.backbone} are not on this machine and cannot be downloaded "
            f"({type(error).__name__}: {said}); connect to the Hub once, or set "
            "encoder.pretrained=false"
        ) from error
