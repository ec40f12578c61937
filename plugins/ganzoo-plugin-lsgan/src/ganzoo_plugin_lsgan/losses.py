"""The least squares objectives of section 3.2.

D(x) is the discriminator's output as it is: there is no sigmoid, so that a fake is pulled towards
its code from either side, and the harder the farther off it is.
"""

from torch import Tensor

from ganzoo_core.components import DiscriminatorOutput, PointwiseLoss, logits_of
from ganzoo_plugin_lsgan.config import LeastSquaresConfig


class LeastSquaresLoss(PointwiseLoss):
    """Equation 2.

    min_D ½E[(D(x) − b)²] + ½E[(D(G(z)) − a)²], and min_G ½E[(D(G(z)) − c)²].
    """

    def __init__(self, config: LeastSquaresConfig) -> None:
        super().__init__()
        self.a = config.a
        self.b = config.b
        self.c = config.c

    def as_real(self, output: DiscriminatorOutput) -> Tensor:
        """Return ½(D(x) − b)²: [N, …]."""
        return 0.5 * (logits_of(output, self) - self.b).square()

    def as_fake(self, output: DiscriminatorOutput) -> Tensor:
        """Return ½(D(x) − a)²: [N, …]."""
        return 0.5 * (logits_of(output, self) - self.a).square()

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return ½E[(D(G(z)) − c)²]."""
        return 0.5 * (logits_of(fake, self) - self.c).square().mean()
