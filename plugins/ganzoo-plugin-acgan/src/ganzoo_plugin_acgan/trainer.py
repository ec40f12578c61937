"""Section 3: a discriminator that also names the class, of real images and of generated ones."""

from collections.abc import Mapping

from ganzoo_plugin_gan.trainer import AdversarialTrainer, Fakes
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganzoo_core.components import Batch, DiscriminatorOutput, Parts
from ganzoo_core.errors import UnsupportedError
from ganzoo_plugin_acgan.config import ACGANTrainerConfig


class ACGANTrainer(AdversarialTrainer):
    """The adversarial game, in which both players also want the class to be recognised.

    L_C = E[log P(C = c | X_real)] + E[log P(C = c | X_fake)]                                (3)

    The discriminator maximises L_S + L_C, and the generator L_C − L_S, where L_S is the game (2).
    """

    config: ACGANTrainerConfig

    def __init__(self, config: ACGANTrainerConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        if not self.generator.classes:
            raise UnsupportedError(
                "the acgan trainer needs a generator that takes classes; choose another "
                "--generator, such as acgan or conditional-dcgan"
            )

    def discriminator_terms(
        self, real: DiscriminatorOutput, fake: DiscriminatorOutput, batch: Batch, fakes: Fakes
    ) -> Mapping[str, Tensor]:
        """Return −L_C: real images' part of it, and generated images' unless that is left out."""
        terms = {"class_real": class_loss(real, batch.labels)}
        if self.config.classify_fakes:
            terms["class_fake"] = class_loss(fake, fakes.labels)
        return terms

    def generator_terms(self, fake: DiscriminatorOutput, fakes: Fakes) -> Mapping[str, Tensor]:
        """Return the part of −L_C that depends on the generator."""
        return {"class_fake": class_loss(fake, fakes.labels)}


def class_loss(judged: DiscriminatorOutput, labels: Tensor | None) -> Tensor:
    """Return −E[log P(C = c | X)] in nats, a scalar.

    Args:
        judged: with class logits [N, classes] in heads["class"]
        labels: [N], int64

    Raises:
        UnsupportedError: the discriminator names no class, or there are no labels.
    """
    if "class" not in judged.heads:
        raise UnsupportedError(
            "the acgan trainer needs a discriminator that names the class of an image, and this "
            "one does not; choose another --discriminator, such as acgan"
        )
    if labels is None:
        raise UnsupportedError("the acgan trainer needs labelled images; choose other --data")
    return cross_entropy(judged.heads["class"], labels)
