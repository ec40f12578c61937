"""The alternating game, in which shortcuts around layers vanish (section 3.5.1)."""

from ganzoo_plugin_gan.trainer import AdversarialTrainer

from ganzoo_core.components import Batch, Losses, Parts, Phase, Step
from ganzoo_plugin_began.config import EquilibriumTrainerConfig
from ganzoo_plugin_began.networks import Layer


class EquilibriumTrainer(AdversarialTrainer):
    """The discriminator learns, then the generator; k is kept by the loss."""

    config: EquilibriumTrainerConfig

    def __init__(self, config: EquilibriumTrainerConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        # Not their buffers, which are other tensors once the networks are on their device.
        self._shortcuts = [
            layer
            for network in self.networks.values()
            for layer in network.modules()
            if isinstance(layer, Layer) and layer.carry is not None
        ]

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return what the network of this phase minimises."""
        left = max(0.0, 1 - step.progress.step / self.config.residual_steps)
        for layer in self._shortcuts:
            assert layer.carry is not None
            layer.carry.fill_(left)
        return super().loss(phase, batch, step)
