"""Equation 6: the adversarial game, in which the images must also tell what codes they show."""

from collections.abc import Mapping

from ganzoo_plugin_gan.trainer import AdversarialTrainer, Fakes
from torch import Tensor

from ganzoo_core.components import Batch, DiscriminatorOutput, Parts
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_plugin_infogan.codes import informations
from ganzoo_plugin_infogan.config import InfoGANTrainerConfig


class InfoGANTrainer(AdversarialTrainer):
    """min_{G,Q} max_D V(D, G) − λ L_I(G, Q), where Q is a head of D.

    As in the authors' code, −λ L_I is part of both players' losses: Q, and the trunk that it shares
    with D, learn it in the discriminator's turn, and G in its own.
    """

    config: InfoGANTrainerConfig

    def __init__(self, config: InfoGANTrainerConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        if not self.generator.codes:
            raise UnsupportedError(
                "the infogan trainer needs a generator whose latent has codes; choose another "
                "--generator, such as infogan"
            )
        recognised = {
            name: code.size for name, code in getattr(self.discriminator, "codes", {}).items()
        }
        if recognised != {name: code.size for name, code in self.generator.codes.items()}:
            raise ConfigError(
                "the discriminator must recognise the very codes that the generator takes; set "
                "categorical and continuous for both, and take --discriminator infogan"
            )

    def discriminator_terms(
        self, real: DiscriminatorOutput, fake: DiscriminatorOutput, batch: Batch, fakes: Fakes
    ) -> Mapping[str, Tensor]:
        """Return −λ L_I, from which Q and the trunk learn."""
        return self._terms(fake, fakes)

    def generator_terms(self, fake: DiscriminatorOutput, fakes: Fakes) -> Mapping[str, Tensor]:
        """Return −λ L_I, from which G learns."""
        return self._terms(fake, fakes)

    def _terms(self, fake: DiscriminatorOutput, fakes: Fakes) -> dict[str, Tensor]:
        codes, config = self.generator.codes, self.config
        return {
            f"information_{name}": -value
            * (config.categorical_weight if codes[name].categorical else config.continuous_weight)
            for name, value in informations(codes, fake.heads, fakes.latents).items()
        }
