"""Pretraining on the source, then an encoder of the target's own against a discriminator."""

from collections.abc import Mapping, Sequence

import torch
from ganzoo_plugin_dann.losses import classification, taken_for_source, told_apart
from ganzoo_plugin_dann.trainer import AdaptationTrainer, labels_of, target_of

from ganzoo_core.components import Batch, Code, Encoder, Losses, Parts, Phase, Stage, Step
from ganzoo_core.errors import UnsupportedError
from ganzoo_plugin_adda.config import AddaConfig


class AddaTrainer(AdaptationTrainer):
    """M_s with C, then M_t against D, where M_t begins as M_s (figure 3 of the paper).

    C is the last layer of either encoder: no gradient of the adaptation reaches it, so that the
    target's is the source's to the end.
    """

    config: AddaConfig

    def __init__(self, config: AddaConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.source_encoder: Encoder = parts.networks["source_encoder"]
        if _shapes(self.source_encoder) != _shapes(self.encoder):
            raise UnsupportedError(
                "the target's encoder begins with the source's weights, so the two must be alike; "
                "give --encoder and --source-encoder the same component and settings"
            )

    def stages(self) -> Sequence[Stage]:
        """Return the pretraining and the adaptation."""
        pretraining = Phase("pretraining", ("source_encoder",), self.config.pretraining)
        mapping = Phase("mapping", ("encoder",), self.config.mapping)
        discriminator = Phase("discriminator", ("discriminator",), self.config.discriminator)
        return (
            Stage("pretraining", (pretraining,), self.config.pretraining_share),
            Stage(
                "adaptation",
                (mapping, discriminator),
                self.config.adaptation_share,
                begin=self.begin_as_source,
            ),
        )

    def begin_as_source(self) -> None:
        """Give the target's encoder the weights of the source's (section 4)."""
        self.encoder.load_state_dict(self.source_encoder.state_dict())

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the network of this phase minimises (equation 9)."""
        if phase.name == "pretraining":
            total, wrong = classification(self.source_encoder(batch.images), labels_of(batch))
            return Losses(total, {"error": wrong})
        discriminator = self.networks["discriminator"]
        if phase.name == "mapping":
            code: Code = self.encoder(target_of(batch).images)
            step.reuse["target"] = code.mean.detach()
            # Flipped labels: what is the target's shall be taken for the source's.
            return Losses(taken_for_source(discriminator(code.mean)))
        with torch.no_grad():
            source = self.source_encoder(batch.images).mean
        codes = torch.cat([source, step.reuse["target"]])
        total, mistaken = told_apart(discriminator(codes))
        return Losses(total, {"domain_error": mistaken})

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step of the pretraining: 3 F_source_encoder.

        One of the adaptation costs 3 F_encoder + F_source_encoder + 8 F_discriminator.
        """
        return {"source_encoder": 3, "encoder": 0, "discriminator": 0}


def _shapes(encoder: Encoder) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in encoder.state_dict().items()}
