"""What losses and regularisers promise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ganzoo_core.components.networks import DiscriminatorOutput
from ganzoo_core.components.noise import Noise
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

    def measured(self) -> Mapping[str, Tensor]:
        """Return what it knows of the game besides its value, as scalars worth a curve."""
        return {}


class PointwiseLoss(AdversarialLoss):
    """A discriminator's loss that is a mean over judgements of single images or patches.

    Then the targets of single images can be softened or exchanged: an image of target t costs
    t · as_real + (1 − t) · as_fake, which for cross-entropy is that of a soft label.
    """

    def as_real(self, output: DiscriminatorOutput) -> Tensor:
        """Return what the discriminator loses by each judgement of a real image: [N, …]."""
        raise TypeError(f"{type(self).__name__} does not implement as_real")

    def as_fake(self, output: DiscriminatorOutput) -> Tensor:
        """Return what the discriminator loses by each judgement of a fake: [N, …]."""
        raise TypeError(f"{type(self).__name__} does not implement as_fake")

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Tensor:
        """Return the mean over real images plus that over fakes."""
        return self.as_real(real).mean() + self.as_fake(fake).mean()

    def towards(self, targets: Tensor, output: DiscriminatorOutput) -> Tensor:
        """Return the mean loss of images with targets [N], 1 for real and 0 for fake."""
        as_real, as_fake = self.as_real(output), self.as_fake(output)
        weights = targets.view(-1, *[1] * (as_real.dim() - 1))
        return (weights * as_real + (1 - weights) * as_fake).mean()


@dataclass(frozen=True)
class Judged:
    """A discriminator's turn, as a regulariser sees it."""

    judge: Callable[[Tensor], DiscriminatorOutput]
    """The discriminator, with this batch's labels where it takes any."""
    real: Tensor
    """[N, C, H, W] in [-1, 1]"""
    fake: Tensor
    """[N, C, H, W] in [-1, 1], detached from the generator"""
    of_real: DiscriminatorOutput | None = None
    """What the discriminator has said of `real` in this turn, where the trainer hands it over."""


class Regularizer(nn.Module):
    """A penalty on the discriminator, or a constraint on its weights, beside any loss."""

    passes: float = 0.0
    """What `penalty` costs the discriminator at each of its updates, in forward-equivalents:
    6 for a norm of the gradient at one batch of images (forward 1, gradient 1, backward of both
    4)."""
    every: int = 1
    """At how many updates of the discriminator it is penalised once. Above 1 the penalty is
    lazy (Karras et al. 2020, appendix B): so many times as heavy, in an update of its own."""

    def penalty(self, judged: Judged, noise: Noise) -> Tensor | None:
        """Return what is added to the discriminator's loss, a scalar; None where nothing is."""
        return None

    def constrain(self, discriminator: nn.Module) -> None:
        """Change the discriminator's weights after each of its updates, such as by clipping."""


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


def errors_of(output: DiscriminatorOutput, loss: Loss) -> Tensor:
    """Return an autoencoding discriminator's reconstruction errors x − D(x): [N, C, H, W].

    Raises:
        UnsupportedError: the discriminator reconstructs nothing.
    """
    if output.reconstruction is None or output.images is None:
        raise UnsupportedError(
            f"the loss {type(loss).__name__} needs a discriminator that is an autoencoder, and "
            "this one is none; choose another --loss or another --discriminator"
        )
    return output.images - output.reconstruction
