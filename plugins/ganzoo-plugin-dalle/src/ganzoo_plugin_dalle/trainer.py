"""The training of section 2: the codes, then the transformer over them, and the reranker beside."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ganzoo_core.components import (
    Batch,
    Code,
    Losses,
    Parts,
    Phase,
    Progress,
    Stage,
    Step,
    Trainer,
)
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_plugin_dalle.clip import CLIP, contrastive_loss
from ganzoo_plugin_dalle.config import CLIPTrainerConfig, DALLETrainerConfig, DVAETrainerConfig
from ganzoo_plugin_dalle.dvae import (
    CodeDecoder,
    CodeEncoder,
    perplexity,
    relaxed_codes,
    uniform_divergence,
)
from ganzoo_plugin_dalle.transformer import Transformer, cross_entropies

DVAE, TRANSFORMER, RERANKER = "dvae", "transformer", "reranker"


class DVAETrainer(Trainer):
    """Equation 1 for the autoencoder, by the relaxation of equation 2.

    Logged are `nll` and `kl` of the bound, `temperature`, how various the batch's codes are
    (`perplexity`), and how many codes no batch of late has used (`dead`).
    """

    config: DVAETrainerConfig

    def __init__(self, config: DVAETrainerConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        encoder, decoder = parts.networks["encoder"], parts.networks["decoder"]
        if not isinstance(encoder, CodeEncoder) or not isinstance(decoder, CodeDecoder):
            raise UnsupportedError(
                "the trainer dvae takes the encoders and decoders dvae and strided and no others: "
                "only they decode what lies between codes"
            )
        if encoder.codes != decoder.discrete or encoder.latent_shape != decoder.latent_shape:
            raise ConfigError(
                "the encoder and the decoder must have the same codes and groups; set each for "
                "both at once"
            )
        self.encoder, self.decoder = encoder, decoder
        self.state["last_used"] = torch.zeros(encoder.codes, dtype=torch.int64)

    def phases(self) -> Sequence[Phase]:
        """Return the one phase of the autoencoder."""
        phase = Phase(DVAE, ("encoder", "decoder"), self.config.optimizer, self._rate)
        return (phase,)

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return the bound of equation 1, a mean over all numbers of an image, in nats."""
        config, done = self.config, step.progress.step
        temperature = _cosine(
            done, config.temperature_steps, config.temperature, config.final_temperature
        )
        code = self.encoder(batch.images)
        assert code.indices is not None
        uniform = step.noise.uniform(len(batch), *code.mean.shape[1:])
        shares = relaxed_codes(code.mean, temperature, uniform)
        statistics = self.decoder.statistics(shares.to(code.mean.dtype))
        nll = self.decoder.negative_log_likelihood(batch.images, statistics)
        divergence = uniform_divergence(code.mean).mean() / batch.images[0].numel()
        weight = _cosine(done, config.kl_steps, 0.0, config.kl_weight)
        return Losses(
            nll + weight * divergence,
            {
                "nll": nll.detach(),
                "kl": divergence.detach(),
                "temperature": nll.new_tensor(temperature),
                **self._usage(code.indices, done),
            },
        )

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: one pass through each network and back."""
        return {"encoder": 3, "decoder": 3}

    def _rate(self, progress: Progress) -> float:
        return _cosine(progress.step, self.config.rate_steps, 1.0, self.config.final_rate)

    @torch.no_grad()
    def _usage(self, indices: Tensor, done: int) -> dict[str, Tensor]:
        counts = torch.bincount(indices.flatten(), minlength=self.encoder.codes)
        last_used = self.state["last_used"].to(counts.device)
        last_used = torch.where(counts > 0, done, last_used)
        self.state["last_used"] = last_used
        dead = (done - last_used >= self.config.dead_after).sum()
        return {"perplexity": perplexity(counts), "dead": dead.float()}


class CLIPTrainer(Trainer):
    """The reranker alone: images and captions of a batch find each other."""

    config: CLIPTrainerConfig

    def __init__(self, config: CLIPTrainerConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.reranker = _clip(parts)

    def phases(self) -> Sequence[Phase]:
        """Return the one phase of the reranker."""
        return (reranker_phase(self.config),)

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return the contrastive loss, in nats."""
        return reranker_loss(self.reranker, batch)

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: one pass and back."""
        return {"reranker": 3}


class DALLETrainer(DVAETrainer):
    """Both stages of section 2: equation 1 is maximised over the codes, then over the prior."""

    config: DALLETrainerConfig

    def __init__(self, config: DALLETrainerConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        prior = parts.networks["prior"]
        if not isinstance(prior, Transformer):
            raise UnsupportedError("the trainer dalle takes the prior transformer and no other")
        if prior.codes != self.encoder.codes or prior.latent_shape != self.encoder.latent_shape:
            raise ConfigError(
                "the transformer must have the codes and the groups of the autoencoder; set codes, "
                "groups and image_size for all parts at once"
            )
        self.prior = prior
        self.reranker = _clip(parts)

    def stages(self) -> Sequence[Stage]:
        """Return the stage of the codes, and that of the transformer and the reranker."""
        transformer = Phase(
            TRANSFORMER, ("prior",), self.config.transformer_optimizer, self._warmed_up
        )
        return (
            Stage(DVAE, self.phases(), self.config.dvae_share),
            Stage(
                TRANSFORMER,
                (transformer, reranker_phase(self.config)),
                self.config.transformer_share,
            ),
        )

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the networks of this phase minimise."""
        if phase.name == DVAE:
            return super().loss(phase, batch, step)
        if phase.name == RERANKER:
            return reranker_loss(self.reranker, batch)
        return self._transformer_loss(batch, step)

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step of the first stage."""
        return {**super().passes(), "prior": 0, "reranker": 0}

    def _transformer_loss(self, batch: Batch, step: Step) -> Losses:
        """Return the weighted mean of both cross-entropies (section 2.2), in nats."""
        assert batch.captions is not None, "the engine brings captions where a network reads them"
        config = self.config
        with torch.no_grad():
            codes = self._codes(batch.images, step)
        empty = step.noise.uniform(len(batch)) < config.empty_captions
        captions = batch.captions.masked_fill(empty[:, None], 0)
        text, image = cross_entropies(*self.prior.logits(codes, captions), captions, codes)
        total = config.text_weight * text + (1 - config.text_weight) * image
        return Losses(total, {"text": text.detach(), "image": image.detach()})

    def _codes(self, images: Tensor, step: Step) -> Tensor:
        code: Code = self.encoder(images)
        assert code.indices is not None
        if not self.config.drawn_codes:
            return code.indices
        uniform = step.noise.uniform(len(images), *code.mean.shape[1:])
        return relaxed_codes(code.mean, 1.0, uniform).argmax(1)

    def _warmed_up(self, progress: Progress) -> float:
        return warmed_up(progress, self.config.warmup)


def reranker_phase(config: CLIPTrainerConfig) -> Phase:
    """Return the phase in which the reranker learns."""
    return Phase(
        RERANKER,
        ("reranker",),
        config.reranker_optimizer,
        lambda progress: warmed_up(progress, config.reranker_warmup),
    )


def reranker_loss(reranker: CLIP, batch: Batch) -> Losses:
    """Return the contrastive loss, and the share of images that find their caption."""
    assert batch.captions is not None, "the engine brings captions where a network reads them"
    similarities = reranker.similarities(batch.images, batch.captions)
    found = batch.captions[similarities.detach().argmax(1)]
    right = (found == batch.captions).all(1).float().mean()
    return Losses(contrastive_loss(similarities, batch.captions), {"accuracy": right})


def warmed_up(progress: Progress, warmup: int) -> float:
    """Return a factor that rises to 1 over some steps and then falls to 0 by a cosine."""
    if progress.step < warmup:
        return (progress.step + 1) / warmup
    return _cosine(progress.step - warmup, max(1, progress.steps - warmup), 1.0, 0.0)


def _cosine(step: int, steps: int, start: float, end: float) -> float:
    """Return what goes from `start` to `end` over some steps, along half a period of a cosine."""
    share = min(1.0, step / steps)
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _clip(parts: Parts) -> CLIP:
    reranker = parts.networks["reranker"]
    if not isinstance(reranker, CLIP):
        raise UnsupportedError(
            "only the reranker clip can be trained; name a published one where images are drawn, "
            "as in ganzoo sample MODEL --rerank 64 --reranker hub:openai/clip-vit-base-patch32"
        )
    return reranker


TRAINERS: dict[str, Callable[[Any, Parts], Trainer]] = {
    "dvae": DVAETrainer,
    "clip": CLIPTrainer,
    "dalle": DALLETrainer,
}
