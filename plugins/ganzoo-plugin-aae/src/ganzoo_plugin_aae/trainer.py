"""Reconstruction and regularisation (section 2), and the classification of section 5.

The discriminators judge codes: those of a prior are real, those of the encoder are fake.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot, relu

from ganzoo_core.components import (
    AdversarialLoss,
    Batch,
    CodeDiscriminator,
    DiscriminatorOutput,
    Losses,
    Parts,
    Phase,
    Progress,
    Step,
    Trainer,
)
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_plugin_aae.config import (
    AAEConfig,
    ClusteringConfig,
    DimensionalityConfig,
    LabelledConfig,
    SemiSupervisedConfig,
)
from ganzoo_plugin_aae.networks import (
    AAEClassesDecoder,
    AAEDecoder,
    AAEHeadsDecoder,
    AAEHeadsEncoder,
    LabelledCode,
)


@dataclass(frozen=True)
class Encoded:
    """Images as the encoder sees them."""

    inputs: Any
    """What the images are decoded from."""
    codes: Mapping[str, Tensor]
    """What each discriminator judges, by its role."""


class AAETrainer(Trainer):
    """An autoencoder whose codes a discriminator holds against a prior (sections 2 and 4).

    One pass through the encoder serves the reconstruction, the deception of the discriminator, and
    the discriminator itself, to which the codes go detached.
    """

    config: AAEConfig
    judges: tuple[str, ...] = ("discriminator",)
    """Roles of the discriminators."""

    def __init__(self, config: AAEConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.encoder = parts.networks["encoder"]
        self.decoder = parts.networks["decoder"]
        if not isinstance(parts.loss, AdversarialLoss):
            raise UnsupportedError(
                "an adversarial autoencoder needs an adversarial loss; choose another --loss"
            )
        self.adversarial_loss = parts.loss
        self._check_shapes()

    def phases(self) -> Sequence[Phase]:
        """Return the autoencoder's turn and the discriminators', or the paper's three."""
        config = self.config
        autoencoder = Phase(
            "reconstruction" if config.separate else "autoencoder",
            networks=("encoder", "decoder"),
            optimizer=config.reconstruction_optimizer,
            schedule=self._dropped,
            constrain=self.constrain,
        )
        discriminator = Phase(
            "discriminator",
            networks=self.judges,
            optimizer=config.discriminator_optimizer,
            schedule=self._dropped,
        )
        if not config.separate:
            return autoencoder, discriminator
        generator = Phase(
            "generator",
            networks=("encoder",),
            optimizer=config.generator_optimizer,
            schedule=self._dropped,
        )
        return autoencoder, discriminator, generator

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the networks of this phase minimise."""
        if phase.name == "discriminator":
            return self._discriminator_loss(batch, step)
        terms: dict[str, Tensor] = {}
        encoded = self.encoded(batch, step, judged=phase.name != "reconstruction")
        if phase.name != "generator":
            rebuilt = self.rebuilt(encoded, batch)
            terms["reconstruction"] = half_squared_error(batch.images, rebuilt)
            terms |= self.further_terms()
        if phase.name != "reconstruction":
            weight = 1.0 if phase.name == "generator" else self.config.adversarial_weight
            for role, codes in encoded.codes.items():
                said = self._judge(role, codes, batch)
                terms[f"deceiving_{role}"] = weight * self.adversarial_loss.generator(said)
        if phase.name == "autoencoder":
            step.reuse["codes"] = {role: codes.detach() for role, codes in encoded.codes.items()}
        total = torch.stack([term.float() for term in terms.values()]).sum()
        return Losses(total, {name: term.detach() for name, term in terms.items()})

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: 3 F_enc + 3 F_dec + 8 F_disc, or 7 F_enc in separate turns."""
        return {
            "encoder": 7 if self.config.separate else 3,
            "decoder": 3,
            **dict.fromkeys(self.judges, 8),
        }

    def encoded(self, batch: Batch, step: Step, *, judged: bool) -> Encoded:
        """Encode a batch; `judged` says whether discriminators will see the codes."""
        latents = self.encoder(batch.images).draw(step.noise)
        return Encoded(latents, {"discriminator": latents})

    def rebuilt(self, encoded: Encoded, batch: Batch) -> Tensor:
        """Decode what was encoded: [N, C, H, W]; a decoder with classes is given the labels."""
        labels = (batch.labels,) if self.decoder.classes else ()
        images: Tensor = self.decoder(encoded.inputs, *labels)
        return images

    def drawn(self, batch: Batch, step: Step) -> Mapping[str, Tensor]:
        """Draw as many codes from the prior of each discriminator as it judges of the encoder."""
        return {"discriminator": self.decoder.latents(len(batch), step.noise)}

    def labels_of(self, batch: Batch) -> Tensor | None:
        """Return the labels that the discriminator is told beside the codes; None where none."""
        return None

    def further_terms(self) -> Mapping[str, Tensor]:
        """Return what the autoencoder minimises besides, as scalars by name."""
        return {}

    def constrain(self) -> None:
        """Put right what must be after each of the autoencoder's updates."""

    def _discriminator_loss(self, batch: Batch, step: Step) -> Losses:
        codes = step.reuse.get("codes")
        if codes is None:
            with torch.no_grad():
                codes = self.encoded(batch, step, judged=True).codes
        losses, parts = [], {}
        for role, prior in self.drawn(batch, step).items():
            real, fake = (self._judge(role, its, batch) for its in (prior, codes[role]))
            losses.append(self.adversarial_loss.discriminator(real, fake))
            if real.logits is not None and fake.logits is not None:
                parts[f"{role}_prior_logit"] = real.logits.detach().mean()
                parts[f"{role}_code_logit"] = fake.logits.detach().mean()
        return Losses(torch.stack(losses).sum(), parts)

    def _judge(self, role: str, codes: Tensor, batch: Batch) -> DiscriminatorOutput:
        output: DiscriminatorOutput = self.networks[role](codes, self.labels_of(batch))
        return output

    def _dropped(self, progress: Progress) -> float:
        return float(0.1 ** sum(progress.epochs >= epochs for epochs in self.config.drops))

    def _check_shapes(self) -> None:
        for role, network in self.networks.items():
            if isinstance(network, CodeDiscriminator) and role == "discriminator":
                _check_same(role, network.latent_shape, "encoder", self.encoder.latent_shape)
        _check_same("decoder", self.decoder.latent_shape, "encoder", self.encoder.latent_shape)


class LabelledAAETrainer(AAETrainer):
    """Labels say which part of the prior the codes of some images should lie in (section 2.3).

    The discriminator judges each batch's codes as those of unlabelled images, against the whole
    prior, and with them the codes of labelled images against the parts of their classes.
    """

    config: LabelledConfig

    def __init__(self, config: LabelledConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.labelled = config.labelled
        classes = parts.networks["discriminator"].classes
        if not isinstance(self.decoder, AAEDecoder) or self.decoder.prior == "gaussian":
            raise ConfigError(
                "labels can choose a part of the priors mixture and swiss-roll only; set "
                "decoder.prior to one of them"
            )
        if not classes:
            raise UnsupportedError(
                "this discriminator takes no labels; choose another --discriminator, such as "
                "ganzoo-plugin-aae/aae-labelled"
            )
        if self.decoder.components != classes:
            raise ConfigError(
                f"the prior has {self.decoder.components} parts for {classes} classes; set "
                f"decoder.components={classes}"
            )

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: 6 F_enc + 3 F_dec + 16 F_disc, labelled images included."""
        encoder = 11 if self.config.separate else 6
        return {"encoder": encoder, "decoder": 3, "discriminator": 16}

    def encoded(self, batch: Batch, step: Step, *, judged: bool) -> Encoded:
        """Encode a batch, and with it the labelled images if they are to be judged."""
        if not judged:
            return super().encoded(batch, step, judged=judged)
        images = torch.cat([batch.images, _labelled(batch).images])
        codes = self.encoder(images).draw(step.noise)
        return Encoded(codes[: len(batch)], {"discriminator": codes})

    def drawn(self, batch: Batch, step: Step) -> Mapping[str, Tensor]:
        """Draw from the whole prior, and from the parts of the labelled images' classes."""
        labels = _labelled(batch).labels
        assert labels is not None
        whole = self.decoder.latents(len(batch), step.noise)
        return {"discriminator": torch.cat([whole, self.decoder.latents_of(labels, step.noise)])}

    def labels_of(self, batch: Batch) -> Tensor:
        """Return the extra class for each of the batch's images, then the labelled ones' own."""
        labels = _labelled(batch).labels
        assert labels is not None
        return torch.cat([torch.full_like(labels, self.decoder.components), labels])


class LabelAAETrainer(AAETrainer):
    """Codes have a label part y and a style z, each with a discriminator (sections 5 to 7).

    Where some images come with labels, a further phase teaches y their classes.
    """

    config: SemiSupervisedConfig | ClusteringConfig | DimensionalityConfig
    judges = ("style_discriminator", "label_discriminator")

    def __init__(
        self,
        config: SemiSupervisedConfig | ClusteringConfig | DimensionalityConfig,
        parts: Parts,
    ) -> None:
        super().__init__(config, parts)
        self.labelled = getattr(config, "labelled", 0)
        (self.labels,) = parts.networks["label_discriminator"].latent_shape
        (self.style,) = parts.networks["style_discriminator"].latent_shape
        self.constrain()

    def phases(self) -> Sequence[Phase]:
        """Return the phases of section 2 and, with labels, the classification."""
        if isinstance(self.config, ClusteringConfig) and not self.labelled:
            return super().phases()
        assert isinstance(self.config, SemiSupervisedConfig | DimensionalityConfig)
        classification = Phase(
            "classification",
            networks=("encoder",),
            optimizer=self.config.classification_optimizer,
            schedule=self._dropped,
        )
        return *super().phases(), classification

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the networks of this phase minimise."""
        if phase.name == "classification":
            return self._classification_loss(_labelled(batch), step)
        return super().loss(phase, batch, step)

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: with labels 3 F_enc more than without."""
        passes = super().passes()
        return {**passes, "encoder": passes["encoder"] + (3 if self.labelled else 0)}

    def encoded(self, batch: Batch, step: Step, *, judged: bool) -> Encoded:
        """Encode a batch as labels and styles."""
        code = self._code(batch.images)
        return Encoded(
            code,
            {"style_discriminator": _style(code), "label_discriminator": code.shares},
        )

    def rebuilt(self, encoded: Encoded, batch: Batch) -> Tensor:
        """Decode y, as probable as the encoder holds each class, and z: [N, C, H, W]."""
        code: LabelledCode = encoded.inputs
        if isinstance(self.decoder, AAEClassesDecoder):
            return self.decoder.mixed(_style(code), code.shares)
        images: Tensor = self.decoder(code.mean)
        return images

    def drawn(self, batch: Batch, step: Step) -> Mapping[str, Tensor]:
        """Draw styles from the Gaussian, and labels from the categorical distribution."""
        styles = self.decoder.deviation * step.noise.normal(len(batch), self.style)
        labels = one_hot(step.noise.integers(self.labels, len(batch)), self.labels)
        return {"style_discriminator": styles, "label_discriminator": labels.to(styles)}

    def further_terms(self) -> Mapping[str, Tensor]:
        """Return the penalty on heads that are too near to each other (section 7)."""
        config = self.config
        if not isinstance(config, DimensionalityConfig):
            return {}
        return {"heads": config.head_weight * nearness(self.encoder.heads, config.head_distance)}

    @torch.no_grad()
    def constrain(self) -> None:
        """Let the decoder's prior follow the encoder's heads."""
        if isinstance(self.encoder, AAEHeadsEncoder) and isinstance(self.decoder, AAEHeadsDecoder):
            self.decoder.heads.copy_(self.encoder.heads)

    def _classification_loss(self, batch: Batch, step: Step) -> Losses:
        assert batch.labels is not None
        # Once, since looking waits for the device.
        if not step.progress.step and int(batch.labels.max()) >= self.labels:
            raise ConfigError(
                f"the data have a class {int(batch.labels.max())} and the label part of the code "
                f"tells {self.labels} apart; set clusters to the number of classes, or more"
            )
        logits = self._code(batch.images).logits
        assert logits is not None
        wrong = (logits.detach().argmax(1) != batch.labels).float().mean()
        return Losses(cross_entropy(logits, batch.labels), {"error": wrong})

    def _code(self, images: Tensor) -> LabelledCode:
        code: LabelledCode = self.encoder(images)
        return code

    def _check_shapes(self) -> None:
        encoder, decoder = self.encoder, self.decoder
        _check_same("decoder", decoder.latent_shape, "encoder", encoder.latent_shape)


def half_squared_error(images: Tensor, rebuilt: Tensor) -> Tensor:
    """Return half the squared Euclidean distance, a mean over images, of pixels in [0, 1].

    Args:
        images: [N, C, H, W] in [-1, 1]
        rebuilt: the same shape.
    """
    return ((images - rebuilt) / 2).square().flatten(1).sum(1).mean() / 2


def nearness(heads: Tensor, distance: float) -> Tensor:
    """Return Σ over pairs of max(0, distance - |head - other head|) of heads [K, D]."""
    return relu(distance - torch.pdist(heads)).sum()


def _labelled(batch: Batch) -> Batch:
    assert batch.labelled is not None, "the engine brings the images that `labelled` asks for"
    return batch.labelled


def _style(code: LabelledCode) -> Tensor:
    assert code.style is not None
    return code.style


def _check_same(
    role: str, shape: tuple[int, ...], other: str, other_shape: tuple[int, ...]
) -> None:
    if tuple(shape) != tuple(other_shape):
        raise ConfigError(
            f"the {role} takes codes of shape {tuple(shape)} and the {other} makes "
            f"{tuple(other_shape)}; set latent_size for both at once"
        )


TRAINERS: dict[str, Callable[[Any, Parts], Trainer]] = {
    "aae": AAETrainer,
    "aae-labelled": LabelledAAETrainer,
    "aae-semi-supervised": LabelAAETrainer,
    "aae-clustering": LabelAAETrainer,
    "aae-dimensionality": LabelAAETrainer,
}
