"""The paper's penalty on the discriminator's gradient, around real images."""

from ganzoo_plugin_wgan_gp.penalty import gradient_norms
from torch import Tensor

from ganzoo_core.components import Judged, Noise, Regularizer
from ganzoo_plugin_dragan.config import DraganConfig


class Dragan(Regularizer):
    """λ·E[(‖∇D(x + δ)‖₂ − k)²] over real images x.

    The mean, and the deviation that δ is measured in, are those of this process's share of the
    batch.
    """

    passes = 6.0

    def __init__(self, config: DraganConfig) -> None:
        super().__init__()
        self.weight = config.weight
        self.norm = config.norm
        self.reach = config.reach

    def penalty(self, judged: Judged, noise: Noise) -> Tensor:
        """Return the penalty, a scalar; fakes play no part in it."""
        norms = gradient_norms(judged.judge, self.perturbed(judged.real, noise))
        return self.weight * (norms - self.norm).square().mean()

    def perturbed(self, images: Tensor, noise: Noise) -> Tensor:
        """Return x + δ for images x [N, C, H, W], whose pixels only become brighter.

        δ = α·c·std(x)·u, with u uniform in [0, 1) for each pixel, and α, for each image, how far it
        goes from the image to the perturbed one.
        """
        alpha = noise.uniform(len(images), 1, 1, 1)
        uniform = noise.uniform(*images.shape)
        return images + alpha * self.reach * images.std(correction=0) * uniform
