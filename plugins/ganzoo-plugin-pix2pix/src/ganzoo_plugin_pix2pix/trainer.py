"""Section 3.1: a conditional GAN that judges pairs, and the distance to the truth."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ganzoo_core.components import (
    AdversarialLoss,
    Batch,
    Discriminator,
    Judged,
    Loss,
    Losses,
    Noise,
    Parts,
    Phase,
    Progress,
    Regularizer,
    Step,
    Trainer,
    Translator,
)
from ganzoo_core.errors import UnsupportedError
from ganzoo_plugin_pix2pix.config import PairedConfig


class PairedTrainer(Trainer):
    """A translator that learns from pairs, against a discriminator of pairs or of single images.

    The generator moves first, so that the images that it has just made serve the discriminator.
    """

    config: PairedConfig
    other = "paired"

    def __init__(self, config: PairedConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.translator: Translator = parts.networks["ab"]
        self.discriminator: Discriminator = parts.networks["discriminator"]
        self.game = adversarial(parts.loss)

    def phases(self) -> Sequence[Phase]:
        """Return the generator's turn and the discriminator's."""
        config = self.config
        return (
            Phase(
                "generator",
                networks=("ab",),
                optimizer=config.generator_optimizer,
                schedule=self._decayed,
            ),
            Phase(
                "discriminator",
                networks=("discriminator",),
                optimizer=config.discriminator_optimizer,
                schedule=self._decayed,
                constrain=self._constrain,
            ),
        )

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the network of this phase minimises."""
        assert batch.other is not None
        given, wanted = batch.images, batch.other.images
        if self.config.direction == "ba":
            given, wanted = wanted, given
        if phase.name == "generator":
            return self._generator_loss(given, wanted, step)
        real, fake = self._judged(given, wanted), self._judged(given, step.reuse["made"])
        total, parts = discriminator_loss(
            self.discriminator, self.game, self.regularizers, real, fake, step.noise
        )
        return Losses(total, parts)

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: 3 F_G + 8 F_D."""
        return {"ab": 3, "discriminator": 8 + penalty_passes(self.regularizers)}

    def _generator_loss(self, given: Tensor, wanted: Tensor, step: Step) -> Losses:
        made = self.translator(given)
        step.reuse["made"] = made.detach()
        game = self.game.generator(self.discriminator(self._judged(given, made)))
        distance = (made - wanted).abs().mean()
        total = game + self.config.l1_weight * distance
        return Losses(total, {"game": game.detach(), "l1": distance.detach()})

    def _judged(self, given: Tensor, answer: Tensor) -> Tensor:
        """Return what the discriminator sees: the pair, or the answer alone."""
        if self.discriminator.image_shape[0] == answer.shape[1]:
            return answer
        return torch.cat([given, answer], 1)

    def _constrain(self) -> None:
        for regularizer in self.regularizers:
            regularizer.constrain(self.discriminator)

    def _decayed(self, progress: Progress) -> float:
        return linearly_decayed(progress, self.config.decay_from)


def adversarial(loss: Loss | None) -> AdversarialLoss:
    """Return the recipe's loss, which must be one side against another.

    Raises:
        UnsupportedError: it is of another kind.
    """
    if not isinstance(loss, AdversarialLoss):
        raise UnsupportedError(
            "translators are trained on an adversarial loss; choose another --loss"
        )
    return loss


def discriminator_loss(
    discriminator: Discriminator,
    game: AdversarialLoss,
    regularizers: Sequence[Regularizer],
    real: Tensor,
    fake: Tensor,
    noise: Noise,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return half of the discriminator's side of the game, which slows it down, and its penalties.

    Args:
        discriminator: whose turn it is.
        game: the loss.
        regularizers: the recipe's.
        real: images that are real, or pairs [N, C, H, W].
        fake: images or pairs that a generator made, detached.
        noise: for regularisers that draw.

    Returns:
        the scalar to minimise, and detached scalars to log.
    """
    judged_real, judged_fake = discriminator(real), discriminator(fake)
    total = 0.5 * game.discriminator(judged_real, judged_fake)
    for regularizer in regularizers:
        penalty = regularizer.penalty(Judged(discriminator, real, fake, judged_real), noise)
        if penalty is not None:
            total = total + penalty
    parts = dict(game.measured())
    for name, output in (("real_logit", judged_real), ("fake_logit", judged_fake)):
        if output.logits is not None:
            parts[name] = output.logits.detach().mean()
    return total, parts


def penalty_passes(regularizers: Sequence[Regularizer]) -> float:
    """Return what the penalties of a turn cost a discriminator, in forward-equivalents."""
    return sum(regularizer.passes for regularizer in regularizers)


def linearly_decayed(progress: Progress, start: float) -> float:
    """Return a factor of 1 up to the share `start` of the steps, then falling linearly to 0."""
    if progress.fraction <= start:
        return 1.0
    return (1 - progress.fraction) / (1 - start)
