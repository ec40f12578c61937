"""Section 3: two translators that undo each other, each against a discriminator of its domain."""

from collections.abc import Mapping, Sequence

import torch
from ganzoo_plugin_pix2pix.trainer import (
    adversarial,
    discriminator_loss,
    linearly_decayed,
    penalty_passes,
)
from torch import Tensor

from ganzoo_core.components import (
    Batch,
    Discriminator,
    Losses,
    Noise,
    Parts,
    Phase,
    Progress,
    Step,
    Trainer,
    Translator,
)
from ganzoo_plugin_cyclegan.config import CycleConfig

WAYS = {"ab": ("a", "b"), "ba": ("b", "a")}
"""The domains that each translator goes from and to."""


class CycleTrainer(Trainer):
    """Equation 3 on images of two domains that are no pairs.

    The generators move first, together, and what they have just made goes to the discriminators
    through a history, as in the authors' code.
    """

    config: CycleConfig
    other = "unpaired"

    def __init__(self, config: CycleConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.translators: dict[str, Translator] = {way: parts.networks[way] for way in WAYS}
        self.discriminators: dict[str, Discriminator] = {
            domain: parts.networks[f"discriminator_{domain}"] for domain in "ab"
        }
        self.game = adversarial(parts.loss)

    def phases(self) -> Sequence[Phase]:
        """Return the generators' turn and the discriminators'."""
        config = self.config
        return (
            Phase(
                "generators",
                networks=("ab", "ba"),
                optimizer=config.generator_optimizer,
                schedule=self._decayed,
            ),
            Phase(
                "discriminators",
                networks=("discriminator_a", "discriminator_b"),
                optimizer=config.discriminator_optimizer,
                schedule=self._decayed,
                constrain=self._constrain,
            ),
        )

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the networks of this phase minimise together."""
        assert batch.other is not None
        real = {"a": batch.images, "b": batch.other.images}
        if phase.name == "generators":
            return self._generators_loss(real, step)
        return self._discriminators_loss(real, step)

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: 18 F_G + 16 F_D in all, 12 F_G without the identity loss."""
        translator = 9 if self._keeps_identity else 6
        discriminator = 8 + penalty_passes(self.regularizers)
        return {
            "ab": translator,
            "ba": translator,
            "discriminator_a": discriminator,
            "discriminator_b": discriminator,
        }

    @property
    def _keeps_identity(self) -> bool:
        return self.config.identity_weight * self.config.cycle_weight > 0

    def _generators_loss(self, real: Mapping[str, Tensor], step: Step) -> Losses:
        config = self.config
        terms: dict[str, Tensor] = {}
        total = torch.zeros((), device=real["a"].device)
        for way, (source, target) in WAYS.items():
            made = self.translators[way](real[source])
            step.reuse[target] = made.detach()
            back = self.translators[way[::-1]](made)
            terms[f"game_{way}"] = self.game.generator(self.discriminators[target](made))
            terms[f"cycle_{source}"] = (back - real[source]).abs().mean()
            total = total + terms[f"game_{way}"] + config.cycle_weight * terms[f"cycle_{source}"]
            if self._keeps_identity:
                kept = (self.translators[way](real[target]) - real[target]).abs().mean()
                terms[f"identity_{target}"] = kept
                total = total + config.cycle_weight * config.identity_weight * kept
        return Losses(total, {name: term.detach() for name, term in terms.items()})

    def _discriminators_loss(self, real: Mapping[str, Tensor], step: Step) -> Losses:
        total = torch.zeros((), device=real["a"].device)
        parts: dict[str, Tensor] = {}
        for domain, discriminator in self.discriminators.items():
            fake = self._from_history(domain, step.reuse[domain], step.noise)
            its, named = discriminator_loss(
                discriminator, self.game, self.regularizers, real[domain], fake, step.noise
            )
            total = total + its
            parts |= {f"{name}_{domain}": value for name, value in named.items()}
        return Losses(total, parts)

    def _from_history(self, domain: str, made: Tensor, noise: Noise) -> Tensor:
        """Exchange each image with probability one half for an older one, once enough are kept."""
        most = self.config.history
        if not most:
            return made
        name = f"history_{domain}"
        kept = self.state.get(name, made[:0])
        room = most - len(kept)
        if room:
            self.state[name] = kept = torch.cat([kept, made[:room]])
        exchanged = slice(room, room + most)
        new = made[exchanged]
        if not len(new):
            return made
        coins = noise.uniform(len(new)).view(-1, 1, 1, 1) < 0.5
        # No place is drawn twice in a batch, so that all of it is exchanged at once.
        places = noise.uniform(most).argsort()[: len(new)]
        old = kept[places]
        kept[places] = torch.where(coins, new, old)
        shown = made.clone()
        shown[exchanged] = torch.where(coins, old, new)
        return shown

    def _constrain(self) -> None:
        for regularizer in self.regularizers:
            for discriminator in self.discriminators.values():
                regularizer.constrain(discriminator)

    def _decayed(self, progress: Progress) -> float:
        return linearly_decayed(progress, self.config.decay_from)
