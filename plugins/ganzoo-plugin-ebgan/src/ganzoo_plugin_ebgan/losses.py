"""Equations 1 and 2, on the energy of an autoencoder, and the pulling-away term of section 2.4."""

import torch
from torch import Tensor
from torch.nn import functional

from ganzoo_core.components import DiscriminatorOutput, PointwiseLoss, errors_of
from ganzoo_core.errors import UnsupportedError
from ganzoo_plugin_ebgan.config import EnergyLossConfig


class EnergyLoss(PointwiseLoss):
    """D gives low energy to real images, and at least the margin to fakes; G seeks low energy."""

    def __init__(self, config: EnergyLossConfig) -> None:
        super().__init__()
        self.margin = config.margin
        self.pulling_away = config.pulling_away

    def as_real(self, output: DiscriminatorOutput) -> Tensor:
        """Return the energy D(x), the first term of equation 1: [N]."""
        return energy(errors_of(output, self))

    def as_fake(self, output: DiscriminatorOutput) -> Tensor:
        """Return [m − D(G(z))]⁺, the second term of equation 1: [N]."""
        return functional.relu(self.margin - self.as_real(output))

    def generator(self, fake: DiscriminatorOutput) -> Tensor:
        """Return D(G(z)) of equation 2, and the weighted pulling-away term."""
        energies = self.as_real(fake).mean()
        if not self.pulling_away:
            return energies
        if fake.features is None:
            raise UnsupportedError(
                "the pulling-away term of the loss EnergyLoss needs a discriminator that shows its "
                "code, and this one does not; set loss.pulling_away=0 or choose another "
                "--discriminator"
            )
        return energies + self.pulling_away * pulling_away_term(fake.features.flatten(1))


def energy(errors: Tensor) -> Tensor:
    """Return ‖Dec(Enc(x)) − x‖ of section 2.3, the L2 norm over all pixels.

    Args:
        errors: [N, C, H, W]

    Returns:
        [N]
    """
    energies: Tensor = torch.linalg.vector_norm(errors.float().flatten(1), dim=1)
    return energies


def pulling_away_term(codes: Tensor) -> Tensor:
    """Return the mean of cos² over all ordered pairs of different images (section 2.4).

    Args:
        codes: [N, size]

    Returns:
        a scalar from 0, where all codes are orthogonal, to 1, where all are parallel; 0 where
        there is only one
    """
    directions = functional.normalize(codes.float(), dim=1)
    squares = (directions @ directions.T).square()
    pairs = len(codes) * (len(codes) - 1)
    return (squares.sum() - squares.diagonal().sum()) / max(pairs, 1)
