"""The two sides of the game, each a scalar to be minimised."""

from ganzoo_core.components import AdversarialLoss, DiscriminatorOutput, logits_of
from torch import Tensor

from ganzoo_plugin_my_loss.config import LossConfig


class MyLossObjective(AdversarialLoss):
    """Least squares: real and fake logits are drawn to the labels b and a."""

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.real_label = config.real_label
        self.fake_label = config.fake_label

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Tensor:
        """Return ½ E[(D(x) − b)²] + ½ E[(D(G(z)) − a)²]."""
        real_error = (logits_of(real, self) - self.real_label).square().mean()
        fake_error = (logits_of(fake, self) - self.fake_label).square().mean()
        return 0.5 * (real_error + fake_error)

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return ½ E[(D(G(z)) − b)²]."""
        return 0.5 * (logits_of(fake, self) - self.real_label).square().mean()
