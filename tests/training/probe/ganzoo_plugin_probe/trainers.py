import time

import torch
from ganzoo_plugin_gan.config import AdversarialConfig
from ganzoo_plugin_gan.trainer import AdversarialTrainer

from ganzoo_core.components import Batch, Config, Losses, Parts, Phase, Step


class RememberingTrainer(AdversarialTrainer):
    """The discriminator also judges a noisy memory of all that it has seen."""

    def __init__(self, config: AdversarialConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.state["memory"] = torch.zeros(self.discriminator.image_shape)
        self.state["seen"] = torch.zeros((), dtype=torch.int64)

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        losses = super().loss(phase, batch, step)
        if phase.name != "discriminator":
            return losses
        noise = 0.1 * step.noise.normal(*batch.images.shape)
        self.state["memory"] = 0.9 * self.state["memory"] + (0.1 * batch.images + noise).mean(0)
        self.state["seen"] = self.state["seen"] + len(batch)
        judged = self.discriminator(self.state["memory"].expand_as(batch.images))
        share = len(batch) / self.state["seen"]
        return Losses(losses.total + share * judged.logits.square().mean(), losses.parts)


class TroubledConfig(AdversarialConfig):
    phase: str = "discriminator"
    nan_loss_at: int = 0
    """Step whose loss is not a number."""
    nan_gradient_at: int = 0
    """Step whose loss is finite and whose gradient is not."""
    rank: int = -1
    """The only process that is in trouble; -1 for all."""
    sleep_at: int = 0
    """Step that takes ten minutes."""


class TroubledTrainer(AdversarialTrainer):
    config: TroubledConfig

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        losses = super().loss(phase, batch, step)
        number = step.progress.step + 1
        if phase.name != self.config.phase or self.config.rank not in (-1, _rank()):
            return losses
        if number == self.config.sleep_at:
            print("asleep", flush=True)
            time.sleep(600)
        if number == self.config.nan_loss_at:
            return Losses(losses.total * float("nan"), losses.parts)
        if number == self.config.nan_gradient_at:
            weight = next(self.networks[phase.networks[0]].parameters())
            return Losses(losses.total + (0 * weight.sum()).sqrt(), losses.parts)
        return losses


def _rank() -> int:
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


TRAINERS = {"remembering": RememberingTrainer, "troubled": TroubledTrainer}
CONFIGS: dict[str, type[Config]] = {
    "trainer/remembering": AdversarialConfig,
    "trainer/troubled": TroubledConfig,
}
