"""Algorithm 1: encoder and decoder climb the bound together."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ganzoo_core.components import (
    Batch,
    Code,
    Decoder,
    Encoder,
    Losses,
    Noise,
    Parts,
    Phase,
    Step,
    Trainer,
)
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_plugin_vae.config import VAEConfig
from ganzoo_plugin_vae.likelihoods import divergence


class VAETrainer(Trainer):
    """An encoder and a decoder on the variational bound, with any Gaussian encoder.

    A paper that weighs the divergence in another way overrides `weighed`.
    """

    config: VAEConfig

    def __init__(self, config: VAEConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.encoder: Encoder = parts.networks["encoder"]
        self.decoder: Decoder = parts.networks["decoder"]
        if not isinstance(self.decoder, Decoder):
            raise UnsupportedError(
                f"a variational autoencoder needs a decoder that says how likely images are, and "
                f"{type(self.decoder).__name__} does not; choose another --decoder"
            )
        if self.encoder.latent_shape != self.decoder.latent_shape:
            raise ConfigError(
                f"the encoder's codes have the shape {self.encoder.latent_shape} and the decoder "
                f"takes {self.decoder.latent_shape}; set latent_size for both"
            )

    def phases(self) -> Sequence[Phase]:
        """Return the only phase: both networks learn at once."""
        return (Phase("bound", ("encoder", "decoder"), self.config.optimizer),)

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return the negative bound of equation 10, a mean over the batch's images, in nats."""
        code: Code = self.encoder(batch.images)
        return self.negative_bound(batch.images, code, self.draws(code, step.noise), step)

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: 3 F_enc + 3 L F_dec."""
        return {"encoder": 3, "decoder": 3 * self.config.samples}

    def draws(self, code: Code, noise: Noise) -> list[Tensor]:
        """Return L draws of z = μ + σ ε, each [N, latent_size] (section 2.4)."""
        return [code.draw(noise) for _ in range(self.config.samples)]

    def negative_bound(
        self, images: Tensor, code: Code, draws: Sequence[Tensor], step: Step
    ) -> Losses:
        """Return reconstruction and divergence, each a mean over images in nats, and their sum."""
        kl = divergence(code).mean()
        likelihoods = [self.decoder.log_likelihood(images, latents) for latents in draws]
        reconstruction = -torch.stack(likelihoods).mean()
        parts = {"reconstruction": reconstruction.detach(), "kl": kl.detach()}
        return Losses(reconstruction + self.weighed(kl, step), parts)

    def weighed(self, kl: Tensor, step: Step) -> Tensor:
        """Return what the mean divergence of a batch costs, a scalar."""
        return self.config.beta * kl
