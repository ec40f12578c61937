"""Hyper-parameters; defaults are the paper's."""

from ganzoo_core.components import Config


class LossConfig(Config):
    """What the discriminator's logits are drawn to."""

    real_label: float = 1.0
    """Of real images; the generator draws its fakes there too."""
    fake_label: float = 0.0
    """Of generated images."""


CONFIGS: dict[str, type[Config]] = {
    "loss/my-loss": LossConfig,
}
