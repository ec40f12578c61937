"""The bound with a weight on its divergence, or on the divergence's distance from a capacity."""

from ganzoo_plugin_vae.trainer import VAETrainer
from torch import Tensor

from ganzoo_core.components import Step
from ganzoo_plugin_beta_vae.config import BetaVAEConfig


class BetaVAETrainer(VAETrainer):
    """Equation 4 of Higgins et al. 2017; with a capacity, equation 8 of Burgess et al. 2018."""

    config: BetaVAEConfig

    def weighed(self, kl: Tensor, step: Step) -> Tensor:
        """Return β |KL − C|, a scalar, which without a capacity is β KL."""
        return self.config.beta * (kl - self.capacity(step.progress.step)).abs()

    def capacity(self, steps_done: int) -> float:
        """Return C after so many steps, in nats."""
        return self.config.capacity * min(1.0, steps_done / self.config.capacity_steps)
