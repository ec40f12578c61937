"""The critic's objective, equation 3, and its gradient for the generator (theorem 3)."""

from torch import Tensor

from ganzoo_core.components import AdversarialLoss, DiscriminatorOutput, logits_of


class WassersteinLoss(AdversarialLoss):
    """Equation 3: max_w E[f_w(x)] − E[f_w(g(z))], the earth mover's distance up to a scale.

    It is one only for a critic that is K-Lipschitz, which a regulariser sees to.
    """

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Tensor:
        """Return E[f_w(g(z))] − E[f_w(x)]: minus the estimated distance."""
        return logits_of(fake, self).mean() - logits_of(real, self).mean()

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return −E[f_w(g(z))]."""
        return -logits_of(fake, self).mean()
