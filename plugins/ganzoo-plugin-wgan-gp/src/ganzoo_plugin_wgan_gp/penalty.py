"""The penalty of equation 3, and the gradient's norm, which other papers penalise elsewhere."""

from collections.abc import Callable

import torch
from torch import Tensor

from ganzoo_core.components import DiscriminatorOutput, Judged, Noise, Regularizer
from ganzoo_core.errors import UnsupportedError
from ganzoo_plugin_wgan_gp.config import GradientPenaltyConfig


class GradientPenalty(Regularizer):
    """Equation 3, second term: λ·E[(‖∇D(x̂)‖₂ − 1)²], on both sides of 1.

    x̂ is drawn uniformly from the line between a real image and a fake, another point for each pair.
    The mean is that of this process's share of the batch.
    """

    passes = 6.0

    def __init__(self, config: GradientPenaltyConfig) -> None:
        super().__init__()
        self.weight = config.weight

    def penalty(self, judged: Judged, noise: Noise) -> Tensor:
        """Return the penalty, a scalar."""
        epsilon = noise.uniform(len(judged.real), 1, 1, 1)
        between = epsilon * judged.real + (1 - epsilon) * judged.fake
        return self.weight * (gradient_norms(judged.judge, between) - 1).square().mean()


def gradient_norms(judge: Callable[[Tensor], DiscriminatorOutput], images: Tensor) -> Tensor:
    """Return ‖∇ₓD(x)‖₂ of each image, over all its channels and pixels: [N], float32.

    Where D judges patches, D(x) is their mean, as it is in the losses. Always computed in 32 bits,
    since a gradient in half precision that no loss has scaled would vanish.

    Args:
        judge: the discriminator; nothing it says of one image may depend on another.
        images: [N, C, H, W]

    Raises:
        UnsupportedError: the discriminator has no logits.
    """
    points = images.detach().float().requires_grad_()
    with torch.autocast(points.device.type, enabled=False):
        logits = judge(points).logits
        if logits is None:
            raise UnsupportedError(
                "a penalty on the gradient needs a discriminator with logits, and this one has "
                "none; choose --regularizer none or another --discriminator"
            )
        scores = logits.reshape(len(points), -1).mean(1)
        # Each score depends on its own image alone, so the sum's gradient holds each one's.
        (gradients,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
        norms: Tensor = torch.linalg.vector_norm(gradients.flatten(1), dim=1)
        return norms
