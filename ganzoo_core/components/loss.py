"""What losses promise."""

from torch import Tensor, nn

from ganzoo_core.components.networks import DiscriminatorOutput
from ganzoo_core.errors import UnsupportedError


class Loss(nn.Module):
    """A loss of any kind; what it remembers between steps is kept in buffers and checkpointed."""


class AdversarialLoss(Loss):
    """The two sides of an adversarial game, each a scalar to be minimised."""

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Tensor:
        """Return the discriminator's (or critic's) loss, a scalar."""
        raise TypeError(f"{type(self).__name__} does not implement discriminator")

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return the generator's loss, a scalar."""
        raise TypeError(f"{type(self).__name__} does not implement generator")


def logits_of(output: DiscriminatorOutput, loss: Loss) -> Tensor:
    """Return a discriminator's logits, for a loss that cannot do without.

    Raises:
        UnsupportedError: the discriminator has none.
    """
    if output.logits is None:
        raise UnsupportedError(
            f"the loss {type(loss).__name__} needs a discriminator with logits, and this one has "
            "none; choose another --loss or another --discriminator"
        )
    return output.logits
