"""R1: a discriminator that is flat where the real images are (Mescheder et al. 2018)."""

import torch
from torch import Tensor

from ganzoo_core.components import Judged, Noise, Regularizer
from ganzoo_core.errors import UnsupportedError
from ganzoo_plugin_stylegan.config import R1Config


class R1(Regularizer):
    """R₁ = γ/2 · E[‖∇D(x)‖²] over real images x: equation 9 of Mescheder et al. 2018."""

    passes = 6.0

    def __init__(self, config: R1Config) -> None:
        super().__init__()
        self.weight = config.weight
        self.every = config.every

    def penalty(self, judged: Judged, noise: Noise) -> Tensor:
        """Return the penalty, a scalar.

        Raises:
            UnsupportedError: the discriminator has no logits.
        """
        real = judged.real.detach().requires_grad_()
        logits = judged.judge(real).logits
        if logits is None:
            raise UnsupportedError(
                "the regulariser r1 needs a discriminator with logits, and this one has none; "
                "leave it out of --regularizer or choose another --discriminator"
            )
        (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
        return self.weight / 2 * gradient.float().flatten(1).square().sum(1).mean()
