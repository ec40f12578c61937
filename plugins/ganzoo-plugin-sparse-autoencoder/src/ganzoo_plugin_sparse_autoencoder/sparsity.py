"""What makes a code sparse: a price on activity."""

import torch
from torch import Tensor

LEAST_ACTIVITY = 1e-6
"""Of a unit that never or always fires: its divergence would be infinite."""


def divergence(codes: Tensor, target: float) -> Tensor:
    """Return Σⱼ KL(ρ ‖ ρ̂ⱼ) with ρ̂ⱼ the mean of unit j over the batch, in nats: a scalar.

    Args:
        codes: [N, units] in [0, 1]
        target: ρ, in (0, 1)
    """
    mean = codes.float().mean(0).clamp(LEAST_ACTIVITY, 1 - LEAST_ACTIVITY)
    wanted = torch.full_like(mean, target)
    active = wanted * (wanted / mean).log()
    idle = (1 - wanted) * ((1 - wanted) / (1 - mean)).log()
    return (active + idle).sum()


def absolute(codes: Tensor) -> Tensor:
    """Return Σⱼ |aⱼ| of codes [N, units], a mean over the batch: a scalar."""
    return codes.float().abs().sum(1).mean()
