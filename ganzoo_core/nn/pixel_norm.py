"""Pixelwise normalisation of feature vectors."""

import torch
from torch import Tensor, nn


class PixelNorm(nn.Module):
    """Bring each pixel's feature vector to a mean square of 1 (Karras et al. 2018, section 4.2).

    b = a / √(mean over the channels of a² + 1e-8)
    """

    def forward(self, activations: Tensor) -> Tensor:
        """Normalise [N, C, …] over C."""
        squares = activations.float().square()  # of mixed precision too: 256² is beyond 16 bits
        factor = torch.rsqrt(squares.mean(1, keepdim=True) + 1e-8)
        return activations * factor.to(activations.dtype)
