"""Algorithm 2: the autoencoder learns with the discriminator's estimate, then the discriminator."""

from collections.abc import Mapping, Sequence

import torch
from ganzoo_plugin_vae.trainer import VAETrainer
from torch import Tensor
from torch.nn import functional

from ganzoo_core.components import (
    Batch,
    Code,
    CodeDiscriminator,
    Losses,
    Noise,
    Parts,
    Phase,
    Step,
)
from ganzoo_core.errors import ConfigError
from ganzoo_plugin_factor_vae.config import FactorVAEConfig


class FactorVAETrainer(VAETrainer):
    """A variational autoencoder that also pays for the total correlation of its codes.

    Each batch is two of the paper's: the autoencoder learns from the first half, and the
    discriminator tells its codes from those of the second half, permuted.
    """

    config: FactorVAEConfig

    def __init__(self, config: FactorVAEConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.discriminator: CodeDiscriminator = parts.networks["discriminator"]
        if self.discriminator.latent_shape != self.encoder.latent_shape:
            raise ConfigError(
                f"the encoder's codes have the shape {self.encoder.latent_shape} and the "
                f"discriminator judges {self.discriminator.latent_shape}; set latent_size for all"
            )

    def phases(self) -> Sequence[Phase]:
        """Return the autoencoder's turn and the discriminator's."""
        discriminator = Phase(
            "discriminator", ("discriminator",), self.config.discriminator_optimizer
        )
        return (*super().phases(), discriminator)

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the networks of this phase minimise."""
        first, second = halves(batch.images)
        if phase.name == "discriminator":
            return self._discriminator_loss(second, step)
        return self._autoencoder_loss(first, step)

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: of half a batch, 4 F_enc + 3 L F_dec + 8 F_D."""
        samples = self.config.samples
        return {"encoder": 2, "decoder": 1.5 * samples, "discriminator": 4}

    def _autoencoder_loss(self, images: Tensor, step: Step) -> Losses:
        """Return equation 2 with the estimate of equation 3 (the first update of Algorithm 2)."""
        code: Code = self.encoder(images)
        draws = self.draws(code, step.noise)
        step.reuse["codes"] = draws[0].detach()
        bound = self.negative_bound(images, code, draws, step)
        total_correlation = self._logits(draws[0]).mean()
        parts = {**bound.parts, "total_correlation": total_correlation.detach()}
        return Losses(bound.total + self.config.gamma * total_correlation, parts)

    def _discriminator_loss(self, images: Tensor, step: Step) -> Losses:
        """Return the cross-entropy of codes against permuted ones (the second update)."""
        with torch.no_grad():
            code: Code = self.encoder(images)
            permuted = permute_dims(code.draw(step.noise), step.noise)
        own, others = self._logits(step.reuse["codes"]), self._logits(permuted)
        loss = (functional.softplus(-own).mean() + functional.softplus(others).mean()) / 2
        told = torch.cat([own > 0, others < 0]).float().mean()
        return Losses(loss, {"accuracy": told})

    def _logits(self, codes: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(codes).logits
        return logits.float()


def permute_dims(codes: Tensor, noise: Noise) -> Tensor:
    """Return codes [N, D] in which each dimension is shuffled over the batch (Algorithm 1)."""
    order = noise.uniform(*codes.shape).argsort(0)
    return codes.gather(0, order)


def halves(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two batches that a batch of images [N, …] is made of.

    Raises:
        ConfigError: it cannot be halved.
    """
    if len(images) < 2 or len(images) % 2:
        raise ConfigError(
            f"FactorVAE learns from the two halves of each batch, and {len(images)} images cannot "
            "be halved; take an even --batch-size"
        )
    first, second = images.chunk(2)
    return first, second
