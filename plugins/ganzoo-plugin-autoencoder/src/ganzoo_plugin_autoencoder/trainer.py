"""Back-propagation of the reconstruction's error through decoder and encoder at once."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from ganzoo_core.components import (
    Batch,
    Code,
    Decoder,
    Encoder,
    Generator,
    Losses,
    Parts,
    Phase,
    Step,
    Trainer,
)
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_plugin_autoencoder.config import AutoencoderConfig
from ganzoo_plugin_autoencoder.networks import AutoencoderDecoder


class AutoencoderTrainer(Trainer):
    """An encoder and a decoder that learn to reconstruct images.

    Where the encoder denoises, it sees spoilt images, and the decoder is to make the clean ones. A
    paper that asks more of codes overrides `penalties`.
    """

    config: AutoencoderConfig

    def __init__(self, config: AutoencoderConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.encoder: Encoder = parts.networks["encoder"]
        self.decoder: Generator = parts.networks["decoder"]
        if self.encoder.latent_shape != self.decoder.latent_shape:
            raise ConfigError(
                f"the encoder's codes have the shape {self.encoder.latent_shape} and the decoder "
                f"takes {self.decoder.latent_shape}; set latent_size for both"
            )
        if config.error == "cross-entropy" and not isinstance(self.decoder, Decoder):
            raise UnsupportedError(
                "the cross-entropy of a reconstruction needs a decoder that says how likely images "
                f"are, and {type(self.decoder).__name__} does not; use "
                "--set trainer.error=squared, or choose another --decoder"
            )

    def phases(self) -> Sequence[Phase]:
        """Return the only phase: both networks learn at once."""
        return (Phase("reconstruction", ("encoder", "decoder"), self.config.optimizer),)

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return the mean error of the batch's reconstructions, and what their codes cost."""
        code: Code = self.encoder(self.encoder.corrupt(batch.images, step.noise))
        if isinstance(self.decoder, AutoencoderDecoder):
            self.decoder.observe(code.mean)
        error = self.errors(batch.images, code.mean).mean()
        penalties = self.penalties(code.mean, step)
        parts = {"error": error, **penalties}
        total = error + sum(penalties.values())
        return Losses(total, {name: part.detach() for name, part in parts.items()})

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: each network once forward, and backward with its weights."""
        return {"encoder": 3, "decoder": 3}

    def errors(self, images: Tensor, codes: Tensor) -> Tensor:
        """Return what the reconstruction of each image costs, summed over its pixels: [N].

        Either −Σ p log p̂ + (1 − p) log(1 − p̂), in nats, or ½ Σ (p − p̂)², where p and p̂ are the
        pixels from 0 to 1.
        """
        if isinstance(self.decoder, Decoder) and self.config.error == "cross-entropy":
            return -self.decoder.log_likelihood(images, codes)
        away: Tensor = (self.decoder(codes) - images).float() / 2
        return away.square().flatten(1).sum(1) / 2

    def penalties(self, codes: Tensor, step: Step) -> Mapping[str, Tensor]:
        """Return what codes [N, latent_size] cost besides, as scalars by name: nothing here."""
        return {}
