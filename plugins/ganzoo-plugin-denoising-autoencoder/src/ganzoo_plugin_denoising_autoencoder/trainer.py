"""Greedy training of a stack, one layer a stage, and its fine-tuning as a classifier."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ganzoo_core.components import Batch, Losses, Parts, Phase, Stage, Step, Trainer
from ganzoo_core.errors import ConfigError, DataError, UnsupportedError
from ganzoo_plugin_denoising_autoencoder.config import StackedTrainerConfig
from ganzoo_plugin_denoising_autoencoder.corruption import corrupted
from ganzoo_plugin_denoising_autoencoder.networks import StackedDecoder, StackedEncoder

FINETUNING = "fine-tuning"


class StackedTrainer(Trainer):
    """Figures 3 and 4 of 2010: layer after layer learns to denoise, then all learn the classes.

    Without classes it ends with the last layer.
    """

    config: StackedTrainerConfig

    def __init__(self, config: StackedTrainerConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        encoder, decoder = parts.networks["encoder"], parts.networks["decoder"]
        if not isinstance(encoder, StackedEncoder) or not isinstance(decoder, StackedDecoder):
            raise UnsupportedError(
                "layers can be trained one after the other only where a decoder undoes each: the "
                "trainer stacked takes the encoder and the decoder stacked and no others; for "
                "others use the variant denoising-autoencoder"
            )
        if _sizes(encoder) != [size[::-1] for size in _sizes(decoder)]:
            raise ConfigError(
                "each layer of the encoder needs a decoder of its own size; set width and layers "
                "for both"
            )
        self.encoder = encoder
        self.decoder = decoder

    def stages(self) -> Sequence[Stage]:
        """Return a stage for each layer, and the fine-tuning where there are classes."""
        stages = [
            Stage(
                f"layer-{number}",
                (Phase(f"layer-{number}", ("encoder", "decoder"), self.config.pretraining),),
                self.config.layer_share,
            )
            for number in range(1, len(self.encoder.layers) + 1)
        ]
        if self.encoder.classes:
            phase = Phase(FINETUNING, ("encoder",), self.config.finetuning)
            stages.append(Stage(FINETUNING, (phase,), self.config.finetuning_share))
        return stages

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return a layer's error at denoising or the classifier's, each a mean in nats."""
        if phase.name == FINETUNING:
            return self._classification(batch)
        number = int(phase.name.removeprefix("layer-")) - 1
        # The layers below are done: they see clean images and are not to move.
        with torch.no_grad():
            clean = self.encoder.seen_by(number, batch.images)
            spoilt = corrupted(clean, self.encoder.config, step.noise)
        mended: Tensor = self.decoder.layers[number](self.encoder.layers[number](spoilt))
        costs = functional.binary_cross_entropy_with_logits(
            mended.float(), clean.float(), reduction="none"
        )
        return Losses(costs.sum(1).mean())

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step of the first layer, whose input needs no gradient."""
        return {"encoder": 2, "decoder": 3}

    def _classification(self, batch: Batch) -> Losses:
        if batch.labels is None:
            raise DataError(
                "fine-tuning needs the classes of images, and these data have none; leave it out "
                "with --set encoder.classes=0"
            )
        logits = self.encoder(batch.images).logits
        total = functional.cross_entropy(logits.float(), batch.labels)
        wrong = (logits.argmax(1) != batch.labels).float().mean()
        return Losses(total, {"error": wrong.detach()})


def _sizes(stack: StackedEncoder | StackedDecoder) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in stack.layers.parameters() if weight.dim() > 1]
