"""Hyper-parameters of Tzeng et al. (2015)."""

from pydantic import Field

from ganzoo_core.components import SGD, Config, Optimizer


class ConfusionConfig(Config):
    """The two turns."""

    encoder_optimizer: Optimizer = SGD(lr=1e-3, momentum=0.9)
    """As is usual for fine-tuning in Caffe; the paper does not say."""
    discriminator_optimizer: Optimizer = SGD(lr=1e-3, momentum=0.9)
    confusion_weight: float = Field(default=0.01, ge=0, le=1e6)
    """λ, of the confusion loss beside that of the classes (equation 5)."""


CONFIGS: dict[str, type[Config]] = {"trainer/domain-confusion": ConfusionConfig}
