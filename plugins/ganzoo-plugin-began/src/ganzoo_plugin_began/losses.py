"""The objective of section 3.4: reconstruction errors in an equilibrium that k keeps."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganzoo_core.components import AdversarialLoss, DiscriminatorOutput, errors_of
from ganzoo_plugin_began.config import EquilibriumLossConfig


class EquilibriumLoss(AdversarialLoss):
    """D lowers L(x) − k L(G(z)), G lowers L(G(z)), and k holds E[L(G(z))] at γ E[L(x)].

    k, and what its next value follows from, are buffers, so that checkpoints hold them.
    """

    k: Tensor
    """k_t, how much the discriminator heeds the fakes: from 0 to 1."""
    real_error: Tensor
    """L(x) of the discriminator's last turn."""
    convergence: Tensor
    """M of section 3.4.1, after the generator's last turn: the lower, the nearer the end."""

    def __init__(self, config: EquilibriumLossConfig) -> None:
        super().__init__()
        self.gamma = config.gamma
        self.lambda_k = config.lambda_k
        self.register_buffer("k", torch.tensor(config.initial_k))
        self.register_buffer("real_error", torch.tensor(0.0))
        self.register_buffer("convergence", torch.tensor(0.0))

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput) -> Tensor:
        """Return L_D = L(x) − k_t L(G(z_D))."""
        real_error = self._error(real)
        self.real_error = real_error.detach()
        return real_error - self.k * self._error(fake)

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return L_G = L(G(z_G)), and let k take its step, which needs it."""
        fake_error = self._error(fake)
        # The buffers get new tensors: autograd may still hold the old k.
        balance = self.gamma * self.real_error - fake_error.detach()
        self.k = (self.k + self.lambda_k * balance).clamp(0, 1)
        self.convergence = self.real_error + balance.abs()
        return fake_error

    def measured(self) -> Mapping[str, Tensor]:
        """Return k and the measure of convergence."""
        return {"k": self.k, "convergence": self.convergence}

    def _error(self, output: DiscriminatorOutput) -> Tensor:
        """Return L, the L1 reconstruction error a pixel and channel."""
        return errors_of(output, self).float().abs().mean()
