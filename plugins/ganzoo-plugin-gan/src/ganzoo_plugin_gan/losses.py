"""The two objectives of section 3, on logits.

With D(x) = sigmoid(logit), log D(x) = −softplus(−logit) and log(1 − D(x)) = −softplus(logit).
"""

from torch import Tensor
from torch.nn.functional import softplus

from ganzoo_core.components import AdversarialLoss, DiscriminatorOutput, logits_of


class MinimaxLoss(AdversarialLoss):
    """Equation 1: D maximises, and G minimises, E[log D(x)] + E[log(1 − D(G(z)))]."""

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Tensor:
        """Return −E[log D(x)] − E[log(1 − D(G(z)))]."""
        return softplus(-logits_of(real, self)).mean() + softplus(logits_of(fake, self)).mean()

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return E[log(1 − D(G(z)))], whose gradient vanishes where D is sure."""
        return -softplus(logits_of(fake, self)).mean()


class NonSaturatingLoss(MinimaxLoss):
    """Section 3: the same fixed point, with strong gradients for G early in learning."""

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return −E[log D(G(z))]."""
        return softplus(-logits_of(fake, self)).mean()


LOSSES: dict[str, type[AdversarialLoss]] = {
    "minimax": MinimaxLoss,
    "non-saturating": NonSaturatingLoss,
}
