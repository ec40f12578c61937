"""Features from which no domain can be told: the discriminator is to say one half of both."""

from collections.abc import Mapping, Sequence

from ganzoo_plugin_dann.losses import classification, told_apart
from ganzoo_plugin_dann.trainer import AdaptationTrainer, labels_of
from torch import Tensor
from torch.nn.functional import logsigmoid

from ganzoo_core.components import Batch, DiscriminatorOutput, Losses, Phase, Step
from ganzoo_plugin_domain_confusion.config import ConfusionConfig


class ConfusionTrainer(AdaptationTrainer):
    """Equations 3 and 4 in turns, as they cannot both be had at once.

    One pass of both domains through the encoder serves its classes, the confusion, and the
    discriminator, to which the features go detached.
    """

    config: ConfusionConfig

    def phases(self) -> Sequence[Phase]:
        """Return the encoder's turn and the discriminator's."""
        encoder = Phase("encoder", ("encoder",), self.config.encoder_optimizer)
        discriminator = Phase(
            "discriminator", ("discriminator",), self.config.discriminator_optimizer
        )
        return encoder, discriminator

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return L_C + λ L_conf for the encoder, L_D for the discriminator."""
        discriminator = self.networks["discriminator"]
        if phase.name == "discriminator":
            total, mistaken = told_apart(discriminator(step.reuse["codes"]))
            return Losses(total, {"domain_error": mistaken})
        code = self.both(batch)
        step.reuse["codes"] = code.mean.detach()
        classes, wrong = classification(code, labels_of(batch))
        confusion = confusion_loss(discriminator(code.mean))
        return Losses(
            classes + self.config.confusion_weight * confusion,
            {"classes": classes.detach(), "confusion": confusion.detach(), "error": wrong},
        )

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: 6 F_encoder + 10 F_discriminator, both domains together."""
        return {"encoder": 6, "discriminator": 10}


def confusion_loss(output: DiscriminatorOutput) -> Tensor:
    """Return L_conf: cross-entropy in nats between what is said of the domain and one half each.

    It is at least log 2, where the discriminator cannot tell at all.
    """
    assert output.logits is not None
    logits = output.logits.float()
    return -(logsigmoid(logits) + logsigmoid(-logits)).mean() / 2
