"""Learning from the source while the features of both domains are made alike.

`AdaptationTrainer` is what the papers of this family share: images of a labelled source and of a
target without labels, an encoder that names classes, a discriminator of domains.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ganzoo_core.components import (
    Batch,
    Code,
    Config,
    Encoder,
    Losses,
    Parts,
    Phase,
    Progress,
    Step,
    Trainer,
)
from ganzoo_core.errors import ConfigError, DataError, UnsupportedError
from ganzoo_plugin_dann.config import AnnealedConfig, DannConfig
from ganzoo_plugin_dann.losses import (
    classification,
    reversed_gradient,
    told_apart,
)


class AdaptationTrainer(Trainer):
    """An encoder that names classes and, where there is one, a discriminator of domains."""

    other = "unlabelled"

    def __init__(self, config: Config, parts: Parts) -> None:
        super().__init__(config, parts)
        self.encoder: Encoder = parts.networks["encoder"]
        if not self.encoder.classes:
            raise UnsupportedError(
                "domain adaptation needs an encoder that names classes, and this one names none; "
                "choose another --encoder, such as ganzoo-plugin-dann/lenet or timm:resnet50"
            )
        discriminator = parts.networks.get("discriminator")
        if discriminator is not None and discriminator.latent_shape != self.encoder.latent_shape:
            size = math.prod(self.encoder.latent_shape)
            raise ConfigError(
                f"the encoder's features have {size} numbers and the discriminator takes "
                f"{math.prod(discriminator.latent_shape)}; set discriminator.latent_size={size}"
            )

    def both(self, batch: Batch) -> Code:
        """Encode the images of both domains in one pass, the source's first."""
        code: Code = self.encoder(torch.cat([batch.images, target_of(batch).images]))
        return code


class SourceOnlyTrainer(AdaptationTrainer):
    """What there is without adaptation: the target is never looked at."""

    config: AnnealedConfig

    def phases(self) -> Sequence[Phase]:
        """Return the one phase."""
        schedule = annealed(self.config)
        return (Phase("classification", ("encoder",), self.config.optimizer, schedule),)

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return L_y on the source."""
        total, wrong = classification(self.encoder(batch.images), labels_of(batch))
        return Losses(total, {"error": wrong})

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: 3 F_encoder."""
        return {"encoder": 3}


class DannTrainer(AdaptationTrainer):
    """One phase for all three parts, which the gradient reversal makes a game (equation 18).

    One pass of both domains through the encoder serves the classes and the domains.
    """

    config: DannConfig

    def phases(self) -> Sequence[Phase]:
        """Return the one phase, in which encoder and discriminator learn together."""
        networks = ("encoder", "discriminator")
        return (Phase("adaptation", networks, self.config.optimizer, annealed(self.config)),)

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return L_y of the source plus L_d of both, whose gradient the encoder gets times -λ."""
        code = self.both(batch)
        strength = self.reversal(step.progress)
        judged = self.networks["discriminator"](reversed_gradient(code.mean, strength))
        classes, wrong = classification(code, labels_of(batch))
        domains, mistaken = told_apart(judged)
        return Losses(
            classes + domains,
            {
                "classes": classes.detach(),
                "domains": domains.detach(),
                "error": wrong,
                "domain_error": mistaken,
            },
        )

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: 6 F_encoder + 6 F_discriminator, both domains together."""
        return {"encoder": 6, "discriminator": 6}

    def reversal(self, progress: Progress) -> float:
        """Return λ, from 0 to its largest value (section 4)."""
        grown = 2 / (1 + math.exp(-self.config.gamma * progress.fraction)) - 1
        return self.config.reversal * grown


def annealed(config: AnnealedConfig) -> Callable[[Progress], float]:
    """Return the schedule of the rate: 1 / (1 + α p)^β, where p goes from 0 to 1 (section 4)."""
    return lambda progress: float((1 + config.alpha * progress.fraction) ** -config.beta)


def labels_of(batch: Batch) -> Tensor:
    """Return the source's labels.

    Raises:
        DataError: it has none.
    """
    if batch.labels is None:
        raise DataError("the source has no labels; choose a labelled --source")
    return batch.labels


def target_of(batch: Batch) -> Batch:
    """Return the target's images, which come without labels.

    Raises:
        DataError: there are none.
    """
    if batch.other is None:
        raise DataError("there is no target; name one with --target")
    return batch.other


TRAINERS: dict[str, type[AdaptationTrainer]] = {
    "dann": DannTrainer,
    "source-only": SourceOnlyTrainer,
}
