"""The game of section 4: the negative log-likelihood of equation 1, replaced by least squares."""

from torch import Tensor

from ganzoo_core.components import DiscriminatorOutput, PointwiseLoss, logits_of


class LeastSquaresLoss(PointwiseLoss):
    """D minimises E[(D(y) − 1)²] + E[D(G(x))²], and G minimises E[(D(G(x)) − 1)²].

    Without the factors of one half that Mao et al. 2017 have: λ weighs the cycles against this.
    """

    def as_real(self, output: DiscriminatorOutput) -> Tensor:
        """Return (D(y) − 1)²: [N, …]."""
        return (logits_of(output, self) - 1).square()

    def as_fake(self, output: DiscriminatorOutput) -> Tensor:
        """Return D(G(x))²: [N, …]."""
        return logits_of(output, self).square()

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return E[(D(G(x)) − 1)²]."""
        return self.as_real(fake).mean()
