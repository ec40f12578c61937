"""The training procedure: the network that translates against the one that judges pairs."""

from collections.abc import Mapping, Sequence

import torch
from ganzoo_core.components import (
    Batch,
    Discriminator,
    Losses,
    Parts,
    Phase,
    Step,
    Trainer,
    Translator,
)
from torch import Tensor
from torch.nn.functional import softplus

from ganzoo_plugin_my_translator.config import TrainerConfig


class MyTranslatorTrainer(Trainer):
    """Learns to bring images of A to B, from pairs."""

    config: TrainerConfig
    other = "paired"

    def __init__(self, config: TrainerConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.translator: Translator = parts.networks["ab"]
        self.discriminator: Discriminator = parts.networks["discriminator"]

    def phases(self) -> Sequence[Phase]:
        """Return the translator's turn, then the discriminator's on the same translations."""
        return (
            Phase("translator", ("ab",), self.config.translator_optimizer),
            Phase("discriminator", ("discriminator",), self.config.discriminator_optimizer),
        )

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the network of this phase minimises."""
        assert batch.other is not None  # the engine gives what `other` asks for
        source, truth = batch.images, batch.other.images
        if phase.name == "translator":
            translated = self.translator(source)
            step.reuse["translated"] = translated.detach()
            game = softplus(-self._judged(source, translated)).mean()
            distance = (translated - truth).abs().mean()
            parts = {"game": game.detach(), "distance": distance.detach()}
            return Losses(game + self.config.distance_weight * distance, parts)
        real = self._judged(source, truth)
        fake = self._judged(source, step.reuse["translated"])
        return Losses(softplus(-real).mean() + softplus(fake).mean())

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: 3 of the translator, 6 + 2 of the discriminator."""
        return {"ab": 3, "discriminator": 8}

    def _judged(self, source: Tensor, translation: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(torch.cat([source, translation], dim=1)).logits
        return logits
