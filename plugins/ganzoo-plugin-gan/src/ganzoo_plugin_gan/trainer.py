"""Algorithm 1: the discriminator learns for k steps, the generator for one."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ganzoo_core.components import (
    AdversarialLoss,
    Batch,
    Discriminator,
    Generator,
    Losses,
    Parts,
    Phase,
    Progress,
    Step,
    Trainer,
)
from ganzoo_core.errors import UnsupportedError
from ganzoo_plugin_gan.config import AdversarialConfig


class AdversarialTrainer(Trainer):
    """A generator against a discriminator, with any adversarial loss.

    Real and fake images pass the discriminator in separate batches, so that batch normalisation
    sees either but never a mixture.
    """

    config: AdversarialConfig

    def __init__(self, config: AdversarialConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.generator: Generator = parts.networks["generator"]
        self.discriminator: Discriminator = parts.networks["discriminator"]
        if not isinstance(parts.loss, AdversarialLoss):
            raise UnsupportedError(
                "the adversarial trainer needs an adversarial loss; choose another --loss"
            )
        self.adversarial_loss = parts.loss

    def phases(self) -> Sequence[Phase]:
        """Return the discriminator's turn and the generator's."""
        discriminator = Phase(
            "discriminator",
            networks=("discriminator",),
            optimizer=self.config.discriminator_optimizer,
            schedule=self._decayed,
            repeat=self.config.discriminator_steps,
        )
        generator = Phase(
            "generator",
            networks=("generator",),
            optimizer=self.config.generator_optimizer,
            schedule=self._decayed,
        )
        if self.config.share_fake:
            return generator, discriminator
        return discriminator, generator

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the network of this phase minimises."""
        if phase.name == "generator":
            fakes = self._fakes(len(batch), step)
            if self.config.share_fake:
                step.reuse["fakes"] = fakes.detach()
            return Losses(self.adversarial_loss.generator(self.discriminator(fakes)))
        shared = step.reuse.get("fakes")
        with torch.no_grad():
            fakes = self._fakes(len(batch), step) if shared is None else shared
        real, fake = self.discriminator(batch.images), self.discriminator(fakes)
        total = self.adversarial_loss.discriminator(real, fake)
        if real.logits is None or fake.logits is None:
            return Losses(total)
        means = {
            "real_logit": real.logits.detach().mean(),
            "fake_logit": fake.logits.detach().mean(),
        }
        return Losses(total, means)

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: 4 F_G + 8 F_D, or 3 F_G + 8 F_D where the fakes are shared."""
        k = self.config.discriminator_steps
        drawn = k - 1 if self.config.share_fake else k
        return {"generator": 3 + drawn, "discriminator": 6 * k + 2}

    def _fakes(self, count: int, step: Step) -> Tensor:
        images: Tensor = self.generator(self.generator.latents(count, step.noise))
        return images

    def _decayed(self, progress: Progress) -> float:
        return float(self.config.learning_rate_decay**progress.step)
