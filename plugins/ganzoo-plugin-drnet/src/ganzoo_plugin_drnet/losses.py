"""Equations 1 to 4, each a mean over all numbers, as the authors' code has it."""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss


def reconstruction(made: Tensor, wanted: Tensor) -> Tensor:
    """Equation 1: ‖D(h_c, h_p) − x‖², of images [N, C, H, W] in [-1, 1] as pixels from 0 to 1."""
    return mse_loss((made + 1) / 2, (wanted + 1) / 2)


def similarity(content: Tensor, other: Tensor) -> Tensor:
    """Equation 2: ‖E_c(x_t) − E_c(x_t+k)‖², of codes [N, content_size] of one video."""
    return mse_loss(content, other)


def discrimination(same: Tensor, different: Tensor) -> Tensor:
    """Equation 3, what C minimises: −log C(same video) − log(1 − C(different)), of logits [N]."""
    return binary_cross_entropy_with_logits(
        same, same.new_ones(same.shape)
    ) + binary_cross_entropy_with_logits(different, different.new_zeros(different.shape))


def uncertainty(same: Tensor) -> Tensor:
    """Equation 4, what E_p minimises: −½ log C − ½ log(1 − C), least where C says one half."""
    return binary_cross_entropy_with_logits(same, same.new_full(same.shape, 0.5))
