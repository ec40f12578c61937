"""The two objectives of section 3, on logits.

With D(x) = sigmoid(logit), log D(x) = −softplus(−logit) and log(1 − D(x)) = −softplus(logit).
"""

from torch import Tensor
from torch.nn.functional import softplus

from ganzoo_core.components import (
    AdversarialLoss,
    DiscriminatorOutput,
    PointwiseLoss,
    logits_of,
)


class MinimaxLoss(PointwiseLoss):
    """Equation 1: D maximises, and G minimises, E[log D(x)] + E[log(1 − D(G(z)))]."""

    def as_real(self, output: DiscriminatorOutput) -> Tensor:
        """Return −log D(x): [N, …]."""
        return softplus(-logits_of(output, self))

    def as_fake(self, output: DiscriminatorOutput) -> Tensor:
        """Return −log(1 − D(x)): [N, …]."""
        return softplus(logits_of(output, self))

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return E[log(1 − D(G(z)))], whose gradient vanishes where D is sure."""
        return -self.as_fake(fake).mean()


class NonSaturatingLoss(MinimaxLoss):
    """Section 3: the same fixed point, with strong gradients for G early in learning."""

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return −E[log D(G(z))]."""
        return self.as_real(fake).mean()


LOSSES: dict[str, type[AdversarialLoss]] = {
    "minimax": MinimaxLoss,
    "non-saturating": NonSaturatingLoss,
}
