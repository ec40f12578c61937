"""How Algorithm 1 keeps the critic Lipschitz."""

import torch
from torch import nn

from ganzoo_core.components import Regularizer
from ganzoo_plugin_wgan.config import WeightClippingConfig


class WeightClipping(Regularizer):
    """Algorithm 1, line 7: w ← clip(w, −c, c) after each of the critic's updates."""

    def __init__(self, config: WeightClippingConfig) -> None:
        super().__init__()
        self.bound = config.bound

    @torch.no_grad()
    def constrain(self, discriminator: nn.Module) -> None:
        """Clip every weight, biases and gains of normalisation too, to ± `bound`."""
        for weight in discriminator.parameters():
            weight.clamp_(-self.bound, self.bound)
