"""Algorithm 1: the discriminator learns for k steps, the generator for one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganzoo_core.components import (
    AdversarialLoss,
    Batch,
    Discriminator,
    DiscriminatorOutput,
    Generator,
    Judged,
    Losses,
    Noise,
    Parts,
    Phase,
    PointwiseLoss,
    Progress,
    Regularizer,
    Step,
    Trainer,
    slowed,
)
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_plugin_gan.config import AdversarialConfig


@dataclass(frozen=True)
class Fakes:
    """Generated images, and what they were made of."""

    images: Tensor
    """[N, C, H, W] in [-1, 1]"""
    latents: Tensor
    """[N, …]"""
    labels: Tensor | None
    """[N], int64; None where the generator takes no classes."""


class AdversarialTrainer(Trainer):
    """A generator against a discriminator, with any adversarial loss and any regularisers.

    Real and fake images pass the discriminator in separate batches, so that batch normalisation
    sees either but never a mixture. A paper that adds terms to either side, such as a classifier's,
    extends `generator_terms` and `discriminator_terms`.
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
        self._lazy = {
            f"discriminator-{_words(type(regularizer).__name__)}": regularizer
            for regularizer in parts.regularizers
            if regularizer.every > 1
        }
        self._softens = bool(config.label_smoothing or config.label_noise or config.label_flipping)
        if self._softens and not isinstance(parts.loss, PointwiseLoss):
            raise ConfigError(
                f"the loss {type(parts.loss).__name__} has no targets to smooth or flip; leave "
                "trainer.label_smoothing, label_noise and label_flipping at 0"
            )

    def phases(self) -> Sequence[Phase]:
        """Return the discriminator's turn, those of its lazy penalties, and the generator's."""
        k = self.config.discriminator_steps
        moves = k + sum(1 / regularizer.every for regularizer in self._lazy.values())
        discriminator = Phase(
            "discriminator",
            networks=("discriminator",),
            optimizer=slowed(self.config.discriminator_optimizer, k / moves)
            if self._lazy
            else self.config.discriminator_optimizer,
            schedule=self._decayed,
            repeat=k,
            constrain=self._constrain,
        )
        lazy = [
            replace(
                discriminator,
                name=name,
                repeat=1,
                every=regularizer.every,
                optimizer_of=discriminator.name,
            )
            for name, regularizer in self._lazy.items()
        ]
        generator = Phase(
            "generator",
            networks=("generator",),
            optimizer=self.config.generator_optimizer,
            schedule=self._decayed,
        )
        if self.config.share_fake:
            return generator, discriminator, *lazy
        return discriminator, *lazy, generator

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the network of this phase minimises."""
        if phase.name == "generator":
            return self._generator_loss(batch, step)
        if phase.name in self._lazy:
            return self._lazy_loss(self._lazy[phase.name], step)
        return self._discriminator_loss(batch, step)

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: 4 F_G + 8 F_D, or 3 F_G + 8 F_D where the fakes are shared."""
        k = self.config.discriminator_steps
        drawn = k - 1 if self.config.share_fake else k
        lazy = self._lazy.values()
        penalties = sum(its.passes for its in self.regularizers if its not in lazy)
        rarely = sum(its.passes / its.every for its in lazy)
        return {"generator": 3 + drawn, "discriminator": (6 + penalties) * k + rarely + 2}

    def generator_terms(self, fake: DiscriminatorOutput, fakes: Fakes) -> Mapping[str, Tensor]:
        """Return what the generator minimises besides the game, as scalars by name."""
        return {}

    def discriminator_terms(
        self, real: DiscriminatorOutput, fake: DiscriminatorOutput, batch: Batch, fakes: Fakes
    ) -> Mapping[str, Tensor]:
        """Return what the discriminator minimises besides the game, as scalars by name."""
        return {}

    def _generator_loss(self, batch: Batch, step: Step) -> Losses:
        fakes = self._draw_fakes(batch, step)
        if self.config.share_fake:
            step.reuse["fakes"] = replace(fakes, images=fakes.images.detach())
        fake = self._judge(fakes.images, fakes.labels, step)
        game = self.adversarial_loss.generator(fake)
        return _with_terms(game, self.generator_terms(fake, fakes))

    def _discriminator_loss(self, batch: Batch, step: Step) -> Losses:
        fakes = step.reuse.get("fakes")
        if fakes is None:
            with torch.no_grad():
                fakes = self._draw_fakes(batch, step)
        if self.config.history:
            fakes = self._from_history(fakes, step.noise)
        real = self._judge(batch.images, batch.labels, step)
        fake = self._judge(fakes.images, fakes.labels, step)
        game = self._game(real, fake, step.noise)
        terms = dict(self.discriminator_terms(real, fake, batch, fakes))
        judged = Judged(
            lambda images: self._judge(images, batch.labels, step), batch.images, fakes.images, real
        )
        if self._lazy:
            # What was said of the real images is of the weights before this turn's update.
            step.reuse["judged"] = replace(judged, of_real=None)
        for regularizer in self.regularizers:
            if regularizer.every > 1:
                continue
            penalty = regularizer.penalty(judged, step.noise)
            if penalty is not None:
                terms[_words(type(regularizer).__name__)] = penalty
        losses = _with_terms(game, terms)
        parts = {**losses.parts, **self.adversarial_loss.measured()}
        if real.logits is not None and fake.logits is not None:
            parts["real_logit"] = real.logits.detach().mean()
            parts["fake_logit"] = fake.logits.detach().mean()
        return Losses(losses.total, parts)

    def _lazy_loss(self, regularizer: Regularizer, step: Step) -> Losses:
        """Return a penalty at the batch that the discriminator has just learned from."""
        penalty = regularizer.penalty(step.reuse["judged"], step.noise)
        if penalty is None:
            raise UnsupportedError(
                f"{type(regularizer).__name__} has no penalty to compute lazily; leave its "
                "setting every at 1"
            )
        return Losses(penalty * regularizer.every, {"penalty": penalty.detach()})

    def _game(self, real: DiscriminatorOutput, fake: DiscriminatorOutput, noise: Noise) -> Tensor:
        """Return the discriminator's side of the game, with softened targets where asked for."""
        loss, config = self.adversarial_loss, self.config
        if not self._softens or not isinstance(loss, PointwiseLoss):
            return loss.discriminator(real, fake)
        assert real.logits is not None or real.reconstruction is not None
        count = len(next(t for t in (real.logits, real.reconstruction) if t is not None))
        sides = []
        for output, target in ((real, 1 - config.label_smoothing), (fake, 0.0)):
            drawn = noise.uniform(count, 3)
            # Real images' targets move both ways, fakes' only up: there is nothing below 0.
            spread = drawn[:, 0] * 2 - 1 if target else drawn[:, 1]
            targets = target + config.label_noise * spread
            flipped = drawn[:, 2] < config.label_flipping
            sides.append(loss.towards(torch.where(flipped, 1 - targets, targets), output))
        return sides[0] + sides[1]

    def _judge(self, images: Tensor, labels: Tensor | None, step: Step) -> DiscriminatorOutput:
        if self.config.instance_noise:
            deviation = self.config.instance_noise * (1 - step.progress.fraction)
            images = images + deviation * step.noise.normal(*images.shape)
        output: DiscriminatorOutput = self.discriminator(
            images, labels if self.discriminator.classes else None
        )
        return output

    def _draw_fakes(self, batch: Batch, step: Step) -> Fakes:
        # The labels of the real images are a draw from how frequent the classes are.
        labels = batch.labels if self.generator.classes else None
        latents = self.generator.latents(len(batch), step.noise)
        return Fakes(self.generator(latents, labels), latents, batch.labels)

    def _from_history(self, fakes: Fakes, noise: Noise) -> Fakes:
        """Exchange half of the fakes for older ones, once enough are kept."""
        kept = self.state.get("history")
        if kept is None or len(kept) < self.config.history:
            room = self.config.history - (0 if kept is None else len(kept))
            self._keep("history", kept, fakes.images[:room])
            if fakes.labels is not None:
                self._keep("history_labels", self.state.get("history_labels"), fakes.labels[:room])
            return fakes
        half = min(len(fakes.images) // 2, len(kept))
        chosen = noise.uniform(len(kept)).argsort()[:half]
        images = torch.cat([kept[chosen], fakes.images[half:]])
        kept[chosen] = fakes.images[:half]
        labels = fakes.labels
        if labels is not None:
            kept_labels = self.state["history_labels"]
            labels = torch.cat([kept_labels[chosen], labels[half:]])
            assert fakes.labels is not None
            kept_labels[chosen] = fakes.labels[:half]
        return replace(fakes, images=images, labels=labels)

    def _keep(self, name: str, kept: Tensor | None, new: Tensor) -> None:
        self.state[name] = new.clone() if kept is None else torch.cat([kept, new])

    def _constrain(self) -> None:
        for regularizer in self.regularizers:
            regularizer.constrain(self.discriminator)

    def _decayed(self, progress: Progress) -> float:
        return float(self.config.learning_rate_decay**progress.step)


def _with_terms(game: Tensor, terms: Mapping[str, Tensor]) -> Losses:
    """Add terms to a game's loss; each is logged where there are any."""
    if not terms:
        return Losses(game)
    named = {"game": game, **terms}
    total = torch.stack([term.float() for term in named.values()]).sum()
    return Losses(total, {name: term.detach() for name, term in named.items()})


def _words(name: str) -> str:
    """Return a class's name as words: GradientPenalty becomes gradient_penalty."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
